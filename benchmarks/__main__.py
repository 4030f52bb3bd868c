"""Run every benchmark against the stack that HANDRAIL_URL names (make bench starts a fresh one)."""

from __future__ import annotations

import os
import platform
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_site.settings")
django.setup()

from benchmarks import (  # noqa: E402 - models need the setup above
    cost,
    export,
    gate,
    inbox,
    ingest,
    installation,
    next_item,
    what_if,
)

KINDS = {
    "cost": cost.measure,
    "gate": gate.measure,
    "ingest": ingest.measure,
    "export": export.measure,
    "what-if": what_if.measure,
    "inbox": inbox.measure,
    "next-item": next_item.measure,
}

# Run where they are asked for by name: one leaves a million actions behind, the other needs a Chromium.
ASKED_FOR = {"inbox", "next-item"}

print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
made = installation.prepare()
for name in sys.argv[1:] or [each for each in KINDS if each not in ASKED_FOR]:
    KINDS[name](made)

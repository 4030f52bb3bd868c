"""Run every benchmark against the stack that HANDRAIL_URL names (make bench starts a fresh one)."""

from __future__ import annotations

import os
import platform
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_site.settings")
django.setup()

from benchmarks import cost, export, gate, inbox, ingest, installation, what_if  # noqa: E402 - models need the setup above

KINDS = {
    "cost": cost.measure,
    "gate": gate.measure,
    "ingest": ingest.measure,
    "export": export.measure,
    "what-if": what_if.measure,
    "inbox": inbox.measure,
}

# It leaves a million actions behind, so it is run where it is asked for by name.
ASKED_FOR = {"inbox"}

print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
made = installation.prepare()
for name in sys.argv[1:] or [each for each in KINDS if each not in ASKED_FOR]:
    KINDS[name](made)

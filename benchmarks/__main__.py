"""Run every benchmark against the stack that HANDRAIL_URL names (make bench starts a fresh one)."""

from __future__ import annotations

import os
import platform

from benchmarks import gate

print(f"{platform.platform()}, Python {platform.python_version()}, {os.cpu_count()} cores")
gate.measure()

"""How often the disk under the database makes a write durable: what bounds one client's commits."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path


def fsyncs_per_second(folder: Path, *, seconds: float = 1.0) -> float:
    """Write and fsync 8 kB in turn, as the write-ahead log does."""
    block, done = b"x" * 8192, 0
    with tempfile.TemporaryFile(dir=folder) as file:
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            os.pwrite(file.fileno(), block, 0)
            os.fdatasync(file.fileno())
            done += 1
    return done / seconds

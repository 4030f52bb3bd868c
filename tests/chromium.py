"""The browser that the journeys drive: Debian's Chromium or its like, found, or installed where we may.

``python -m tests.chromium`` looks for one, installs it when we are root on a Debian with a reachable archive,
and says what it found. It always succeeds: without a browser the tests that need one skip, and say so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ELSEWHERE = (Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),)
# Root may not use the sandbox; nothing else here is needed, and nothing may reach out by itself.
LAUNCH_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
ADVICE = "install it (Debian: apt-get install chromium) or set CHROMIUM to one"


def find_chromium() -> str | None:
    """Return the path of a Chromium, ``CHROMIUM`` first, or None."""
    named = os.environ.get("CHROMIUM", "").strip()
    if named:
        return shutil.which(named)
    found = (shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/bin") for name in NAMES)
    others = (str(path) for path in ELSEWHERE if path.exists())
    return next((path for path in (*found, *others) if path), None)


def install_chromium() -> bool:
    """Install Debian's Chromium; return whether that worked."""
    apt = shutil.which("apt-get")
    if apt is None or os.geteuid() != 0:
        return False
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = [apt, "install", "-y", "-qq", "--no-install-recommends", "chromium"]
    # A fresh image has no package lists: fetch them only when the first try shows that they are missing.
    for command in (install, [apt, "update", "-qq"], install):
        done = subprocess.run(command, env=environment, capture_output=True, timeout=600, check=False)
        if done.returncode == 0 and command is install:
            return True
    return False


def main() -> None:
    """Find or install, and say which."""
    if find_chromium() is None and not os.environ.get("CHROMIUM"):
        print("No Chromium found; trying to install it ...", file=sys.stderr)  # noqa: T201 - a command's own output
        install_chromium()
    print(f"Chromium for the browser tests: {find_chromium() or f'none; {ADVICE}'}", file=sys.stderr)  # noqa: T201 - a command's own output


if __name__ == "__main__":
    main()

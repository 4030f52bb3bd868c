"""Lines of many processes on one terminal, each under the name of its process."""

from __future__ import annotations

import os
import sys
from typing import TextIO

_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92)
_WIDTH = 8


class Console:
    """Writes prefixed lines; in colour on a terminal unless NO_COLOR is set (no-color.org)."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        self._stream = stream
        self._colour = stream.isatty() and not os.environ.get("NO_COLOR")
        self._numbers: dict[str, int] = {}
        self._partial: dict[str, bytes] = {}

    def feed(self, name: str, data: bytes) -> None:
        """Take what a process wrote; print the lines that are whole."""
        *lines, rest = (self._partial.get(name, b"") + data).split(b"\n")
        # A process that never ends its line must not fill our memory.
        self._partial[name] = rest if len(rest) < 65_536 else b""
        if len(rest) >= 65_536:
            lines.append(rest)
        for line in lines:
            self.line(name, line.decode("utf-8", errors="replace").rstrip("\r"))

    def line(self, name: str, text: str) -> None:
        """Print one line."""
        number = self._numbers.setdefault(name, len(self._numbers))
        prefix = f"{name:<{_WIDTH}} |"
        if self._colour:
            prefix = f"\x1b[{_COLOURS[number % len(_COLOURS)]}m{prefix}\x1b[0m"
        self._write(f"{prefix} {text}\n")

    def block(self, *lines: str) -> None:
        """Print lines that a person must not miss, set apart and without a prefix."""
        start, end = ("\x1b[1m", "\x1b[0m") if self._colour else ("", "")
        self._write("\n" + "".join(f"  {start}{line}{end}\n" for line in lines) + "\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()

"""What ``handrail eval`` shows while it works, and the table at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TextIO

from handrail.evals import Kept

_WIDTH = 24


@dataclass
class Progress:
    """A bar that is drawn over itself in a terminal, and a line every tenth elsewhere."""

    total: int
    done: int = 0
    wrong: int = 0
    out: TextIO = field(default_factory=lambda: sys.stderr)
    _began: float = field(default_factory=time.monotonic)
    _done_before: int = field(init=False)
    _tenth: int = -1

    def __post_init__(self) -> None:
        self._done_before = self.done

    def advance(self, *, done: int, wrong: int) -> None:
        """Count, and draw."""
        self.done += done
        self.wrong += wrong
        if self.out.isatty():
            self.out.write(f"\r{self.text()}\x1b[K")
        elif self.total and self.done * 10 // self.total != self._tenth:
            self._tenth = self.done * 10 // self.total
            self.out.write(f"{self.text()}\n")
        self.out.flush()

    def finish(self) -> None:
        """Leave the bar's line."""
        if self.out.isatty():
            self.out.write("\n")

    def text(self) -> str:
        """Return bar, counts, rate and the time that is left."""
        share = min(1.0, self.done / self.total) if self.total else 1.0
        bar = "#" * round(share * _WIDTH)
        passed = time.monotonic() - self._began
        rate = (self.done - self._done_before) / passed if passed > 0 else 0.0
        left = f"{round((self.total - self.done) / rate)} s left" if rate > 0 else "no rate yet"
        return (
            f"[{bar:.<{_WIDTH}}] {self.done} of {self.total} cases, {share:.0%}, {self.wrong} not right, "
            f"{rate:.1f} a second, {left}"
        )


def table(results: Iterable[Kept]) -> str:
    """Return right, wrong and not graded by action type, as text."""
    counts: dict[str, list[int]] = {}
    for result in results:
        row = counts.setdefault(result.action_type, [0, 0, 0])
        row[{True: 0, False: 1, None: 2}[result.passed]] += 1
    rows = sorted(counts.items())
    if len(rows) > 1:
        rows.append(("all", [sum(row[at] for row in counts.values()) for at in range(3)]))
    cells = [["action type", "right", "wrong", "not graded", "error rate"]]
    for name, (right, wrong, none) in rows:
        rate = f"{wrong / (right + wrong):.1%}" if right + wrong else "-"
        cells.append([name, str(right), str(wrong), str(none), rate])
    first, *others = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join([name.ljust(first), *(cell.rjust(width) for cell, width in zip(rest, others, strict=True))])
        for name, *rest in cells
    )

"""The table at the end of a replay, and its progress bar. Plain text."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TextIO

from datasets.replay.reconciliation import Line

_COLUMNS: Final = (
    "action type",
    "proposed",
    "allowed",
    "risk",
    "conf",
    "policy",
    "approved",
    "correct'd",
    "rejected",
    "unseen",
    "audited",
    "stopped",
    "cases",
)
_ABOVE: Final = {3: "held by", 9: "wrong ones"}


@dataclass(frozen=True, slots=True)
class Figures:
    """What the table says below: of the reviewers, of the gate, of the whole run."""

    decisions: int
    reviewing_seconds: float
    reviewers: int
    gate_ms: Sequence[float]
    audits: int
    seconds: float


class Progress:
    """A bar where somebody looks, a plain line now and then where nobody does."""

    def __init__(self, total: int, *, out: TextIO | None = None) -> None:
        self._total = total
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self._began = time.monotonic()
        self._said = -math.inf

    def show(self, done: int, *, said: str = "") -> None:
        """Show how many records are done."""
        now = time.monotonic()
        if now - self._said < (0.2 if self._live else 10.0) and done < self._total:
            return
        self._said = now
        share = done / self._total if self._total else 1.0
        text = f"{done:,} of {self._total:,} ({share:.0%}), {now - self._began:.0f} s{said}"
        if self._live:
            filled = round(share * 30)
            self._out.write(f"\r\033[K[{'#' * filled}{'.' * (30 - filled)}] {text}")
        else:
            self._out.write(f"{text}\n")
        self._out.flush()

    def end(self) -> None:
        """Leave the bar's line."""
        if self._live:
            self._out.write("\n")


def table(lines: Mapping[str, Line], figures: Figures) -> str:
    """Return the table, a row an action type, their sum, and the figures below."""
    rows = [_row(name, lines[name]) for name in sorted(lines)]
    total = _sum(lines.values())
    widths = [
        max(len(column), len(sum_cell), *(len(row[at]) for row in rows), 0)
        for at, (column, sum_cell) in enumerate(zip(_COLUMNS, _row("all", total), strict=True))
    ]
    rule = "  ".join("-" * width for width in widths)
    text = [
        _above(widths),
        _line(_COLUMNS, widths),
        rule,
        *(_line(row, widths) for row in rows),
        rule,
        _line(_row("all", total), widths),
        "",
        *_below(figures),
    ]
    return "\n".join(text)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the values does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else 0.0


def _below(figures: Figures) -> list[str]:
    rate = figures.decisions * 60 / figures.reviewing_seconds if figures.reviewing_seconds else 0.0
    gate = figures.gate_ms
    return [
        f"reviewer decisions   {figures.decisions:,} by {figures.reviewers} reviewers,"
        f" {rate:,.0f} a minute while something was waiting",
        f"gate, as agents see  p50 {percentile(gate, 0.5):.0f} ms, p95 {percentile(gate, 0.95):.0f} ms",
        f"audit items done     {figures.audits:,}",
        f"time                 {figures.seconds:,.0f} s",
    ]


def _row(name: str, line: Line) -> tuple[str, ...]:
    held = (line.held[trigger] for trigger in ("high_risk", "low_confidence", "policy_edge"))
    numbers = (
        line.proposed,
        line.allowed,
        *held,
        line.approved,
        line.corrected,
        line.rejected,
        line.wrong_unseen,
        line.wrong_audited,
        line.wrong_stopped,
        line.cases,
    )
    return (name, *(f"{number:,}" for number in numbers))


def _sum(lines: Iterable[Line]) -> Line:
    total = Line()
    for line in lines:
        total.proposed += line.proposed
        total.allowed += line.allowed
        total.held += line.held
        total.approved += line.approved
        total.corrected += line.corrected
        total.rejected += line.rejected
        total.wrong_unseen += line.wrong_unseen
        total.wrong_audited += line.wrong_audited
        total.wrong_stopped += line.wrong_stopped
        total.audits += line.audits
        total.cases += line.cases
    return total


def _above(widths: Sequence[int]) -> str:
    """Return the line that names the groups of three columns."""
    parts: list[str] = []
    at = 0
    while at < len(widths):
        if at in _ABOVE:
            parts.append(f" {_ABOVE[at]} ".center(sum(widths[at : at + 3]) + 4, "-"))
            at += 3
        else:
            parts.append(" " * widths[at])
            at += 1
    return "  ".join(parts).rstrip()


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = zip(cells, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in rest)]).rstrip()

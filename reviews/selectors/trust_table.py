"""The trust page as a table for a spreadsheet: a row for each action type and agent version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reviews.selectors.trust import TrustLine
from reviews.selectors.trust_report import TrustReport

COLUMNS = (
    "action_type", "agent", "version", "level", "proposed", "alone", "held", "denied", "approved",
    "corrected", "rejected", "checks", "checked_wrong", "checks_too_fast", "released_wrong",
    "released_wrong_low", "released_wrong_high", "wrong_overall", "wrong_overall_low",
    "wrong_overall_high", "decision_p50_seconds", "decision_p95_seconds", "deadline_kept",
    "deadline_missed", "incidents", "drills_planted", "drills_caught", "currency", "value_proposed",
    "value_alone", "value_stopped", "reasons", "fields", "items", "definitions",
)  # fmt: skip

Cell = str | float | int | None


@dataclass(frozen=True, slots=True)
class Ways:
    """Whole addresses for a table that has left the page: of the items, and of what the columns mean."""

    items: str
    definitions: str
    days: int


def rows(report: TrustReport, ways: Ways) -> Iterator[list[Cell]]:
    """Yield the rows. What too few checks leave unknown is an empty cell, never a zero.

    Each ends with where the actions behind it are listed, and where its columns are explained. Drills,
    values, reasons and fields are those of the action type: they stand in each of its rows.
    """
    for group, facts in report.sections:
        drills, stake = facts.drills, facts.stake
        beside: list[Cell] = [
            drills.planted if drills else None,
            drills.caught if drills else None,
            stake.currency if stake else None,
            stake.proposed if stake else None,
            stake.alone if stake else None,
            stake.stopped if stake else None,
            "; ".join(f"{each.label}: {each.count}" for each in facts.reasons),
            "; ".join(f"{each.name}: {each.count}" for each in facts.fields),
        ]
        for line in group.lines:
            yield [
                *_cells(line),
                *beside,
                f"{ways.items}?days={ways.days}&{line.query}",
                ways.definitions,
            ]


def _cells(line: TrustLine) -> list[Cell]:
    row, released, waits = line.row, line.released, line.waits
    overall = row.overall if line.is_weighted else None
    return [
        row.action_type_name,
        row.agent_version.agent.name,
        row.agent_version.label,
        str(row.level),
        row.proposed,
        row.alone,
        row.held,
        row.denied,
        line.approved,
        line.corrected,
        line.rejected,
        row.audited,
        row.audited_errors,
        line.weak_checks,
        released.wrong if released.is_known else None,
        released.wrong_low if released.is_known else None,
        released.wrong_high if released.is_known else None,
        overall.rate if overall else None,
        overall.low if overall else None,
        overall.high if overall else None,
        waits.median.total_seconds() if waits.median else None,
        waits.p95.total_seconds() if waits.p95 else None,
        waits.kept,
        line.late,
        line.incidents,
    ]

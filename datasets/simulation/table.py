"""The table at the end of a simulation (docs/simulation.md), and the story of a run. Plain text, pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from datasets.simulation.running import Run

_COLUMNS = (
    "world",
    "runs",
    "ever alone",
    "certified after",
    "first promotion",
    "auto share",
    "errors shipped",
    "drift to demotion",
    "demoted before",
    "naive rule: ever / shipped",
)


def table(runs: Sequence[Run]) -> str:
    """Return a row for each world: medians of its runs."""
    worlds = list(dict.fromkeys(run.world for run in runs))
    rows = [_COLUMNS, *(_row([run for run in runs if run.world == world]) for world in worlds)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    rule = "  ".join("-" * width for width in widths)
    return "\n".join(line.rstrip() for line in (lines[0], rule, *lines[1:]))


def story(run: Run) -> str:
    """Return what the ledger says of the levels of one run, a line for each change."""
    head = (
        f"{run.world.title}: {run.actions:,} actions, {run.reviews:,} reviewed, {run.checks:,} checked,"
        f" {run.passed_by_people:,} errors passed by people; {run.entries:,} ledger entries,"
        f" {'intact' if run.intact else 'NOT INTACT'}; catch rate in drills at least {run.catch_lower:.0%}"
    )
    return "\n".join(
        [
            head,
            *(
                f"  {step.at:%Y-%m-%d} action {step.place:,}, review {step.reviews:,}:"
                f" {step.before} -> {step.after}. {step.because}"
                for step in run.steps
            ),
        ]
    )


def _row(runs: Sequence[Run]) -> tuple[str, ...]:
    actions = runs[0].actions
    ever = sum(bool(run.promotions) for run in runs)
    drifts = runs[0].world.change < 1
    caught = [run.drift_to_demotion for run in runs if run.drift_to_demotion is not None]
    naive = [run for run in runs if run.naive_from is not None]
    return (
        runs[0].world.title,
        f"{len(runs)}",
        f"{ever} of {len(runs)}",
        _middle([run.certified_after for run in runs], " reviews"),
        _middle([run.promotions[0].reviews if run.promotions else None for run in runs], " reviews"),
        f"{sum(run.alone for run in runs) / (actions * len(runs)):.1%}",
        _middle([run.shipped for run in runs], f" of {actions:,}"),
        f"{_middle(caught, ' actions')}, {len(caught)} of {len(runs)}" if drifts else "–",
        f"{sum(run.demotions_before_drift for run in runs) / len(runs):.2g} a run",
        f"{len(naive)} of {len(runs)} / {_middle([run.naive_shipped for run in naive], '')}",
    )


def _middle(values: Sequence[int | None], unit: str, *, of: Callable[[list[int]], float] = median) -> str:
    known = [value for value in values if value is not None]
    return f"{of(known):,.0f}{unit}" if known else "–"

"""What the scores of a recording are worth: calibration, risk and coverage, and the threshold they certify.

Pure: it compares scores with the recording's ground truth. A recording stands in the order of its agents and
tasks, so its records are drawn into another one first, the same each time: a certificate is for a mixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np

from datasets.replay.recording import Record
from policies.statistics.certificate import SCORES_FOR_A_GRID, Certificate, certify, grid_of
from policies.statistics.confidence import auroc, brier, calibration_error, reliability, risk_coverage

LIMITS: Final = (0.05, 0.02)
DELTA: Final = 0.05
_COVERAGES: Final = (0.1, 0.2, 0.3, 0.5, 0.7, 1.0)
_BINS: Final = 10


@dataclass(frozen=True, slots=True)
class Scored:
    """One action whose right answer is known, and the score it came with."""

    score: float
    wrong: bool


def judged(records: Sequence[Record]) -> list[Scored]:
    """Return what a judge's score says of the records whose ground truth is known."""
    return [
        Scored(record.judge_score, not record.correct)
        for record in sorted(records, key=lambda record: record.line)
        if record.judge_score is not None and record.correct is not None
    ]


def own(records: Sequence[Record]) -> list[Scored]:
    """Return what the agents' own scores say of the same."""
    return [
        Scored(record.own_score, not record.correct)
        for record in sorted(records, key=lambda record: record.line)
        if record.own_score is not None and record.correct is not None
    ]


def certificate(scored: Sequence[Scored], *, limit: float, delta: float = DELTA) -> Certificate:
    """Return what the labels certify. The first scores fix the grid, and their labels are not used."""
    mixed = list(scored)
    Random("a recording").shuffle(mixed)  # noqa: S311 - an order that says nothing, no secret
    earlier, later = mixed[:SCORES_FOR_A_GRID], mixed[SCORES_FOR_A_GRID:]
    return certify(
        grid=grid_of([one.score for one in earlier]),
        score=np.asarray([one.score for one in later], dtype=np.float32),
        loss=np.asarray([one.wrong for one in later], dtype=np.float32),
        weight=np.ones(len(later), dtype=np.float32),
        limit=limit,
        delta=delta,
    )


def section(title: str, scored: Sequence[Scored]) -> str:
    """Return the figures of one source of scores, as the report shows them."""
    if len(scored) <= SCORES_FOR_A_GRID:
        return f"{title}: {len(scored):,} scores with a known answer, too few to say anything."
    scores = [one.score for one in scored]
    right = [float(not one.wrong) for one in scored]
    wrong = [float(one.wrong) for one in scored]
    ranks = auroc(scores, right)
    curve = risk_coverage(scores, wrong)
    lines = [
        f"{title}: {len(scored):,} scores with a known answer, {sum(wrong) / len(wrong):.1%} wrong",
        f"  AUROC {'–' if ranks is None else f'{ranks:.3f}'}, Brier {brier(scores, right):.3f},"
        f" ECE {calibration_error(scores, right):.3f},"
        f" area under risk and coverage {curve.area:.3f} ({curve.excess:.3f} above the best order)",
        "  share handled alone, surest first   " + "  ".join(f"{share:>6.0%}" for share in _COVERAGES),
        "  wrong among them                    "
        + "  ".join(f"{_at(curve.risk, share):>6.1%}" for share in _COVERAGES),
        "  score said / was right (of so many) "
        + ", ".join(
            f"{bar.confidence:.2f} / {bar.accuracy:.2f} ({bar.n:,})"
            for bar in reliability(scores, right, bins=_BINS)
        ),
    ]
    return "\n".join([*lines, *(_certified(scored, limit) for limit in LIMITS)])


def _at(risk: Sequence[float], share: float) -> float:
    return risk[max(1, round(share * len(risk))) - 1]


def _certified(scored: Sequence[Scored], limit: float) -> str:
    found = certificate(scored, limit=limit)
    said = f"  at most {limit:.0%} wrong, {1 - DELTA:.0%} sure: "
    if found.threshold is not None:
        point = found.certified[-1]
        passed = sum(one.score >= found.threshold for one in scored) / len(scored)
        return (
            f"{said}certified from {found.threshold:.2f} on, which lets {passed:.0%} through"
            f" ({point.errors:,} wrong of {point.labels:,})"
        )
    more = found.labels_missing
    if more is None:
        return f"{said}not enough evidence, and no number of labels would do: the surest are wrong too often"
    return f"{said}not enough evidence: about {more:,} more labels"

"""The samples of a track, in both of their orders, as labels that a tally takes in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Window
from django.db.models.functions import RowNumber, TruncDate

from policies.choices import Route
from policies.models import ActionType, EvidenceSample, EvidenceTrack, Observation
from policies.selectors import score_basis
from policies.statistics.tracking import Label

# What holds an action that more trust would let run.
_MATTERS_OF_TRUST: Final = frozenset(
    {"autonomy_shadow", "autonomy_review_all", "autonomy_canary", "below_threshold"}
)
_COLUMNS: Final = (
    "seq",
    "labelled_seq",
    "gate_check__score",
    "gate_check__route",
    "gate_check__propensity",
    "gate_check__min_propensity",
    "gate_check__reasons",
    "gate_check__observation__error",
    "gate_check__observation__severity",
    "gate_check__observation__considered",
    "gate_check__observation__blind",
    "gate_check__missing_label__reason",
    "gate_check__double_review__settled_kind",
    "repeated",
)
_EARLIER_SCORES: Final = 1000
# Kinds of decisions, as double reviews keep them.
_OBJECTIONS: Final = frozenset({"correct", "reject"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """One action that a person was to look at. ``label`` None: it never counts, or it has not come yet."""

    seq: int
    labelled_seq: int | None
    score: float | None
    answered: bool
    missing: bool
    label: Label | None
    blind: bool
    repeated: bool


def in_order_of_sampling(track: EvidenceTrack, *, after: int, limit: int) -> list[Sample]:
    """Return the next samples of a track by their place in the ledger, answered or not."""
    found = _of(track).filter(seq__gt=after).annotate(repeated=_repeated(track, "seq")).order_by("seq")
    return [_sample(*row) for row in found.values_list(*_COLUMNS)[:limit]]


def in_order_of_labels(track: EvidenceTrack, *, after: int, limit: int) -> list[Sample]:
    """Return the next labelled samples of a track, as the decisions came."""
    found = (
        _of(track)
        .filter(labelled_seq__gt=after)
        .annotate(repeated=_repeated(track, "labelled_seq"))
        .order_by("labelled_seq")
    )
    return [_sample(*row) for row in found.values_list(*_COLUMNS)[:limit]]


def scores_before(track: EvidenceTrack) -> list[float]:
    """Return the newest scores of this action type from before the evidence began; no label is looked at.

    They are of the score that the policy went by when it began: another one has another scale.
    """
    rows = (
        EvidenceSample.objects.filter(
            action_type=track.action_type_id,
            seq__lte=track.started_seq,
            gate_check__score__isnull=False,
            gate_check__policy_version__in=score_basis.alike(track.action_type, track.started_at),
        )
        .order_by("-seq")
        .values_list("gate_check__score", flat=True)
    )
    return [score for score in rows[:_EARLIER_SCORES] if score is not None]


def repeats(action_type: ActionType) -> list[int]:
    """Return the gate checks whose label says again what an earlier one of the same event and day said.

    The rule of ``_repeated`` for all versions at once, asked of the labels themselves: what counts labels
    before the evidence has taken them in leaves out the same.
    """
    known = (
        Observation.objects.filter(action_type=action_type, considered=True)
        .exclude(cluster_key="")
        .annotate(
            place=Window(
                RowNumber(),
                partition_by=[
                    F("agent_version"), F("cluster_key"), TruncDate("gate_check__evaluated_at", tzinfo=UTC)
                ],
                order_by="gate_check_id",
            )
        )
    )  # fmt: skip
    return sorted(known.filter(place__gt=1).values_list("gate_check_id", flat=True))


def is_objection(settled: str | None) -> bool:
    """Say whether a disagreement was settled against what the agent proposed.

    An approval that was overturned is an error. The other way round nothing is taken back: only some labels
    have a second look, and those that were asked for are no sample.
    """
    return settled in _OBJECTIONS


def waiting(track: EvidenceTrack) -> QuerySet[EvidenceSample]:
    """Return the samples that a person still has to answer."""
    return _of(track).filter(gate_check__observation=None, gate_check__missing_label=None)


def every(track: EvidenceTrack, *, batch: int = 500) -> Iterator[Sample]:
    """Return all samples since the evidence began anew, in the order of sampling."""
    after = track.started_seq
    while found := in_order_of_sampling(track, after=after, limit=batch):
        yield from found
        after = found[-1].seq


def _of(track: EvidenceTrack) -> QuerySet[EvidenceSample]:
    return EvidenceSample.objects.filter(
        agent_version=track.agent_version_id, action_type=track.action_type_id, seq__gt=track.started_seq
    )


def _repeated(track: EvidenceTrack, order: str) -> Exists:
    """Say that a considered label of the same event and day comes earlier in this order: one event is one."""
    earlier = _of(track).filter(
        **{f"{order}__lt": OuterRef(order)},
        cluster_key=OuterRef("cluster_key"),
        day=OuterRef("day"),
        gate_check__observation__considered=True,
    )
    return Exists(earlier.filter(~Q(cluster_key="")))


def _sample(
    seq: int,
    labelled_seq: int | None,
    score: float | None,
    route: str,
    propensity: float,
    min_propensity: float,
    reasons: list[dict[str, str]],
    error: bool | None,
    severity: float | None,
    considered: bool | None,
    blind: bool | None,
    missing: str | None,
    settled: str | None,
    repeated: bool,
) -> Sample:
    alone = route == Route.ALONE
    label = None
    if error is not None and considered:
        overturned = not error and is_objection(settled)
        label = Label(
            error=error or overturned,
            loss=1.0 if overturned else float(severity or 0.0),
            weight=min(1.0, min_propensity / propensity) if min_propensity > 0 else 1.0,
            score=score,
            unhindered=alone or {reason["code"] for reason in reasons} <= _MATTERS_OF_TRUST,
            alone=alone,
        )
    return Sample(
        seq=seq,
        labelled_seq=labelled_seq,
        score=score,
        answered=error is not None or missing is not None,
        missing=error is None and missing is not None,
        label=label,
        blind=bool(blind),
        repeated=repeated,
    )

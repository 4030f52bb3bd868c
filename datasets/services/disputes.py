"""Disputes: cases whose label somebody or something speaks against. They wait until a person settles them.

A disputed case is in no new version of a dataset. What was said first stays; an adjudication is a revision.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import cast

from datasets.choices import CaseKind
from datasets.engine.disputes import contradicts
from datasets.exporters.composition import Document, compose
from datasets.models import CaseCuration, GroundTruth, LabelledCase
from datasets.services import case_content
from datasets.services.later import facts_since
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.strict_json import JsonValue
from policies.services import ledger
from reviews.choices import Mode
from reviews.models import Decision


def open_dispute(*, case: LabelledCase, because: str, now: datetime) -> bool:
    """Mark a case as disputed, in the caller's transaction. One that is already stays as it is: False."""
    CaseCuration.objects.get_or_create(case=case, defaults={"updated_at": now})
    curation = CaseCuration.objects.select_for_update().get(case=case)
    if curation.disputed_at is not None:
        return False
    curation.disputed_at = now
    curation.disputed_because = because
    curation.updated_at = now
    curation.save(update_fields=["disputed_at", "disputed_because", "updated_at"])
    ledger.record(
        actor=ledger.Actor.system(),
        verb="case.disputed",
        object_kind="case",
        object_id=case.public_id,
        action_id=case.action_id,
        payload={"before": {"disputed": False}, "after": {"disputed": True, "because": because}},
        now=now,
    )
    return True


def open_where_contradicted(
    *,
    cases: Iterable[LabelledCase],
    truth_ids: Iterable[str],
    second_opinions: Iterable[Decision],
    now: datetime,
) -> int:
    """Open the disputes that follow from new cases, new ground truth and second opinions; return how many.

    Called in the order of the ledger, so that a case and what speaks against it meet whichever came first.
    """
    wanted, opinions = set(truth_ids), list(second_opinions)
    new_actions = {case.action_id for case in cases}
    found = GroundTruth.objects.filter(public_id__in=wanted) | GroundTruth.objects.filter(
        action_id__in=new_actions
    )
    truths: dict[str, list[GroundTruth]] = defaultdict(list)
    for truth in found.filter(correct=False).order_by("id"):
        truths[truth.action_id].append(truth)
    by_action: dict[str, list[Decision]] = defaultdict(list)
    for opinion in opinions:
        by_action[opinion.action.public_id].append(opinion)
    touched = list(
        LabelledCase.objects.filter(
            action_id__in={*truths, *by_action}, kind=CaseKind.PROPOSAL, erased_at=None
        ).order_by("id")
    )
    later = facts_since(touched)
    opened = 0
    for case in touched:
        document = compose(case.content, later[case.pk])
        because = _against(document, truths[case.action_id], by_action[case.action_id])
        if because:
            opened += open_dispute(case=case, because=because, now=now)
    return opened


def _against(case: Document, truths: Iterable[GroundTruth], opinions: Iterable[Decision]) -> str:
    """Return what speaks against the newest answer to a case, "" for nothing."""
    label, truth = str(case["label"]), cast(Document, case["truth"])["arguments"]
    mode = cast(Document, case["action"])["mode"]
    for said in truths:
        if contradicts(
            label=label,
            truth=truth,
            ran_as_decided=mode == Mode.GATED,
            correct=said.correct,
            arguments=case_content.parsed(said.arguments_canonical),
        ):
            return f"Ground truth ({said.source}) says that it was wrong."
    for opinion in opinions:
        if not _agrees(opinion, label, truth):
            return f"A second opinion says otherwise: {case_content.label_of(opinion).value}."
    return ""


def _agrees(opinion: Decision, label: str, truth: JsonValue) -> bool:
    """Say whether a second opinion comes to the same: nothing should be done, or the very same should."""
    second = case_content.truth_of(opinion, opinion.action)
    if label == "rejected" or second is None:
        return second is None and label == "rejected"
    return canonicalize(second) == canonicalize(truth)

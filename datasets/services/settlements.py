"""Settlements: a lead said who of two reviewers was right, and the case of the first answer follows.

Read off the ledger like everything that becomes of a case. The answer is a revision; every earlier one stays,
and so does what ran.
"""

from __future__ import annotations

from datetime import datetime

from datasets.choices import CaseKind, RevisionKind
from datasets.models import CaseCuration, LabelledCase, LabelRevision
from datasets.services import case_content
from hitl_site.lib.canonical import sha256_hex
from policies.services import ledger
from reviews.choices import DecisionKind
from reviews.models import Decision


def apply(*, decision_id: str, now: datetime) -> LabelRevision | None:
    """Answer the case of an action as its adjudication did, in the caller's transaction, and end its dispute.

    None where there is nothing to answer: no case was made of the action, it was erased, or the entry of the
    ledger was read before.
    """
    decision = Decision.objects.select_related("action", "reviewer").get(public_id=decision_id)
    case = (
        LabelledCase.objects.filter(
            action_id=decision.action.public_id, kind=CaseKind.PROPOSAL, erased_at=None
        )
        .order_by("id")
        .first()
    )
    if case is None:
        return None
    CaseCuration.objects.get_or_create(case=case, defaults={"updated_at": now})
    curation = CaseCuration.objects.select_for_update().get(case=case)
    newest = case.revisions.order_by("-number").first()
    if case.revisions.filter(
        kind=RevisionKind.ADJUDICATION, author=decision.reviewer, created_at=decision.decided_at
    ).exists():
        return None
    label, right = case_content.label_of(decision), _right(decision)
    revision = LabelRevision.objects.create(
        case=case,
        number=case.revisions.count() + 1,
        kind=RevisionKind.ADJUDICATION,
        label=label,
        arguments_canonical=right,
        reasons=list(decision.reasons),
        note=decision.note,
        author=decision.reviewer,
        author_name=decision.reviewer_name,
        created_at=decision.decided_at,
    )
    was_disputed, because = curation.disputed_at is not None, curation.disputed_because
    curation.disputed_at, curation.disputed_because, curation.updated_at = None, "", now
    curation.save(update_fields=["disputed_at", "disputed_because", "updated_at"])
    ledger.record(
        actor=ledger.Actor.person(decision.reviewer),
        verb="case.adjudicated",
        object_kind="case",
        object_id=case.public_id,
        action_id=case.action_id,
        payload={
            "before": {
                "label": case.label if newest is None else newest.label,
                "disputed": was_disputed,
                "because": because,
            },
            "after": {"label": label.value, "disputed": False},
            "revision": revision.number,
            "decision_id": decision.public_id,
            "arguments_sha256": None if right is None else sha256_hex(right),
        },
        now=now,
    )
    return revision


def _right(decision: Decision) -> bytes | None:
    """Return the canonical arguments that the lead held to be right; None where nothing should have run."""
    if decision.kind == DecisionKind.REJECT:
        return None
    return bytes(decision.final_arguments_canonical or decision.action.arguments_canonical)

"""The refusal that an action repeats: what the reviewer of a second attempt sees of the first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from policies.selectors.policies import live_document
from policies.selectors.reason_words import title_in_words
from reviews.choices import ActionState, DecisionKind
from reviews.models import ActionRequest, Decision, ReviewItem
from reviews.selectors.history import refused
from reviews.selectors.reasons import reason_codes


@dataclass(frozen=True)
class EarlierRefusal:
    """An act of the same likeness that was refused, by whom, when and why.

    ``by`` is the name of the person, "" where the gate itself refused it; ``reasons`` are the labels of the
    reasons that the person chose, or the titles of those that the gate found. ``item_id`` is that of the item
    which the person decided, "" where there was none.
    """

    action_id: str
    item_id: str
    title: str
    refused_at: datetime
    by: str
    reasons: tuple[str, ...]
    note: str


def earlier_refusal(action: ActionRequest) -> EarlierRefusal | None:
    """Return the refusal for which the gate holds this action, None where it holds it for other reasons.

    None, too, where that refusal was taken back since.
    """
    check = action.gate_check
    held_for_it = any(reason.get("code") == "denied_before" for reason in check.reasons)
    if not held_for_it or not action.likeness or check.policy_version is None:
        return None
    memory = timedelta(seconds=live_document(check.policy_version).denial_memory_seconds)
    found = refused(likeness=action.likeness, since=check.evaluated_at - memory, before=action.pk)
    if found is None:
        return None
    earlier = ActionRequest.objects.select_related("gate_check", "action_type").get(public_id=found)
    if earlier.state == ActionState.DENIED:
        return EarlierRefusal(
            action_id=earlier.public_id,
            item_id="",
            title=earlier.title,
            refused_at=earlier.closed_at or earlier.created_at,
            by="",
            reasons=tuple(
                title_in_words(str(reason.get("code", "")), str(reason["title"]))
                for reason in earlier.gate_check.reasons
                if reason.get("strictness") == "deny"
            ),
            note="",
        )
    return _by_a_person(earlier)


def _by_a_person(earlier: ActionRequest) -> EarlierRefusal | None:
    decision = (
        Decision.objects.filter(action=earlier, kind=DecisionKind.REJECT, undone_at=None)
        .select_related("item")
        .order_by("-pk")
        .first()
    )
    if decision is None:
        return None
    labels = {reason.code: reason.words for reason in reason_codes(earlier.action_type)}
    item: ReviewItem = decision.item
    return EarlierRefusal(
        action_id=earlier.public_id,
        item_id=item.public_id,
        title=earlier.title,
        refused_at=decision.decided_at,
        by=decision.reviewer_name,
        reasons=tuple(labels.get(code, code) for code in decision.reasons),
        note=decision.note,
    )

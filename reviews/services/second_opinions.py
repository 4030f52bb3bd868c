"""Second opinions: a share of what was decided is asked of somebody else, who knows nothing of the answer.

Drawn by HMAC at the moment a decision goes out, with the probability stored on the draw, or asked for because
something speaks against the decision. Nothing runs by a second opinion and nothing is stopped by it: what was
decided stands, and what the two said of it is kept as a double review. Where they differ, a lead settles it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import transaction

from hitl_site.lib.strict_json import JsonValue
from policies.engine.sampling import audit_draw
from policies.models import DoubleReview
from policies.services import double_reviews, ledger
from reviews.choices import ItemKind, ItemStatus, NoticeKind
from reviews.models import ActionRequest, Decision, ReviewItem, SecondOpinion
from reviews.selectors import second_reviews
from reviews.selectors.their_answers import SECOND_REVIEW
from reviews.services import adjudication, gatekeeping, notices, wakeups
from reviews.services.due_rows import work_off

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PURPOSE: Final = "second_opinion"
# Nothing waits for it; it should be given while the case is still fresh.
TIME: Final = timedelta(days=3)
_ABOUT: Final = (ItemKind.GATE, ItemKind.AUDIT)
_TAKEN: Final = (ItemStatus.OPEN, ItemStatus.RECORDED, ItemStatus.DECIDED)


def follow(*, item: ReviewItem, decision: Decision, now: datetime) -> None:
    """Do what a released decision asks for next, in the transaction of its release (which locks the action).

    One on a held or drawn item may be drawn for a second opinion; a second opinion is compared with the first
    answer; an adjudication settles what differed.
    """
    if item.kind in _ABOUT:
        draw(decision=decision, now=now)
    elif item.kind == ItemKind.SECOND_OPINION:
        compare(item=item, second=decision, now=now)
    elif item.kind == ItemKind.ADJUDICATION:
        adjudication.settle(item=item, decision=decision, now=now)


def draw(*, decision: Decision, now: datetime) -> SecondOpinion | None:
    """Draw a released decision at the rate of its action type, and open the item; None where it was not.

    The draw is random to reviewers and reproducible to an auditor. A drill has its known answer already.
    What is not drawn is asked for all the same while a second person answers after whoever gave it: that says
    nothing of how people agree at large, so it stands in no rate.
    """
    action = decision.action
    rate = action.action_type.second_opinion_rate if action.action_type is not None else 0.0
    if action.gate_check.drill:
        return None
    if rate > 0 and audit_draw(settings.AUDIT_DRAW_SECRET, action.public_id, PURPOSE) < rate:
        return _open(decision, because="", propensity=rate, asked_by=None, now=now)
    if second_reviews.is_asked_afterwards(decision):
        return _open(decision, because=SECOND_REVIEW, propensity=None, asked_by=None, now=now)
    return None


@transaction.atomic
def ask(
    *,
    action: ActionRequest,
    because: str,
    propensity: float | None = None,
    asked_by: User | None = None,
    now: datetime,
) -> SecondOpinion | None:
    """Ask somebody else about a decision that something speaks against; ``because`` is shown afterwards.

    None where there is nothing to ask: no answer has gone out, it is a drill, or somebody has been asked.
    """
    action = ActionRequest.objects.select_for_update(of=("self",)).get(pk=action.pk)
    first = (
        Decision.objects.filter(
            action=action, terminal=True, released_at__isnull=False, item__kind__in=_ABOUT
        )
        .select_related("action__gate_check__policy_version", "action__gate_check__action_type")
        .select_related("action__agent", "action__action_type")
        .first()
    )
    if first is None or action.gate_check.drill:
        return None
    return _open(first, because=because.strip(), propensity=propensity, asked_by=asked_by, now=now)


def compare(*, item: ReviewItem, second: Decision, now: datetime) -> DoubleReview:
    """Keep both answers side by side, in the transaction that releases the second; open what they differ in.

    They agree where both said the same, and corrected it to the very same.
    """
    opinion = SecondOpinion.objects.select_related("first_decision__reviewer").get(item=item)
    first = opinion.first_decision
    agreed = (first.kind, first.final_digest) == (second.kind, second.final_digest)
    review = double_reviews.record(
        gate_check=item.action.gate_check,
        first_reviewer=first.reviewer,
        second_reviewer=second.reviewer,
        first_kind=first.kind,
        second_kind=second.kind,
        agreed=agreed,
        propensity=opinion.propensity,
        now=now,
    )
    if agreed:
        _record(
            "second_opinion.agreed",
            second,
            {"first_decision": first.public_id, "kind": second.kind, "propensity": opinion.propensity},
            now=now,
        )
    else:
        adjudication.open_item(opinion=opinion, second=second, now=now)
    return review


def expire_due(*, now: datetime) -> int:
    """Close the second opinions that nobody gave in time. Return how many this call closed.

    There is no answer to keep; what was decided first stands. How many lapsed is counted by their items.
    """
    waiting = ReviewItem.objects.filter(kind=ItemKind.SECOND_OPINION, status=ItemStatus.OPEN)
    return work_off(waiting, due="due_at", act=_expire, now=now)


def _open(
    first: Decision, *, because: str, propensity: float | None, asked_by: User | None, now: datetime
) -> SecondOpinion | None:
    """Open the item. The caller holds the action's lock, so there is never a second one."""
    action = first.action
    if ReviewItem.objects.filter(action=action, kind=ItemKind.SECOND_OPINION, status__in=_TAKEN).exists():
        return None
    item = gatekeeping.draw_up_item(
        action=action, check=action.gate_check, kind=ItemKind.SECOND_OPINION, queue_id=None, now=now
    )
    item.due_at = now + TIME
    item.save(force_insert=True)
    opinion = SecondOpinion.objects.create(
        item=item,
        first_decision=first,
        propensity=propensity,
        because=because,
        asked_by=asked_by,
        opened_at=now,
    )
    # Whoever is under a second review knows that all of theirs are asked.
    if because not in ("", SECOND_REVIEW) and first.reviewer != asked_by:
        # What was drawn at random is nobody's news: it says nothing of the decision. The link shows the
        # decision's own page: they must not open the second look.
        notices.tell(
            user=first.reviewer, kind=NoticeKind.SECOND_LOOK, item=first.item, key=item.public_id, now=now
        )
    ledger.record(
        actor=ledger.Actor.person(asked_by) if asked_by is not None else ledger.Actor.system(),
        verb="second_opinion.asked" if because else "second_opinion.drawn",
        object_kind="item",
        object_id=item.public_id,
        action_id=action.public_id,
        payload={
            "first_decision": first.public_id,
            "propensity": propensity,
            "because": because,
            "due_at": item.due_at.isoformat(),
        },
        now=now,
    )
    wakeups.inbox_changed(item.public_id)
    return opinion


@transaction.atomic
def _expire(item_pk: int, now: datetime) -> bool:
    # The order of locks is that of services.decisions: the action, then the item.
    action_pk = ReviewItem.objects.values_list("action_id", flat=True).get(pk=item_pk)
    action = (
        ActionRequest.objects.select_for_update(of=("self",), skip_locked=True).filter(pk=action_pk).first()
    )
    if action is None:
        return False
    item = (
        ReviewItem.objects.select_for_update()
        .filter(pk=item_pk, kind=ItemKind.SECOND_OPINION, status=ItemStatus.OPEN, due_at__lte=now)
        .first()
    )
    if item is None:
        return False
    item.status = ItemStatus.EXPIRED
    item.closed_at = now
    item.claimed_by = None
    item.lease_expires_at = None
    item.version += 1
    item.save(update_fields=["status", "closed_at", "claimed_by", "lease_expires_at", "version"])
    ledger.record(
        actor=ledger.Actor.system(),
        verb="second_opinion.expired",
        object_kind="item",
        object_id=item.public_id,
        action_id=action.public_id,
        payload={"due_at": item.due_at.isoformat()},
        now=now,
    )
    wakeups.inbox_changed(item.public_id)
    return True


def _record(verb: str, decision: Decision, payload: dict[str, JsonValue], *, now: datetime) -> None:
    ledger.record(
        actor=ledger.Actor.person(decision.reviewer),
        verb=verb,
        object_kind="decision",
        object_id=decision.public_id,
        action_id=decision.action.public_id,
        payload={"item_id": decision.item.public_id, **payload},
        now=now,
    )

"""Several items answered at once: each its own decision, in its own transaction, marked as a weak label.

Not all or none: what somebody else decided meanwhile, or what a policy forbids by now, keeps nobody from the
rest. Each item is answered with what became of it, and the same request again changes nothing more. Every
rule for one decision holds for each of these; the right to decide in bulk and the action type's cap are read
in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext, gettext_noop

from hitl_site.lib import ids
from reviews.models import Decision, Queue, ReviewItem
from reviews.selectors import together as rules
from reviews.services import decisions, passing_on, rights
from reviews.services.answers import Answer, InvalidAnswer
from reviews.services.open_items import UnableToDecide

RIGHT: Final = "reviews.decide_in_bulk"


@dataclass(frozen=True)
class Shown:
    """What the person had before them of one item."""

    item_id: str
    digest: str
    version: int


@dataclass(frozen=True)
class Outcome:
    """What became of one item: done, or why not. ``decision`` is the answer that can be taken back."""

    item_id: str
    title: str
    done: bool
    text: str
    decision: Decision | None = None


_DONE: Final = {"approve": gettext_noop("Approved"), "reject": gettext_noop("Rejected")}


def decide(*, reviewer: User, shown: Sequence[Shown], answer: Answer, now: datetime) -> list[Outcome]:
    """Give the same answer, an approval or a rejection, to each of these items."""
    if not answer.bulk or answer.kind not in _DONE:
        raise InvalidAnswer(gettext("Together, items are approved or rejected."))

    def act(one: Shown) -> Outcome:
        item = _allowed(one, reviewer=reviewer, number=len(shown))
        decided = decisions.decide(
            item_id=one.item_id,
            reviewer=reviewer,
            answer=answer,
            shown_digest=one.digest,
            item_version=one.version,
            opening=None,
            now=now,
        )
        return Outcome(one.item_id, item.title, True, gettext(_DONE[answer.kind]), decided.decision)

    return _each(shown, act)


def pass_on(
    *,
    reviewer: User,
    shown: Sequence[Shown],
    note: str,
    to_user: User | None,
    to_queue: Queue | None,
    now: datetime,
) -> list[Outcome]:
    """Pass each of these items on to the same person or queue, with the same note."""

    def act(one: Shown) -> Outcome:
        item = _allowed(one, reviewer=reviewer, number=len(shown))
        passing_on.escalate(
            item_id=one.item_id,
            reviewer=reviewer,
            note=note,
            item_version=one.version,
            to_user=to_user,
            to_queue=to_queue,
            now=now,
        )
        return Outcome(one.item_id, item.title, True, gettext("Passed on"))

    return _each(shown, act)


def undo(*, reviewer: User, decision_ids: Sequence[str], now: datetime) -> list[Outcome]:
    """Take back each of these answers of one's own that has not gone out yet."""
    named = [each for each in decision_ids if ids.is_valid(each, "dec")]
    found = Decision.objects.filter(reviewer=reviewer, public_id__in=named[: rules.MOST])
    outcomes = []
    for decision in found.select_related("item").order_by("pk"):
        item = decision.item
        try:
            decisions.undo(decision_id=decision.public_id, reviewer=reviewer, now=now)
        except (UnableToDecide, rights.NotAllowed) as problem:
            outcomes.append(Outcome(item.public_id, item.title, False, str(problem)))
        else:
            outcomes.append(Outcome(item.public_id, item.title, True, gettext("Taken back")))
    return outcomes


def _each(shown: Sequence[Shown], act: Callable[[Shown], Outcome]) -> list[Outcome]:
    titles = dict(
        ReviewItem.objects.filter(public_id__in=[one.item_id for one in shown]).values_list(
            "public_id", "title"
        )
    )
    outcomes = []
    for one in shown:
        try:
            with transaction.atomic():
                outcomes.append(act(one))
        except ReviewItem.DoesNotExist:
            outcomes.append(Outcome(one.item_id, one.item_id, False, gettext("There is no such item.")))
        except (UnableToDecide, rights.NotAllowed) as problem:
            outcomes.append(Outcome(one.item_id, titles[one.item_id], False, str(problem)))
    return outcomes


def _allowed(one: Shown, *, reviewer: User, number: int) -> ReviewItem:
    """Return the item, where the person may still decide several and its type lets so many go together."""
    rights.current_holder(reviewer, RIGHT)
    item = ReviewItem.objects.select_related("action__action_type").get(public_id=one.item_id)
    because = rules.why_alone(item)
    if because:
        raise InvalidAnswer(gettext("{because} Decide it by itself.").format(because=because))
    cap = rules.cap_of([item])
    if number > cap:
        raise InvalidAnswer(gettext("At most {cap} of this action type go together.").format(cap=cap))
    return item

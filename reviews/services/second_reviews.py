"""A temporary second review: for a time, whatever one person answers takes a second person.

A lead asks for it with a reason that the person reads, for one action type or for all, and it ends by itself.
It makes nothing easier: what would run waits for one more person, and lapses with its deadline where nobody
else answers. Answers given before it began are left as they are.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils.translation import gettext

from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
from policies.models import ActionType
from policies.services import ledger
from reviews.choices import DecisionKind, ItemKind
from reviews.models import ReviewItem, SecondReview
from reviews.selectors import second_reviews as questions
from reviews.selectors.independence import ADJUDICATE
from reviews.services import rights, wakeups
from reviews.services.due_rows import work_off

LONGEST: Final = timedelta(days=90)


class UnableToReview(Exception):
    """It cannot begin or end so. Nothing has changed."""


def people_needed(*, item: ReviewItem, kind: str, people: Collection[int], now: datetime) -> int:
    """Return how many people what runs on this answer takes, by the ``people`` who gave it: who gives it now,
    and who gave the same before.

    One more than those of them whose answers need a second person: so at least one of them does not. Call it
    in the transaction that records the answer and holds the reviewer.
    """
    if kind == DecisionKind.REJECT or item.kind != ItemKind.GATE or item.action.drill:
        return 1
    return 1 + len(questions.under_review(people, action_type_name=item.action_type_name, at=now))


@transaction.atomic
def start(
    *,
    reviewer: User,
    action_type: ActionType | None,
    reason: str,
    ends_at: datetime,
    by: User,
    now: datetime,
) -> SecondReview:
    """Let a second person answer whatever ``reviewer`` answers from now on, until ``ends_at``.

    Waits for an answer that the person is just giving; the next one finds it. Raises ``UnableToReview`` and
    ``rights.NotAllowed``.
    """
    by = _hold(by, reviewer)
    reason = reason.strip()
    if by == reviewer:
        raise UnableToReview(gettext("Somebody else asks for that: it is about your own answers."))
    if not reason:
        raise UnableToReview(gettext("Say why: the person reads it."))
    if not now < ends_at <= now + LONGEST:
        raise UnableToReview(gettext("It ends within {days} days.").format(days=LONGEST.days))
    there = SecondReview.objects.select_for_update(of=("self",)).filter(
        reviewer=reviewer, action_type=action_type, ended_at=None
    )
    for one in there:
        if one.ends_at > now:
            raise UnableToReview(gettext("That is so already. End it first, or wait until it ends."))
        _lapse(one, now=now)
    review = SecondReview.objects.create(
        public_id=ids.new("srv"),
        reviewer=reviewer,
        action_type=action_type,
        reason=reason,
        started_by=by,
        started_by_name=by.get_full_name() or by.get_username(),
        started_at=now,
        ends_at=ends_at,
    )
    _record(review, "second_review.started", ledger.Actor.person(by), now=now, reason=reason)
    wakeups.inbox_changed("")
    return review


@transaction.atomic
def end(*, review_id: str, reason: str, by: User, now: datetime) -> SecondReview:
    """End one before its time. Ending it twice changes nothing more. Raises as ``start`` does.

    What waits for a second person by then goes on waiting for one.
    """
    found = SecondReview.objects.select_related("reviewer").filter(public_id=review_id).first()
    if found is None:
        raise UnableToReview(gettext("There is no such second review."))
    by = _hold(by, found.reviewer)
    review = (
        SecondReview.objects.select_for_update(of=("self",))
        .select_related("reviewer", "action_type")
        .get(pk=found.pk)
    )
    reason = reason.strip()
    if by == review.reviewer:
        raise UnableToReview(gettext("Somebody else ends that: it is about your own answers."))
    if not reason:
        raise UnableToReview(gettext("Say why it ends."))
    if review.ended_at is not None:
        return review
    if review.ends_at <= now:
        _lapse(review, now=now)
        return review
    review.ended_at, review.ended_by, review.end_reason = now, by, reason
    review.ended_by_name = by.get_full_name() or by.get_username()
    review.save(update_fields=["ended_at", "ended_by", "ended_by_name", "end_reason"])
    _record(review, "second_review.ended", ledger.Actor.person(by), now=now, reason=reason)
    wakeups.inbox_changed("")
    return review


def end_due(*, now: datetime) -> int:
    """Note which are over; none of them counted from that moment on. Return how many this call noted."""
    return work_off(SecondReview.objects.filter(ended_at=None), due="ends_at", act=_end_due, now=now)


@transaction.atomic
def _end_due(pk: int, now: datetime) -> bool:
    review = (
        SecondReview.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("reviewer", "action_type")
        .filter(pk=pk, ended_at=None, ends_at__lte=now)
        .first()
    )
    if review is None:
        return False
    _lapse(review, now=now)
    return True


def _lapse(review: SecondReview, *, now: datetime) -> None:
    review.ended_at = review.ends_at
    review.save(update_fields=["ended_at"])
    _record(review, "second_review.lapsed", ledger.Actor.system("second reviews"), now=now)


def _hold(by: User, reviewer: User) -> User:
    """Hold whoever is concerned against answers of theirs; return the acting lead as they are now."""
    with connection.cursor() as cursor:
        # One order for all; whoever decides holds themselves shared (services.rights), and waits for this.
        cursor.execute(
            "SELECT 1 FROM auth_user WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
            [sorted({by.pk, reviewer.pk})],
        )
    return rights.current_holder(by, ADJUDICATE)


def _record(
    review: SecondReview, verb: str, actor: ledger.Actor, *, now: datetime, **said: JsonValue
) -> None:
    in_force = verb == "second_review.started"
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="second_review",
        object_id=review.public_id,
        payload={
            "reviewer": review.reviewer.get_username(),
            "action_type": review.action_type.name if review.action_type is not None else None,
            "ends_at": review.ends_at.isoformat(),
            "before": {"in_force": not in_force},
            "after": {"in_force": in_force},
            **said,
        },
        now=now,
    )

"""Pace: once in a sitting a person is told, and nobody else, that they go faster than one can read."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext

from hitl_site.lib.strict_json import JsonValue
from policies.services import ledger
from reviews.choices import PaceAnswer
from reviews.models import PaceNotice
from reviews.selectors import attention
from reviews.services.rights import current_reviewer

BREAK: Final = timedelta(minutes=5)


class NothingToAnswer(Exception):
    """No card waits for this person's word, and they take no break."""


@transaction.atomic
def notice(*, reviewer: User, now: datetime) -> PaceNotice | None:
    """Put up the card where the person's last answers were too fast to have been read; once in a sitting."""
    pace = attention.too_fast(reviewer, now=now)
    if pace is None:
        return None
    found, fresh = PaceNotice.objects.get_or_create(
        reviewer=reviewer,
        sitting_began_at=pace.sitting_began_at,
        defaults={"median_ms": pace.median_ms, "usual_ms": pace.usual_ms, "shown_at": now},
    )
    if not fresh:
        return None
    _record(
        "pace.noticed", found, {"median_ms": pace.median_ms, "usual_ms": pace.usual_ms}, by=reviewer, now=now
    )
    return found


@transaction.atomic
def answer(*, reviewer: User, said: PaceAnswer, now: datetime) -> PaceNotice:
    """Take the person's word: a break of five minutes, or on with it. To go on also ends a break.

    Raises ``NothingToAnswer``.
    """
    reviewer = current_reviewer(reviewer)
    mine = PaceNotice.objects.select_for_update(of=("self",)).filter(reviewer=reviewer)
    waiting = mine.filter(answer="").order_by("-id").first()
    if waiting is not None:
        waiting.answer, waiting.answered_at = said, now
        waiting.paused_until = now + BREAK if said == PaceAnswer.TAKE_FIVE else None
        waiting.save(update_fields=["answer", "answered_at", "paused_until"])
        _record("pace.answered", waiting, {"answer": said.value}, by=reviewer, now=now)
        return waiting
    resting = mine.filter(paused_until__gt=now).order_by("-id").first()
    if resting is None:
        raise NothingToAnswer(gettext("There is nothing to answer."))
    if said == PaceAnswer.GO_ON:
        resting.paused_until = None
        resting.save(update_fields=["paused_until"])
        _record("pace.break_ended", resting, {}, by=reviewer, now=now)
    return resting


def _record(verb: str, found: PaceNotice, payload: dict[str, JsonValue], *, by: User, now: datetime) -> None:
    ledger.record(
        actor=ledger.Actor.person(by),
        verb=verb,
        object_kind="pace_notice",
        object_id=str(found.pk),
        payload=payload,
        now=now,
    )

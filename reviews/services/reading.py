"""Reading: something risky runs only on an answer that can have been read, by the server's own clock."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from reviews.choices import DecisionKind
from reviews.models import ReviewItem
from reviews.selectors.attention import is_to_be_read
from reviews.services.answers import Answer, InvalidAnswer
from reviews.services.attention import Opening

LEAST_LOOK_MS: Final = 2000


class NotRead(InvalidAnswer):
    """A risky act would run on an answer that cannot have been read: its end, or two seconds, are missing."""


def check_read(item: ReviewItem, answer: Answer, opening: Opening | None, *, now: datetime) -> None:
    """Raise ``NotRead`` where something risky would run unread. To reject it, nothing has to be read."""
    if answer.kind == DecisionKind.REJECT or not is_to_be_read(item):
        return
    if opening is None or not opening.arguments_seen:
        raise NotRead("Go to the end of the proposal before you let this run: it is high risk.")
    if opening.milliseconds_until(now) < LEAST_LOOK_MS:
        raise NotRead("Look at it for at least two seconds before you let this run: it is high risk.")

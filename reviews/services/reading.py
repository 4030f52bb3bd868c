"""Reading: something risky runs only on an answer that can have been read, by the server's own clock."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from django.utils.translation import gettext

from reviews.choices import DecisionKind
from reviews.models import ReviewItem
from reviews.selectors.attention import is_to_be_read
from reviews.selectors.small_screens import needs_large_screen
from reviews.services.answers import Answer, InvalidAnswer
from reviews.services.attention import Opening
from reviews.services.open_items import UnableToDecide

LEAST_LOOK_MS: Final = 2000


class Channel(StrEnum):
    """Where an answer is given: kept with it."""

    WEB = "web"
    SMALL_SCREEN = "small_screen"


class SmallScreen(UnableToDecide):
    """Something critical would run on an answer from a telephone, which the policy does not allow."""


class NotRead(InvalidAnswer):
    """A risky act would run on an answer that cannot have been read: its end, or two seconds, are missing."""


def check_read(item: ReviewItem, answer: Answer, opening: Opening | None, *, now: datetime) -> None:
    """Raise ``NotRead`` where something risky would run unread. To reject it, nothing has to be read."""
    if answer.kind == DecisionKind.REJECT or not is_to_be_read(item):
        return
    if opening is None or not opening.arguments_seen:
        raise NotRead(gettext("Go to the end of the proposal before you let this run: it is high risk."))
    if opening.milliseconds_until(now) < LEAST_LOOK_MS:
        raise NotRead(
            gettext("Look at it for at least two seconds before you let this run: it is high risk.")
        )


def check_screen(item: ReviewItem, answer: Answer, channel: Channel) -> None:
    """Raise ``SmallScreen`` where something critical would run from a telephone. Rejecting works anywhere."""
    small = channel == Channel.SMALL_SCREEN and answer.kind != DecisionKind.REJECT
    if small and needs_large_screen(item):
        raise SmallScreen(gettext("This is critical: open it on a larger screen to let it run."))

"""Open items: the reasons for which it can be too late to act on one."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext

from reviews.choices import ItemKind, ItemStatus
from reviews.models import Decision, ReviewItem


class UnableToDecide(Exception):
    """The item cannot take this answer from this person now. Nothing has changed."""


class AlreadyDecided(UnableToDecide):
    """Somebody was first. ``decision`` is theirs, when there is one."""

    def __init__(self, message: str, decision: Decision | None = None) -> None:
        super().__init__(message)
        self.decision = decision


class TimeRanOut(UnableToDecide):
    """The deadline passed; the answer came too late."""


class Cancelled(UnableToDecide):
    """The agent took the action back, or a stop closed what was waiting."""


class StaleView(UnableToDecide):
    """What the person had before them is not what the item is now."""


class NotForDecision(UnableToDecide):
    """An incident is found out about and resolved; there is nothing to approve or reject."""


def check_open(item: ReviewItem, own: Decision | None, *, now: datetime) -> None:
    """Raise unless the item still takes an answer from somebody whose own answer so far is ``own``."""
    if item.kind == ItemKind.INCIDENT:
        raise NotForDecision(gettext("This is an incident: find out what happened and resolve it."))
    if item.status in {ItemStatus.RECORDED, ItemStatus.DECIDED}:
        first = item.decisions.filter(terminal=True, undone_at=None).first()
        raise AlreadyDecided(_who_decided(first, own), first)
    if item.status == ItemStatus.CANCELLED:
        raise Cancelled(gettext("The agent took this action back."))
    if item.kind == ItemKind.SECOND_OPINION:
        if item.status == ItemStatus.EXPIRED or item.due_at <= now:
            raise TimeRanOut(gettext("Time ran out for a second opinion; what was decided first stands."))
    elif item.status == ItemStatus.EXPIRED or (item.kind == ItemKind.GATE and item.due_at <= now):
        raise TimeRanOut(gettext("Time ran out; nothing will run."))
    if own is not None:
        raise AlreadyDecided(gettext("You have given your answer; it waits for another person."), own)


def _who_decided(first: Decision | None, own: Decision | None) -> str:
    if first is None:
        return gettext("This item has been decided already.")
    if own is not None and first.pk == own.pk:
        return gettext("You have decided this item already.")
    return gettext("{name} has decided this item already.").format(name=first.reviewer_name)

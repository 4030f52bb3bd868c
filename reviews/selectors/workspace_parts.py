"""The parts of the review page's read model: small facts that the page shows."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from hitl_site.lib.strict_json import JsonValue
from reviews.models import Decision
from reviews.selectors.difference import Difference
from reviews.selectors.earlier_refusal import EarlierRefusal


class Standing(StrEnum):
    """What the person may do with the item."""

    DECIDES = "decides"
    LOOKS = "looks"  # may see it, has no right to decide
    OWNS = "owns"  # owns the agent: somebody else decides
    BARRED = "barred"  # gave one of the answers that are asked about, or is no lead
    ANSWERED = "answered"  # has answered; another person is awaited
    CLOSED = "closed"  # nobody decides it any more


@dataclass(frozen=True)
class ReasonChoice:
    code: str
    label: str
    digit: str
    checked: bool


@dataclass(frozen=True)
class Check:
    """One line of the action type's check list."""

    number: int
    text: str
    checked: bool


@dataclass(frozen=True)
class RequiredCheck:
    """One line of the policy's check list: it must be ticked before the act may run."""

    text: str
    checked: bool


@dataclass(frozen=True)
class Repeated:
    """The refusal that this act repeats, and how the two attempts differ: cosmetically, if at all."""

    refusal: EarlierRefusal
    difference: Difference


@dataclass(frozen=True)
class Lease:
    """Who holds the item until when. ``mine`` is the viewer's own."""

    name: str
    mine: bool
    until: datetime


@dataclass(frozen=True)
class Given:
    """One approval of several that are needed. Of a blind item nobody learns by whom, or what it says."""

    name: str
    verb: str
    at: datetime
    digest: str  # of what they would have run


@dataclass(frozen=True)
class Approvals:
    required: int
    given: tuple[Given, ...]

    @property
    def agreed(self) -> int:
        """Return how many people have said the very same so far: they alone add up."""
        return max(Counter(given.digest for given in self.given).values(), default=0)


@dataclass(frozen=True)
class Ending:
    """How an item ended, or stands in its undo window. ``decision`` is None when nobody decided."""

    status: str
    at: datetime
    decision: Decision | None
    who: str
    verb: str
    mine: bool
    final: JsonValue

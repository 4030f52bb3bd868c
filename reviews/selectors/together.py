"""Items that may be decided together: which ones, and what is said of those that may not.

A drill is held like any other item and is told apart by nothing here; it is answered like the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext

from policies.choices import Risk
from reviews.choices import ItemKind, ItemStatus
from reviews.models import ReviewItem
from reviews.selectors.required_checks import required_checks
from reviews.selectors.row_facts import amount_of
from reviews.selectors.why import hold_reason

MOST: Final = 25


@dataclass(frozen=True)
class Together:
    """Items with what keeps them from being decided at once: ``problems`` is empty where nothing does."""

    items: Sequence[ReviewItem]
    problems: Sequence[str]


@dataclass(frozen=True)
class Total:
    """What items are worth together; ``unsaid`` of them name no amount."""

    currency: str
    amount: Decimal
    unsaid: int


def why_alone(item: ReviewItem) -> str:
    """Return why an item is decided by itself, "" where it may go together with others of its kind."""
    if item.kind != ItemKind.GATE or item.blind:
        return gettext("It is a check of its own.")
    if item.risk != Risk.LOW:
        return gettext("It is not of low risk.")
    if item.approvals_required > 1:
        return gettext("It takes more than one person.")
    action_type = item.action.action_type
    if action_type is None or not action_type.bulk_cap:
        return gettext("Its action type is decided one by one.")
    # What was held as harmless may be declared otherwise by now.
    return "" if action_type.risk == Risk.LOW else gettext("It is not of low risk.")


def among(items: Sequence[ReviewItem], *, asked: int | None = None) -> Together:
    """Say what keeps these items from being decided at once."""
    found: list[str] = []
    closed = sum(item.status != ItemStatus.OPEN for item in items)
    if not items:
        found.append(gettext("Nothing of it waits for you any more."))
    if asked is not None and asked > len(items) > 0:
        gone = gettext("{n} of {total} do not wait for you any more. Choose again.")
        found.append(gone.format(n=asked - len(items), total=asked))
    if closed:
        decided = gettext("{n} of {total} are decided already. Choose again.")
        found.append(decided.format(n=closed, total=len(items)))
    if len({item.action_type_name for item in items}) > 1:
        found.append(gettext("They are of different action types."))
    if len({_reason(item) for item in items}) > 1:
        found.append(gettext("They are held for different reasons."))
    cap = cap_of(items)
    if items and len(items) > cap > 0:
        most = gettext("At most {cap} of this action type go together; you chose {n}.")
        found.append(most.format(cap=cap, n=len(items)))
    for item in items:
        because = why_alone(item)
        if not because and required_checks(item.action):
            because = gettext("Its policy has a check list.")
        if because:
            found.append(f"{item.title}: {because}")
    return Together(items=items, problems=found)


def totals_of(items: Sequence[ReviewItem]) -> list[Total]:
    """Return what these are worth together, by what it is counted in, of types that declare their value."""
    found: dict[str, list[Decimal | None]] = {}
    for item in items:
        declared = item.action.action_type
        if declared is not None and declared.value_pointer:
            found.setdefault(declared.currency, []).append(amount_of(item))
    return [
        Total(currency, sum((each for each in amounts if each is not None), Decimal(0)), amounts.count(None))
        for currency, amounts in sorted(found.items())
        if amounts.count(None) < len(amounts)
    ]


def cap_of(items: Sequence[ReviewItem]) -> int:
    """Return how many of these may go together by their action type."""
    caps = [item.action.action_type.bulk_cap for item in items if item.action.action_type is not None]
    return min([*caps, MOST])


def _reason(item: ReviewItem) -> tuple[str, str]:
    first: dict[str, object] = next(iter(item.action.gate_check.reasons), {})
    return str(first.get("code", "")), hold_reason(first).title

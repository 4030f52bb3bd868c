"""What happened to an open item since a page of it was opened, in one sentence each."""

from __future__ import annotations

from datetime import datetime

from reviews.choices import DecisionKind
from reviews.models import ReviewItem
from reviews.selectors.turn import name_of
from reviews.selectors.workspace import VERBS


def changes_since(item: ReviewItem, since: datetime, *, hidden: bool) -> tuple[str, ...]:
    """Return what changed, oldest first. ``hidden``: of a blind item nobody learns by whom, or what."""
    found: list[tuple[datetime, str]] = []
    for decision in item.decisions.filter(decided_at__gt=since):
        said = f"{decision.reviewer_name} {VERBS[DecisionKind(decision.kind)]} it."
        found.append((decision.decided_at, "Somebody gave one of the answers it needs." if hidden else said))
    for decision in item.decisions.filter(undone_at__gt=since):
        who = "Somebody" if hidden else decision.reviewer_name
        found.append((decision.undone_at or since, f"{who} took an answer back."))
    for passed in item.escalations.filter(escalated_at__gt=since).select_related("to_user", "to_queue"):
        to = name_of(passed.to_user) if passed.to_user else f"the queue {passed.to_queue}"
        found.append((passed.escalated_at, f"{passed.reviewer_name} passed it on to {to}: {passed.note}"))
    return tuple(text for _, text in sorted(found, key=lambda change: change[0]))

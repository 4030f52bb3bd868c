"""What happened to an open item since a page of it was opened, in one sentence each."""

from __future__ import annotations

from datetime import datetime

from django.utils.translation import gettext

from reviews.models import ReviewItem
from reviews.selectors.turn import name_of
from reviews.selectors.verbs import verb_of


def changes_since(item: ReviewItem, since: datetime, *, hidden: bool) -> tuple[str, ...]:
    """Return what changed, oldest first. ``hidden``: of a blind item nobody learns by whom, or what."""
    found: list[tuple[datetime, str]] = []
    for decision in item.decisions.filter(decided_at__gt=since):
        said = gettext("{who} {verb} it.").format(who=decision.reviewer_name, verb=verb_of(decision.kind))
        found.append(
            (decision.decided_at, gettext("Somebody gave one of the answers it needs.") if hidden else said)
        )
    for decision in item.decisions.filter(undone_at__gt=since):
        who = gettext("Somebody") if hidden else decision.reviewer_name
        found.append((decision.undone_at or since, gettext("{who} took an answer back.").format(who=who)))
    for passed in item.escalations.filter(escalated_at__gt=since).select_related("to_user", "to_queue"):
        to = (
            name_of(passed.to_user)
            if passed.to_user
            else gettext("the queue {queue}").format(queue=passed.to_queue)
        )
        found.append(
            (
                passed.escalated_at,
                gettext("{who} passed it on to {receiver}: {note}").format(
                    who=passed.reviewer_name, receiver=to, note=passed.note
                ),
            )
        )
    return tuple(text for _, text in sorted(found, key=lambda change: change[0]))

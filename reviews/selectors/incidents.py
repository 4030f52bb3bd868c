"""Questions about incidents: which are open, and what is known of the run that each is about."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.utils.translation import gettext
from pydantic import JsonValue

from policies.models import LedgerPayload
from reviews.choices import IncidentKind
from reviews.models import Incident
from reviews.selectors import inbox, independence
from reviews.selectors.actions import Arguments, final_arguments
from reviews.selectors.story import Story, story

_REVIEW = "reviews.review_item"
_MOST_OPEN = 200


@dataclass(frozen=True)
class Told:
    """One incident with all that is known. ``ran_otherwise`` names what the agent says it ran, if it does.

    ``declared_difference`` is the patch from what was decided to what the permit was used with, under the
    binding that the action type declares. ``late`` says that the agent reported only after the incident was
    opened, so that its word came in hindsight.
    """

    incident: Incident
    decided: Arguments
    ran_otherwise: str
    declared_difference: JsonValue
    late: bool
    may_resolve: bool
    why_not: str
    story: Story


def visible_to(person: User) -> QuerySet[Incident]:
    """Return the incidents that a person may see: those who see items see them all."""
    found = Incident.objects.select_related("action__agent", "execution", "item")
    return found if inbox.may_look(person) else found.none()


def open_ones(person: User) -> list[Incident]:
    """Return what waits for somebody to find out, the longest first."""
    return list(visible_to(person).filter(resolution="").order_by("opened_at", "id")[:_MOST_OPEN])


def open_count() -> int:
    """Return how many incidents nobody has resolved."""
    return Incident.objects.filter(resolution="").count()


def resolved_ones(person: User) -> QuerySet[Incident]:
    """Return what was found out."""
    return visible_to(person).exclude(resolution="")


def told(*, incident_id: str, viewer: User) -> Told:
    """Return everything about one incident. Raises ``DoesNotExist``, also for those who may not look."""
    incident = (
        visible_to(viewer)
        .select_related("action__agent_version", "action__action_type", "execution__permit", "resolved_by")
        .get(public_id=incident_id)
    )
    execution = incident.execution
    why_not = _why_not(incident, viewer)
    return Told(
        incident=incident,
        decided=final_arguments(incident.action),
        ran_otherwise=_ran_otherwise(incident),
        declared_difference=_declared_difference(incident),
        late=_is_late(incident, reported_at=execution.outcome_at if execution.reported else None),
        may_resolve=not why_not,
        why_not=why_not,
        story=story(action_id=incident.action.public_id, viewer=viewer),
    )


def _why_not(incident: Incident, viewer: User) -> str:
    if incident.resolution:
        return gettext("It has been resolved.")
    if not viewer.has_perm(_REVIEW):
        return gettext("You may look; resolving it takes the right to decide review items.")
    if independence.owns(incident.action, viewer.pk):
        return gettext("You own this agent; somebody else finds out what it did.")
    return independence.why_not(incident.item, viewer)


def _ran_otherwise(incident: Incident) -> str:
    """Return the digest that the agent named and that nobody decided."""
    if incident.kind != IncidentKind.DIGEST_MISMATCH:
        return ""
    return str(incident.detail.get("executed_digest", ""))


def _declared_difference(incident: Incident) -> JsonValue:
    body = (
        LedgerPayload.objects.filter(
            entry__action_id=incident.action.public_id,
            entry__verb="permit.consumed",
            entry__object_id=incident.execution.permit.public_id,
        )
        .values_list("body", flat=True)
        .first()
    )
    found: JsonValue = body.get("declared_difference") if isinstance(body, dict) else None
    return found


def _is_late(incident: Incident, *, reported_at: datetime | None) -> bool:
    return (
        incident.kind == IncidentKind.OUTCOME_UNKNOWN
        and reported_at is not None
        and reported_at >= incident.opened_at
    )

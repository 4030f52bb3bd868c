"""Incidents: a run that was not what was decided, or whose end nobody knows. A person finds out.

An incident is no review: nothing of it is approved or rejected, it makes no decision, no observation and no
labelled case. It stands in the inbox until somebody says what happened, and that answer stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext
from pydantic import JsonValue

from hitl_site.lib import ids
from policies.choices import Risk, Trigger
from policies.services import ledger
from reviews.choices import IncidentKind, ItemKind, ItemStatus, Resolution
from reviews.models import ActionRequest, Execution, Incident, ReviewItem
from reviews.selectors import independence
from reviews.services import gatekeeping, wakeups
from reviews.services.rights import NotAllowed, current_reviewer

# Something may have gone wrong already: the sooner somebody looks, the more can be put right.
INCIDENT_TIME = timedelta(hours=4)
LONGEST_NOTE = 4_000


class UnableToResolve(Exception):
    """The incident cannot take this answer. Nothing has changed."""


class UnknownIncident(UnableToResolve):
    """There is no such incident."""


class AlreadyResolved(UnableToResolve):
    """Somebody was first, with another answer. ``incident`` holds theirs."""

    def __init__(self, incident: Incident) -> None:
        super().__init__(
            gettext("{name} has resolved this incident already.").format(name=incident.resolved_by_name)
        )
        self.incident = incident


class NoteMissing(UnableToResolve):
    """A finding without a word on how it was found helps nobody."""


@dataclass(frozen=True)
class Resolved:
    incident: Incident
    replayed: bool


@transaction.atomic
def open_incident(
    *, execution: Execution, kind: IncidentKind, detail: Mapping[str, JsonValue], now: datetime
) -> Incident:
    """Ask a person to find out about a run; one incident of each kind for a run, however often it is asked.

    The run's row is locked, so that two who find the same thing at once make one incident.
    """
    Execution.objects.select_for_update(of=("self",)).get(pk=execution.pk)
    earlier = Incident.objects.filter(execution=execution, kind=kind).first()
    if earlier is not None:
        return earlier
    action = ActionRequest.objects.select_related(
        "agent", "gate_check__policy_version", "gate_check__action_type"
    ).get(pk=execution.action_id)
    incident = Incident.objects.create(
        public_id=ids.new("inc"),
        kind=kind,
        action=action,
        execution=execution,
        item=_open_item(action, now=now),
        detail=dict(detail),
        opened_at=now,
    )
    ledger.record(
        actor=ledger.Actor.system(),
        verb="incident.opened",
        object_kind="incident",
        object_id=incident.public_id,
        action_id=action.public_id,
        payload={
            "kind": kind.value,
            "execution_id": execution.public_id,
            "item_id": incident.item.public_id,
            "detail": dict(detail),
        },
        now=now,
    )
    wakeups.inbox_changed(incident.item.public_id)
    return incident


@transaction.atomic
def resolve(
    *, incident_id: str, resolver: User, resolution: Resolution, note: str, now: datetime
) -> Resolved:
    """Record what a person found out. It needs the right to review, and the agent's owner never has it here.

    The same answer by the same person again changes nothing; another one is refused. Whatever was found, the
    permit stays used up: what did not run is proposed again.
    """
    resolver = current_reviewer(resolver)
    incident = _lock(incident_id)
    if independence.owns(incident.action, resolver.pk):
        raise NotAllowed(gettext("You own this agent; somebody else finds out what it did."))
    because = independence.why_not(incident.item, resolver)
    if because:
        raise NotAllowed(because)
    note = note.strip()
    if incident.resolution:
        same = (incident.resolved_by_id, incident.resolution, incident.note) == (
            resolver.pk,
            resolution,
            note,
        )
        if same:
            return Resolved(incident=incident, replayed=True)
        raise AlreadyResolved(incident)
    if not note:
        raise NoteMissing(gettext("Say how you found out."))
    if len(note) > LONGEST_NOTE:
        raise NoteMissing(gettext("At most {most} characters.").format(most=LONGEST_NOTE))
    incident.resolution = resolution
    incident.note = note
    incident.resolved_by = resolver
    incident.resolved_by_name = resolver.get_full_name() or resolver.get_username()
    incident.resolved_at = now
    incident.save(update_fields=["resolution", "note", "resolved_by", "resolved_by_name", "resolved_at"])
    _close(incident.item, now=now)
    ledger.record(
        actor=ledger.Actor.person(resolver),
        verb="incident.resolved",
        object_kind="incident",
        object_id=incident.public_id,
        action_id=incident.action.public_id,
        payload={
            "kind": incident.kind,
            "execution_id": incident.execution.public_id,
            "before": {"resolution": None},
            "after": {"resolution": resolution.value},
            "note": note,
        },
        now=now,
    )
    return Resolved(incident=incident, replayed=False)


def _open_item(action: ActionRequest, *, now: datetime) -> ReviewItem:
    check = action.gate_check
    # Where nobody declared the act, nobody can say that it is harmless.
    risk = Risk(check.action_type.risk) if check.action_type is not None else Risk.HIGH
    return ReviewItem.objects.create(
        public_id=ids.new("itm"),
        action=action,
        kind=ItemKind.INCIDENT,
        status=ItemStatus.OPEN,
        queue=gatekeeping.queue_of(gatekeeping.document_of(check).queue, now=now),
        # It happened: there is no answer that a score could lead anybody to.
        blind=False,
        approvals_required=1,
        action_type_name=action.action_type_name,
        agent=action.agent,
        risk=risk,
        risk_rank=gatekeeping.RISK_RANK[risk],
        trigger=Trigger.INCIDENT,
        title=action.title,
        due_at=now + INCIDENT_TIME,
        created_at=now,
    )


def _lock(incident_id: str) -> Incident:
    """Lock the action, the item, then the incident: the order of ``services.decisions``."""
    found = Incident.objects.filter(public_id=incident_id).values_list("action_id", "item_id").first()
    if found is None:
        raise UnknownIncident("There is no such incident.")
    action_pk, item_pk = found
    ActionRequest.objects.select_for_update(of=("self",)).get(pk=action_pk)
    ReviewItem.objects.select_for_update(of=("self",)).get(pk=item_pk)
    return (
        Incident.objects.select_for_update(of=("self",))
        .select_related("action__agent", "item", "execution__permit")
        .get(public_id=incident_id)
    )


def _close(item: ReviewItem, *, now: datetime) -> None:
    item.status = ItemStatus.DECIDED
    item.closed_at = now
    item.claimed_by = None
    item.lease_expires_at = None
    item.version += 1
    item.save(update_fields=["status", "closed_at", "claimed_by", "lease_expires_at", "version"])
    wakeups.inbox_changed(item.public_id)

"""Changes to declarations: what one takes, who stands for it, and which ones wait for somebody."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings

from policies.choices import PublicationState
from policies.models import (
    ActionType,
    AutonomyGrant,
    DeclarationApproval,
    DeclarationChange,
    GateCheck,
    PolicyVersion,
)
from policies.selectors import people
from policies.selectors.publications import Requirement, Standing, Supporter, needs_second_admin

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingChange:
    """One change that waits. ``waits_for_me`` says that the viewer has no part in it yet."""

    change: DeclarationChange
    standing: Standing
    waits_for_me: bool


def requirement(action_type: ActionType, loosening: Sequence[str]) -> Requirement:
    """Return how many people a change takes that loosens by this: as many as a looser policy of the type.

    What only tightens takes one. So does any change while nobody has relied on the declaration yet.
    """
    first = not is_relied_on(action_type)
    second = needs_second_admin(action_type)
    asks = bool(loosening) and not first
    return Requirement(
        people=(3 if second else 2) if asks and settings.FOUR_EYES else 1,
        loosening=tuple(loosening),
        second_admin=second and asks,
        four_eyes=settings.FOUR_EYES,
        first=first,
    )


def is_relied_on(action_type: ActionType) -> bool:
    """Say whether anything rests on the declaration: an action, a policy that was in force, a grant."""
    return (
        GateCheck.objects.filter(action_type=action_type).exists()
        or PolicyVersion.objects.filter(action_type=action_type, published_at__isnull=False).exists()
        or AutonomyGrant.objects.filter(action_type=action_type).exists()
    )


def standing(change: DeclarationChange, *, managers: Collection[int]) -> Standing:
    """Return who stands for a change; ``managers`` are the people who may declare at this moment."""
    supporters = []
    if change.asked_by_id is not None:
        supporters.append((change.asked_by_id, change.asked_by_name, "asked"))
    supporters += [
        (approval.person_id, approval.person_name, "approved")
        for approval in change.approvals.order_by("approved_at", "id")
        if approval.content_sha256 == change.content_sha256 and approval.person_id != change.asked_by_id
    ]
    return Standing(
        requirement=requirement(change.action_type, change.loosening),
        supporters=tuple(
            Supporter(person_id=number, name=name, roles=(role,), counts=number in managers)
            for number, name, role in supporters
        ),
    )


def people_of(change: DeclarationChange) -> set[int]:
    """Return the numbers of everybody who stands for a change."""
    named = {change.asked_by_id, *change.approvals.values_list("person_id", flat=True)}
    return {each for each in named if each is not None}


def by_id(public_id: str) -> DeclarationChange | None:
    """Return a change with its type."""
    return DeclarationChange.objects.select_related("action_type").filter(public_id=public_id).first()


def waiting_for(action_type: ActionType) -> DeclarationChange | None:
    """Return the one change of this type that waits, if any."""
    return (
        DeclarationChange.objects.select_related("action_type")
        .filter(action_type=action_type, state=PublicationState.OPEN)
        .first()
    )


def waiting_rows(person: User) -> list[WaitingChange]:
    """Return what waits for people, the oldest first, and whether this person could move it."""
    rows = []
    waiting = DeclarationChange.objects.select_related("action_type").filter(state=PublicationState.OPEN)
    for change in waiting.order_by("asked_at", "id"):
        stands = standing(change, managers=people.managers_among(people_of(change)))
        rows.append(WaitingChange(change=change, standing=stands, waits_for_me=not stands.includes(person)))
    return rows


def count_for(person: User) -> int:
    """Return how many changes wait that this person has no part in yet: one query."""
    approved = DeclarationApproval.objects.filter(person=person).values("change_id")
    waiting = DeclarationChange.objects.filter(state=PublicationState.OPEN)
    return waiting.exclude(asked_by=person).exclude(pk__in=approved).count()

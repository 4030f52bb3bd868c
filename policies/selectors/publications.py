"""Publications: what one takes, who stands for it, and which ones wait for somebody."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings

from hitl_site.lib.strict_json import JsonValue
from policies.choices import ALWAYS_REVIEWED_RISKS, PolicyState, PublicationState, Risk
from policies.engine.loosening import loosens
from policies.models import ActionType, PolicyVersion, Publication, PublicationApproval
from policies.selectors import policies

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirement:
    """How many different people a version takes to go live, and why.

    ``loosening`` says in sentences what it might let pass that is held now. A type that never had a policy
    in force is tightened by its first one: until then an operator has relied on nothing.
    """

    people: int
    loosening: tuple[str, ...]
    second_admin: bool
    four_eyes: bool
    first: bool

    @property
    def loosens(self) -> bool:
        return bool(self.loosening)


@dataclass(frozen=True, kw_only=True, slots=True)
class Supporter:
    """Somebody who stands for a publication; ``counts`` is False for who has lost the right."""

    person_id: int
    name: str
    roles: tuple[str, ...]
    counts: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How far a publication has come."""

    requirement: Requirement
    supporters: tuple[Supporter, ...]

    @property
    def counted(self) -> int:
        return sum(each.counts for each in self.supporters)

    @property
    def missing(self) -> int:
        return max(0, self.requirement.people - self.counted)

    def includes(self, person: User) -> bool:
        """Say whether this person stands for it already."""
        return any(each.person_id == person.pk for each in self.supporters)

    def document(self) -> dict[str, JsonValue]:
        """Return how many people it took and who they are, as the ledger says by what right it holds."""
        return {
            "four_eyes": "on" if self.requirement.four_eyes else "off",
            "people_required": self.requirement.people,
            "people": [
                {"id": str(each.person_id), "name": each.name, "roles": list(each.roles)}
                for each in self.supporters
                if each.counts
            ],
        }


def needs_second_admin(action_type: ActionType) -> bool:
    """Say whether every publication of this type takes a second person: as declared, else by its risk."""
    if action_type.second_admin is not None:
        return action_type.second_admin
    return Risk(action_type.risk) in ALWAYS_REVIEWED_RISKS


def requirement(version: PolicyVersion) -> Requirement:
    """Return what putting this version in force takes, against what is in force at this moment."""
    action_type = version.action_type
    live = policies.live_version(action_type)
    first = (
        live is None
        and not PolicyVersion.objects.filter(action_type=action_type, published_at__isnull=False).exists()
    )
    found: tuple[str, ...] = ()
    if not first:
        before = policies.live_document(live) if live is not None else None
        found = loosens(before, policies.live_document(version))
    second = needs_second_admin(action_type)
    people = (2 if second else 1) + (1 if found else 0)
    return Requirement(
        people=people if settings.FOUR_EYES else 1,
        loosening=found,
        second_admin=second,
        four_eyes=settings.FOUR_EYES,
        first=first,
    )


def standing(publication: Publication, *, managers: Collection[int]) -> Standing:
    """Return who stands for a publication; ``managers`` are the people who may publish at this moment.

    Only approvals of the very text count. An author counts for the text, whoever asked.
    """
    version = publication.version
    names: dict[int, str] = {}
    roles: dict[int, list[str]] = {}

    def add(person_id: int | None, name: str, role: str) -> None:
        if person_id is not None:
            names.setdefault(person_id, name)
            roles.setdefault(person_id, []).append(role)

    add(version.author_id, version.author_name, "wrote it")
    add(publication.asked_by_id, publication.asked_by_name, "asked")
    for approval in publication.approvals.order_by("approved_at", "id"):
        if approval.content_sha256 == publication.content_sha256 == version.content_sha256:
            add(approval.person_id, approval.person_name, "approved")
    supporters = tuple(
        Supporter(person_id=person_id, name=name, roles=tuple(roles[person_id]), counts=person_id in managers)
        for person_id, name in names.items()
    )
    return Standing(requirement=requirement(version), supporters=supporters)


def people_of(publication: Publication) -> set[int]:
    """Return the numbers of everybody who stands for a publication."""
    approvers = publication.approvals.values_list("person_id", flat=True)
    named = {publication.version.author_id, publication.asked_by_id, *approvers}
    return {each for each in named if each is not None}


def by_id(public_id: str) -> Publication | None:
    """Return a publication with its version and type."""
    return (
        Publication.objects.select_related("version__action_type", "action_type")
        .filter(public_id=public_id)
        .first()
    )


def waiting_for(action_type: ActionType) -> Publication | None:
    """Return the one publication of this type that waits, if any."""
    return (
        Publication.objects.select_related("version__action_type", "action_type")
        .filter(action_type=action_type, state=PublicationState.OPEN)
        .first()
    )


def all_waiting() -> list[Publication]:
    """Return every publication that waits, the oldest wish first."""
    return list(
        Publication.objects.select_related("version__action_type", "action_type")
        .filter(state=PublicationState.OPEN)
        .order_by("asked_at", "id")
    )


def waiting_by_type() -> Mapping[int, Publication]:
    """Return the waiting publications by the number of their action type."""
    return {publication.action_type_id: publication for publication in all_waiting()}


def count_for(person: User) -> int:
    """Return how many publications wait that this person has no part in yet: one query."""
    approved = PublicationApproval.objects.filter(person=person).values("publication_id")
    return (
        Publication.objects.filter(state=PublicationState.OPEN)
        .exclude(version__author=person)
        .exclude(asked_by=person)
        .exclude(pk__in=approved)
        .count()
    )


def due(*, now: datetime) -> list[Publication]:
    """Return the publications whose time has come, those that waited longest first."""
    return list(
        Publication.objects.select_related("version__action_type", "action_type")
        .filter(state=PublicationState.OPEN, publish_at__lte=now)
        .order_by("publish_at", "id")
    )


def is_publishable(version: PolicyVersion) -> bool:
    """Say whether a version may be put in force: a draft, or what is in shadow."""
    return version.state in {PolicyState.DRAFT, PolicyState.SHADOW}

"""How often agents leave something undone: of the conversations drawn at random, read by a person."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User
from django.db.models import Count, DateTimeField, Q, QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from datasets.choices import CheckFinding
from datasets.models import Conversation, ConversationCheck
from policies.models import AgentVersion
from policies.selectors import owners
from policies.statistics.intervals import clopper_pearson, hajek_rate

_ONE_SIDED = 0.025


@dataclass(frozen=True, slots=True)
class OmissionRate:
    """Of one agent version: conversations closed, read by a person, with something missing, and the rate.

    The rate weighs each conversation by 1 / the probability of its draw. ``low`` and ``high`` are 95% limits:
    exact (Clopper and Pearson) where all were drawn alike, else at the effective number.
    """

    agent_version: AgentVersion
    closed: int
    checked: int
    missing: int
    rate: float | None
    low: float
    high: float
    exact: bool


def rates(*, since: datetime | None = None, agent_version: AgentVersion | None = None) -> list[OmissionRate]:
    """Return the rate of every agent version that closed a conversation, by agent and version."""
    talks = Conversation.objects.all()
    if since is not None:
        talks = talks.filter(closed_at__gte=since)
    if agent_version is not None:
        talks = talks.filter(agent_version=agent_version)
    closed = dict(talks.order_by().values_list("agent_version").annotate(n=Count("pk")))
    answers: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    rows = ConversationCheck.objects.filter(conversation__in=talks).exclude(finding="")
    for version, propensity, finding in rows.values_list(
        "conversation__agent_version", "conversation__propensity", "finding"
    ):
        answers[version].append((propensity, finding == CheckFinding.MISSING))
    versions = AgentVersion.objects.filter(pk__in=closed).select_related("agent")
    return [
        _rate(version, closed[version.pk], answers[version.pk])
        for version in versions.order_by("agent__name", "first_seen_at", "pk")
    ]


def closed_by(version: AgentVersion, *, found: str = "") -> QuerySet[Conversation]:
    """Return the conversations behind a rate: all that a version closed, those read, or those with a gap."""
    talks = Conversation.objects.filter(agent_version=version)
    if found == "read":
        return talks.filter(audit__isnull=False).exclude(audit__finding="")
    return talks.filter(audit__finding=CheckFinding.MISSING) if found == "missing" else talks


def waiting(person: User) -> QuerySet[ConversationCheck]:
    """Return the checks that wait for this person, the oldest first: not of their own agents, none erased."""
    key = owners.key_of(person.pk)
    until = Cast(KeyTextTransform(key, "conversation__agent__former_owners"), DateTimeField())
    of_old = Q(conversation__agent__former_owners__has_key=key, conversation__closed_at__lt=until)
    return (
        ConversationCheck.objects.filter(finding="", conversation__messages__isnull=False)
        .exclude(Q(conversation__agent__owner=person) | of_old)
        .select_related("conversation__agent", "conversation__agent_version")
        .order_by("id")
    )


def _rate(version: AgentVersion, closed: int, answers: Iterable[tuple[float, bool]]) -> OmissionRate:
    found = list(answers)
    missing = sum(was_missing for _, was_missing in found)
    exact = len({propensity for propensity, _ in found}) <= 1
    if exact:
        low, high = clopper_pearson(missing, len(found))
        rate = missing / len(found) if found else None
    else:
        weighted = hajek_rate(
            [1 / propensity for propensity, _ in found],
            [float(was_missing) for _, was_missing in found],
            delta=_ONE_SIDED,
        )
        rate, low, high = weighted.rate, weighted.low, weighted.high
    return OmissionRate(version, closed, len(found), missing, rate, low, high, exact)

"""Questions about stops: which are engaged, and which were."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from hitl_site.lib.navigation import KillSwitchNotice
from hitl_site.lib.sentences import Sentences
from policies.choices import KillSwitchScope
from policies.models import Agent, AgentVersion, AutonomyGrant, GateCheck, KillSwitch, LedgerEntry

# Of ``policies.services.kill_switch``, as far as a form of ours can meet them.
_REFUSALS: Final = Sentences(
    _("This stop has been lifted already."),
    _("This is stopped already; a drill needs something that runs."),
)


@dataclass(frozen=True, slots=True)
class PastStop:
    """A stop that was lifted, and by whom."""

    stop: KillSwitch
    lifted_by: str


@dataclass(frozen=True, slots=True)
class AgentStop:
    """A stop that holds an agent: in words, where it is lifted, and whether it leaves the agent anything."""

    text: str
    url: str
    whole: bool


def live() -> QuerySet[KillSwitch]:
    """Return the stops in force, the oldest first."""
    return _named().filter(lifted_at=None).order_by("engaged_at", "id")


def lifted(*, limit: int = 20) -> list[PastStop]:
    """Return the stops that were lifted most lately, drills apart, with who lifted each.

    That is read from the ledger: it need not have been a person.
    """
    stops = list(_named().filter(lifted_at__isnull=False, drill=False).order_by("-lifted_at", "-id")[:limit])
    entries = LedgerEntry.objects.filter(
        verb="kill_switch.lifted", object_kind="kill_switch", object_id__in=[stop.public_id for stop in stops]
    )
    lifters = dict(entries.values_list("object_id", "actor_name"))
    return [PastStop(stop, lifters.get(stop.public_id, "")) for stop in stops]


def drills(*, limit: int = 20) -> list[KillSwitch]:
    """Return the latest drills, with how long each took to hold."""
    return list(_named().filter(drill=True, lifted_at__isnull=False).order_by("-engaged_at", "-id")[:limit])


def engaged() -> list[KillSwitchNotice]:
    """Return what the banner of every page says: one query, nothing in nearly every case."""
    stops = list(live())
    if not stops:
        return []
    url = reverse("policies:stop")
    return [
        KillSwitchNotice(
            text=_banner(stop),
            url=url,
        )
        for stop in stops
    ]


def of_agent(agent: Agent) -> list[AgentStop]:
    """Return the stops that hold this agent, the oldest first: of everything, of it, of types of its own.

    A type is its own where it has proposed an action of it or may run one alone. One query, no count.
    """
    proposed = GateCheck.objects.filter(
        action_type=OuterRef("action_type"), agent_version__in=AgentVersion.objects.filter(agent=agent)
    )
    granted = AutonomyGrant.objects.filter(
        action_type=OuterRef("action_type"), agent_version__agent=agent, ended_at=None
    )
    found = live().filter(
        Q(scope=KillSwitchScope.EVERYTHING)
        | Q(agent=agent)
        | Q(scope=KillSwitchScope.ACTION_TYPE) & (Exists(proposed) | Exists(granted))
    )
    page = reverse("policies:stop")
    return [
        AgentStop(
            text=_banner(stop),
            url=f"{page}#{stop.public_id}",
            whole=stop.scope != KillSwitchScope.ACTION_TYPE,
        )
        for stop in found
    ]


def what(stop: KillSwitch) -> str:
    """Return what a stop stops, as the beginning of a sentence."""
    if stop.scope == KillSwitchScope.AGENT and stop.agent:
        return gettext("The agent {name} is stopped").format(name=stop.agent.name)
    if stop.scope == KillSwitchScope.ACTION_TYPE and stop.action_type:
        return gettext("The action type {name} is stopped").format(name=stop.action_type.name)
    return gettext("Everything is stopped")


def refusal(message: str) -> str:
    """Return why a stop cannot be begun or lifted, to be shown: the API and commands say it in English."""
    return _REFUSALS(message)


def _banner(stop: KillSwitch) -> str:
    told = (
        gettext("Drill: {what}, by {name}: {reason}")
        if stop.drill
        else gettext("{what}, by {name}: {reason}")
    )
    return told.format(what=what(stop), name=stop.engaged_by_name, reason=stop.reason)


def _named() -> QuerySet[KillSwitch]:
    return KillSwitch.objects.select_related("agent", "action_type", "lift_asked_by")

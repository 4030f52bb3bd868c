"""Questions about stops: which are engaged, and which were."""

from __future__ import annotations

from django.db.models import QuerySet
from django.urls import reverse

from hitl_site.lib.navigation import KillSwitchNotice
from policies.choices import KillSwitchScope
from policies.models import KillSwitch


def live() -> QuerySet[KillSwitch]:
    """Return the stops in force, the oldest first."""
    return _named().filter(lifted_at=None).order_by("engaged_at", "id")


def lifted(*, limit: int = 20) -> list[KillSwitch]:
    """Return the stops that were lifted most lately."""
    return list(_named().filter(lifted_at__isnull=False).order_by("-lifted_at", "-id")[:limit])


def engaged() -> list[KillSwitchNotice]:
    """Return what the banner of every page says: one query, nothing in nearly every case."""
    stops = list(live())
    if not stops:
        return []
    url = reverse("policies:stop")
    return [
        KillSwitchNotice(text=f"{what(stop)}, by {stop.engaged_by_name}: {stop.reason}", url=url)
        for stop in stops
    ]


def what(stop: KillSwitch) -> str:
    """Return what a stop stops, as the beginning of a sentence."""
    if stop.scope == KillSwitchScope.AGENT and stop.agent:
        return f"The agent {stop.agent.name} is stopped"
    if stop.scope == KillSwitchScope.ACTION_TYPE and stop.action_type:
        return f"The action type {stop.action_type.name} is stopped"
    return "Everything is stopped"


def _named() -> QuerySet[KillSwitch]:
    return KillSwitch.objects.select_related("agent", "action_type", "lifted_by")

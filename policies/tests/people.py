"""People of every group, and a browser for each: for the tests of the pages."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Protocol

from django.test import Client

from hitl_site.groups import GROUPS
from policies.models import (
    ActionType,
    Agent,
    AgentKey,
    AutonomyGrant,
    AutonomyProposal,
    DeclarationApproval,
    DeclarationChange,
    KillSwitch,
    LedgerEntry,
    PolicyVersion,
    Publication,
    PublicationApproval,
)
from policies.tests.base import make_user

if TYPE_CHECKING:
    from django.contrib.auth.models import User

NOBODY = "nobody"
EVERYBODY = (*GROUPS, NOBODY)


class Answer(Protocol):
    """What a browser got back."""

    @property
    def content(self) -> bytes: ...


def text_of(answer: Answer) -> str:
    """Return a page as its reader sees the words of it."""
    return html.unescape(answer.content.decode())


def make_member(group: str) -> User:
    """Return a person who is in this group alone; in none for ``NOBODY``."""
    from django.contrib.auth.models import Group

    user = make_user(f"{group}-member")
    user.groups.set(Group.objects.filter(name=group))
    return user


def browser_of(user: User) -> Client:
    """Return a browser in which somebody has signed in."""
    client = Client()
    client.force_login(user)
    return client


def everything_stored() -> tuple[object, ...]:
    """Return what the pages can change, to compare before and after."""
    return (
        list(ActionType.objects.order_by("pk").values()),
        list(PolicyVersion.objects.order_by("pk").values()),
        list(Publication.objects.order_by("pk").values()),
        list(PublicationApproval.objects.order_by("pk").values()),
        list(DeclarationChange.objects.order_by("pk").values()),
        list(DeclarationApproval.objects.order_by("pk").values()),
        list(Agent.objects.order_by("pk").values()),
        list(AgentKey.objects.order_by("pk").values()),
        list(AutonomyGrant.objects.order_by("pk").values()),
        list(AutonomyProposal.objects.order_by("pk").values()),
        list(KillSwitch.objects.order_by("pk").values()),
        LedgerEntry.objects.count(),
    )

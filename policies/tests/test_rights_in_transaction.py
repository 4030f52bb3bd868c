"""A right that is taken away after the page was let in, and before the act: refused, and nothing changed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from hitl_site.lib.clock import database_now
from policies.choices import AutonomyLevel, KillSwitchScope
from policies.models import Agent, AgentKey, AgentVersion, AutonomyGrant, KillSwitch
from policies.selectors import people
from policies.services import agents, kill_switch
from policies.services.rights import NotAllowed, acting
from policies.tests.base import NOON, SYSTEM, make_user, trust
from policies.tests.people import browser_of, everything_stored, make_member

if TYPE_CHECKING:
    from policies.models import ActionType, PolicyVersion

pytestmark = pytest.mark.django_db

Act = tuple[str, tuple[str, ...], dict[str, str]]


@pytest.fixture
def somebody(refund_policy: PolicyVersion) -> User:
    return make_member("ops_admin")


@pytest.fixture
def browser(somebody: User) -> Client:
    return browser_of(somebody)


@pytest.fixture
def acts(
    refund: ActionType, refund_policy: PolicyVersion, clerk: Agent, clerk_v1: AgentVersion, alice: User
) -> dict[str, Act]:
    key, _ = agents.create_key(agent=clerk, scopes=["actions:create"], actor=SYSTEM, now=NOON)
    held = trust(clerk_v1, refund, alice)
    paused = agents.create_agent(name="porter", actor=SYSTEM, now=NOON)
    agents.pause_agent(agent=paused, reason="a look", actor=SYSTEM, now=NOON)
    stop = kill_switch.engage(
        scope=KillSwitchScope.ACTION_TYPE,
        action_type=refund,
        reason="A test",
        engaged_by=alice,
        now=database_now(),
    )
    of_clerk = (clerk.public_id,)
    return {
        "register": ("agent_new", (), {"name": "newcomer"}),
        "pause": ("agent_pause", of_clerk, {"state-reason": "Because"}),
        "resume": ("agent_resume", (paused.public_id,), {"state-reason": "Because"}),
        "retire": ("agent_retire", of_clerk, {"reason": "Because", "word": "clerk"}),
        "change": ("agent_change", of_clerk, {"details-max_pending": "5"}),
        "key": ("key_new", of_clerk, {"key-scopes": "actions:create"}),
        "rotate": ("key_rotate", (*of_clerk, key.public_id), {"overlap": "3600"}),
        "revoke": ("key_revoke", (*of_clerk, key.public_id), {}),
        "grant": (
            "autonomy_override",
            (clerk_v1.public_id, refund.name),
            {"override-level": AutonomyLevel.THRESHOLD, "override-reason": "Because"},
        ),
        "end": ("autonomy_end", (held.public_id,), {"end-reason": "Because"}),
        "stop": ("stop", (), {"scope": "everything", "reason": "Because", "word": "everything"}),
        "lift": ("lift", (stop.public_id,), {f"{stop.public_id}-reason": "Because"}),
    }


def test_who_loses_the_right_after_the_page_let_them_in_changes_nothing(
    somebody: User, browser: Client, acts: dict[str, Act], monkeypatch: pytest.MonkeyPatch
) -> None:
    look, looks = people.holders_among, list[str]()

    def too_late(ids: list[int], right: str) -> dict[int, User]:
        # The view has let them in; the act's own look comes now.
        somebody.groups.clear()
        looks.append(right)
        return look(ids, right)

    monkeypatch.setattr(people, "holders_among", too_late)
    for name, (page, args, typed) in acts.items():
        somebody.groups.set(Group.objects.filter(name="ops_admin"))
        before = everything_stored()
        assert browser.post(reverse(f"policies:{page}", args=args), typed).status_code == 403, name
        assert looks.pop() in {
            "policies.manage_agents",
            "policies.use_kill_switch",
            "policies.grant_autonomy",
        }
        assert everything_stored() == before, name


def test_with_the_right_the_same_does_something(browser: Client, acts: dict[str, Act]) -> None:
    for name in ("resume", "pause", "change", "key", "grant", "end", "rotate", "lift", "stop"):
        page, args, typed = acts[name]
        before = everything_stored()
        answer = browser.post(reverse(f"policies:{page}", args=args), typed)
        # A grant in place of another ends that one, so that there is nothing left to end.
        assert answer.status_code in ({409} if name == "end" else {200, 302}), name
        assert (everything_stored() != before) == (name != "end"), name


@pytest.mark.django_db(transaction=True)
def test_whoever_takes_the_right_away_meanwhile_waits_for_the_act() -> None:
    person = make_user("olga")
    person.groups.set(Group.objects.filter(name="ops_admin"))
    order: list[str] = []
    begun = threading.Event()

    def take_away() -> None:
        begun.wait(10)
        try:
            with transaction.atomic():
                person.groups.clear()
            order.append("taken")
        finally:
            connection.close()

    thread = threading.Thread(target=take_away)
    thread.start()
    with acting(person, "policies.manage_agents"):
        begun.set()
        thread.join(0.3)
        order.append("acted")
    thread.join(10)
    assert order == ["acted", "taken"]
    with pytest.raises(NotAllowed), acting(person, "policies.manage_agents"):
        order.append("never")
    assert order == ["acted", "taken"]
    assert not AutonomyGrant.objects.exists()
    assert not KillSwitch.objects.exists()
    assert not AgentKey.objects.exists()

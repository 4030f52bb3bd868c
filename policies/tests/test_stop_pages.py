"""The kill switch on its page: two steps to stop, one with a reason to lift, and a banner meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client

from policies.choices import KillSwitchScope
from policies.models import ActionType, Agent, KillSwitch
from policies.selectors import kill_switches
from policies.services import kill_switch
from policies.tests.base import NOON, recorded
from policies.tests.people import browser_of, make_member, text_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(db: None) -> Client:
    return browser_of(make_member("ops_admin"))


def test_the_first_step_stops_nothing_and_asks_for_the_word(browser: Client, clerk: Agent) -> None:
    form = {"scope": "agent", "agent": clerk.public_id, "reason": "It loops"}
    answer = browser.post("/stop/", form)
    assert answer.status_code == 200
    assert answer.context["word"] == "clerk"
    for name, value in form.items():
        assert f'name="{name}" value="{value}"' in answer.content.decode()
    assert not KillSwitch.objects.exists()


@pytest.mark.parametrize("word", ["", "Clerk", "everything", "clerk2"])
def test_another_word_stops_nothing(browser: Client, clerk: Agent, word: str) -> None:
    form = {"scope": "agent", "agent": clerk.public_id, "reason": "It loops", "word": word}
    answer = browser.post("/stop/", form)
    assert answer.status_code == 422
    assert "Nothing was stopped" in text_of(answer)
    assert 'name="reason" value="It loops"' in answer.content.decode()
    assert not KillSwitch.objects.exists()


@pytest.mark.parametrize(
    ("scope", "named", "word", "text"),
    [
        ("everything", {}, "everything", "Everything is stopped, by ops_admin-member: Because"),
        ("agent", {"agent": ""}, "clerk", "The agent clerk is stopped, by ops_admin-member: Because"),
        (
            "action_type",
            {"action_type": "refund.issue"},
            "refund.issue",
            "The action type refund.issue is stopped, by ops_admin-member: Because",
        ),
    ],
)
def test_the_word_stops_what_was_chosen(
    browser: Client,
    clerk: Agent,
    refund: ActionType,
    scope: str,
    named: dict[str, str],
    word: str,
    text: str,
) -> None:
    if "agent" in named:
        named = {"agent": clerk.public_id}
    answer = browser.post("/stop/", {"scope": scope, **named, "reason": "Because", "word": f" {word} "})
    assert answer.status_code == 302
    stop = KillSwitch.objects.get()
    assert (stop.scope, stop.reason) == (scope, "Because")
    assert (stop.agent, stop.action_type) == (
        clerk if scope == "agent" else None,
        refund if scope == "action_type" else None,
    )
    assert [(notice.text, notice.url) for notice in kill_switches.engaged()] == [(text, "/stop/")]


def test_what_the_scope_does_not_name_is_left_out(browser: Client, clerk: Agent, refund: ActionType) -> None:
    """The lists of agents and types keep what was chosen in them before the scope was changed."""
    both = {"agent": clerk.public_id, "action_type": "refund.issue", "reason": "Because"}
    browser.post("/stop/", {"scope": "everything", **both, "word": "everything"})
    stop = KillSwitch.objects.get()
    assert (stop.scope, stop.agent, stop.action_type) == ("everything", None, None)


@pytest.mark.parametrize(
    "form",
    [
        {"reason": "Because", "word": "everything"},
        {"scope": "everything", "reason": " ", "word": "everything"},
        {"scope": "agent", "reason": "Because", "word": "everything"},
        {"scope": "agent", "agent": "agt_0", "reason": "Because", "word": "everything"},
        {"scope": "action_type", "reason": "Because", "word": "everything"},
        {"scope": "galaxy", "reason": "Because", "word": "everything"},
    ],
)
def test_a_stop_that_says_too_little_is_refused(browser: Client, form: dict[str, str]) -> None:
    assert browser.post("/stop/", form).status_code == 422
    assert not KillSwitch.objects.exists()


def test_a_stop_is_lifted_with_a_reason_and_once(browser: Client, alice: User) -> None:
    stop = kill_switch.engage(scope=KillSwitchScope.EVERYTHING, reason="A drill", engaged_by=alice, now=NOON)
    url, form = f"/stop/{stop.public_id}/lift/", {f"{stop.public_id}-reason": "It is over"}
    assert browser.post(url, {}).status_code == 422
    assert KillSwitch.objects.get().lifted_at is None
    assert browser.post(url, form).status_code == 302
    assert browser.post(url, form).status_code == 409
    lifted = KillSwitch.objects.get()
    assert lifted.lift_reason == "It is over"
    assert len(recorded("kill_switch.lifted")) == 1
    assert kill_switches.engaged() == []
    assert "It is over" in text_of(browser.get("/stop/"))


def test_everybody_can_read_what_is_stopped_and_only_some_get_forms(alice: User) -> None:
    kill_switch.engage(scope=KillSwitchScope.EVERYTHING, reason="A drill", engaged_by=alice, now=NOON)
    reader = browser_of(make_member("reviewer")).get("/stop/").content.decode()
    admin = browser_of(make_member("ops_admin")).get("/stop/").content.decode()
    assert "A drill" in reader
    assert "/lift/" not in reader
    assert 'name="scope"' not in reader
    assert "/lift/" in admin


def test_the_page_comes_filled_from_its_address(browser: Client, clerk: Agent) -> None:
    page = browser.get(f"/stop/?agent={clerk.public_id}").content.decode()
    assert f'<option value="{clerk.public_id}" selected>' in page


def test_the_banner_costs_one_query(alice: User, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_num_queries(1):
        assert kill_switches.engaged() == []
    kill_switch.engage(scope=KillSwitchScope.EVERYTHING, reason="A drill", engaged_by=alice, now=NOON)
    with django_assert_num_queries(1):
        assert len(kill_switches.engaged()) == 1

"""The kill switch on its page: two steps to stop, one with a reason to lift, and a banner meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from pytest_django import Settings

from policies.choices import KillSwitchScope
from policies.models import ActionType, Agent, KillSwitch
from policies.selectors import kill_switches
from policies.services import kill_switch
from policies.tests.base import NOON, make_user, recorded
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


def test_closing_what_waits_is_chosen_on_the_first_step_and_kept_on_the_second(browser: Client) -> None:
    form = {"scope": "everything", "reason": "Because", "pending": "reject"}
    asked = browser.post("/stop/", form)
    assert 'name="pending" value="reject"' in asked.content.decode()
    assert "is closed as denied" in text_of(asked)
    assert not KillSwitch.objects.exists()
    browser.post("/stop/", {**form, "word": "everything"})
    stop = KillSwitch.objects.get()
    assert stop.reject_pending
    assert "Closing what waits for a person" in text_of(browser.get("/stop/"))
    part = browser.get(f"/stop/{stop.public_id}/pending/")
    assert f'hx-get="/stop/{stop.public_id}/pending/"' in part.content.decode()
    KillSwitch.objects.update(pending_closed=3, pending_closed_at=NOON)
    part = browser.get(f"/stop/{stop.public_id}/pending/")
    assert '<span class="num">3</span> actions.' in text_of(part)
    assert "hx-get" not in part.content.decode()


def test_a_drill_closes_nothing(browser: Client) -> None:
    answer = browser.post(
        "/stop/",
        {
            "scope": "everything",
            "reason": "Because",
            "pending": "reject",
            "drill": "on",
            "word": "everything",
        },
    )
    assert answer.status_code == 422
    assert "A drill closes nothing" in text_of(answer)
    assert not KillSwitch.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_drill_takes_two_steps_and_is_shown_with_its_time(refund: ActionType) -> None:
    from hitl_site.groups import make_groups

    make_groups()
    browser = browser_of(make_member("ops_admin"))
    form = {"scope": "action_type", "action_type": "refund.issue", "reason": "Practice", "drill": "on"}
    asked = browser.post("/stop/", form)
    assert "the stop lifts itself" in text_of(asked)
    assert not KillSwitch.objects.exists()
    assert browser.post("/stop/", {**form, "word": "refund.issue"}).status_code == 302
    stop = KillSwitch.objects.get()
    assert (stop.drill, stop.lifted_at is not None) == (True, True)
    page = browser.get("/stop/")
    assert [each.public_id for each in page.context["drills"]] == [stop.public_id]
    assert page.context["lifted"] == []
    assert page.context["live"] == []
    assert "The stop held after" in text_of(page)


def test_where_two_have_to_lift_the_first_one_only_asks(
    browser: Client, alice: User, settings: Settings
) -> None:
    settings.LIFT_NEEDS_SECOND = "everything"
    stop = kill_switch.engage(scope=KillSwitchScope.EVERYTHING, reason="Odd", engaged_by=alice, now=NOON)
    assert "Two people have to lift this stop" in text_of(browser.get("/stop/"))
    url, form = f"/stop/{stop.public_id}/lift/", {f"{stop.public_id}-reason": "It is over"}
    for _ in range(2):
        assert browser.post(url, form).status_code == 302
        assert KillSwitch.objects.get().lifted_at is None
    page = browser.get("/stop/")
    assert "You have asked to lift it." in text_of(page)
    assert "/lift/" not in page.content.decode()
    assert len(recorded("kill_switch.lift_asked")) == 1

    second = make_user("second")
    second.groups.set(Group.objects.filter(name="ops_admin"))
    other = browser_of(second)
    assert "Lift the stop" in text_of(other.get("/stop/"))
    assert other.post(url, form).status_code == 302
    assert KillSwitch.objects.get().lifted_at is not None
    assert recorded("kill_switch.lifted")[0]["asked_by"] == "ops_admin-member"
    assert "second and ops_admin-member" in text_of(browser.get("/stop/"))


def test_a_stop_of_one_agent_is_lifted_by_one_person_all_the_same(
    browser: Client, alice: User, clerk: Agent, settings: Settings
) -> None:
    settings.LIFT_NEEDS_SECOND = "everything"
    stop = kill_switch.engage(
        scope=KillSwitchScope.AGENT, agent=clerk, reason="Odd", engaged_by=alice, now=NOON
    )
    browser.post(f"/stop/{stop.public_id}/lift/", {f"{stop.public_id}-reason": "It is over"})
    assert KillSwitch.objects.get().lifted_at is not None


@pytest.mark.parametrize("address", ["/stop/", "/agents/", "/nowhere/", "/django-admin-is-not-here/"])
def test_the_banner_stands_on_every_page_also_where_nothing_is(
    browser: Client, alice: User, address: str
) -> None:
    kill_switch.engage(scope=KillSwitchScope.EVERYTHING, reason="Odd refunds", engaged_by=alice, now=NOON)
    assert "Everything is stopped, by alice: Odd refunds" in text_of(browser.get(address))


def test_the_banner_stands_where_somebody_may_not_go_and_not_before_the_sign_in(alice: User) -> None:
    kill_switch.engage(scope=KillSwitchScope.EVERYTHING, reason="Odd refunds", engaged_by=alice, now=NOON)
    refused = browser_of(make_member("reviewer")).get("/agents/new/")
    assert refused.status_code == 403
    assert "Everything is stopped, by alice: Odd refunds" in text_of(refused)
    assert "Odd refunds" not in text_of(Client().get("/login/"))
    assert "Odd refunds" not in text_of(Client().get("/nowhere/"))

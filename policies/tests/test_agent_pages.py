"""Agents on their pages: keys that are shown once, pausing, and the levels in force."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING

import pytest
from django.contrib.sessions.models import Session
from django.test import Client
from django.urls import reverse

from hitl_site.lib.clock import database_now
from policies.choices import AgentState, AutonomyLevel, KillSwitchScope
from policies.models import ActionType, Agent, AgentKey, AgentVersion, LedgerPayload
from policies.selectors import kill_switches
from policies.services import agents, autonomy, gate, kill_switch
from policies.tests.base import NOON, SYSTEM, make_agent, make_proposal, recorded, trust
from policies.tests.people import browser_of, make_member, text_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db


@pytest.fixture
def browser(db: None) -> Client:
    return browser_of(make_member("ops_admin"))


def page_of(agent: Agent) -> str:
    return f"/agents/{agent.public_id}/"


def test_an_agent_is_registered(browser: Client, alice: User) -> None:
    answer = browser.post("/agents/new/", {"name": "clerk", "owner": alice.pk, "description": "Refunds"})
    agent = Agent.objects.get()
    assert answer.headers["Location"] == page_of(agent)
    assert (agent.name, agent.owner, agent.description) == ("clerk", alice, "Refunds")
    assert recorded("agent.created")[0]["owner"] == "alice"


def test_a_name_that_is_taken_is_refused_at_its_field(browser: Client, clerk: Agent) -> None:
    answer = browser.post("/agents/new/", {"name": "clerk", "description": "Another"})
    assert answer.status_code == 422
    assert "There is an agent named clerk already." in text_of(answer)
    assert "Another" in text_of(answer)
    assert Agent.objects.count() == 1


def test_a_key_is_shown_once_and_kept_nowhere(browser: Client, clerk: Agent) -> None:
    form = {"key-scopes": ["actions:create", "actions:read"], "key-environments": "production, staging"}
    answer = browser.post(f"{page_of(clerk)}keys/", form)
    token = answer.context["token"]
    assert f'value="{token}"' in answer.content.decode()
    assert answer.headers["Cache-Control"] == "no-store"
    key = agents.authenticate(token=token, now=database_now())
    assert (key.scopes, key.environments) == (["actions:create", "actions:read"], ["production", "staging"])
    assert token not in browser.get(page_of(clerk)).content.decode()
    secret = token.split("_")[3]
    kept = [str(session.get_decoded()) for session in Session.objects.all()]
    kept += [str(payload.body) for payload in LedgerPayload.objects.all()]
    assert not [text for text in kept if secret in text]


def test_a_key_can_expire(browser: Client, clerk: Agent) -> None:
    browser.post(f"{page_of(clerk)}keys/", {"key-scopes": ["actions:create"], "key-expires_in": "30"})
    key = AgentKey.objects.get()
    assert key.expires_at == key.created_at + timedelta(days=30)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"key-scopes": ["everything"]},
        {"key-scopes": ["actions:create"], "key-expires_in": "7"},
        {"key-scopes": ["actions:create"], "key-environments": "x" * 41},
    ],
)
def test_a_key_that_cannot_be_is_refused(browser: Client, clerk: Agent, form: dict[str, object]) -> None:
    assert browser.post(f"{page_of(clerk)}keys/", form).status_code == 422
    assert not AgentKey.objects.exists()


def test_a_revoked_key_opens_nothing_and_is_shown_as_such(browser: Client, clerk: Agent) -> None:
    key, token = agents.create_key(agent=clerk, scopes=["actions:create"], actor=SYSTEM, now=NOON)
    assert browser.post(f"{page_of(clerk)}keys/{key.public_id}/revoke/").status_code == 302
    with pytest.raises(agents.UnknownKey):
        agents.authenticate(token=token, now=database_now())
    page = browser.get(page_of(clerk))
    assert [row.state for row in page.context["keys"]] == ["revoked"]
    assert "/revoke/" not in page.content.decode()


def test_a_key_of_another_agent_is_not_found_here(browser: Client, clerk: Agent) -> None:
    other, _ = make_agent("other")
    key, _ = agents.create_key(agent=other, scopes=["actions:create"], actor=SYSTEM, now=NOON)
    assert browser.post(f"{page_of(clerk)}keys/{key.public_id}/revoke/").status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is None


def test_pausing_and_resuming_need_a_reason_that_is_on_record(browser: Client, clerk: Agent) -> None:
    assert browser.post(f"{page_of(clerk)}pause/", {"state-reason": " "}).status_code == 422
    assert Agent.objects.get().state == AgentState.ACTIVE
    browser.post(f"{page_of(clerk)}pause/", {"state-reason": "It loops"})
    assert Agent.objects.get().state == AgentState.PAUSED
    assert browser.post(f"{page_of(clerk)}resume/", {}).status_code == 422
    browser.post(f"{page_of(clerk)}resume/", {"state-reason": "Mended"})
    assert Agent.objects.get().state == AgentState.ACTIVE
    assert recorded("agent.paused")[0]["reason"] == "It loops"
    assert recorded("agent.resumed")[0]["reason"] == "Mended"


def test_a_retired_agent_stays_retired(browser: Client, clerk: Agent) -> None:
    agents.retire_agent(agent=clerk, reason="Replaced", actor=SYSTEM, now=NOON)
    answer = browser.post(f"{page_of(clerk)}resume/", {"state-reason": "Come back"})
    assert answer.status_code == 409
    assert "clerk is retired." in text_of(answer)
    assert Agent.objects.get().state == AgentState.RETIRED


def test_a_grant_is_shown_with_who_gave_it_and_ends_from_here(
    browser: Client, clerk: Agent, clerk_v1: AgentVersion, refund: ActionType, alice: User
) -> None:
    granted = trust(clerk_v1, refund, alice)
    page = browser.get(page_of(clerk))
    (row,) = page.context["levels"]
    assert (row.level, row.grant) == (AutonomyLevel.THRESHOLD, granted)
    assert "Not certified" in text_of(page)
    assert "by alice" in text_of(page)
    url = reverse("policies:autonomy_end", args=[granted.public_id])
    assert f'action="{url}"' in page.content.decode()
    assert browser.post(url, {"end-reason": "It drifted"}).status_code == 302
    assert [entry["reason"] for entry in recorded("autonomy.ended")] == ["It drifted"]
    page = browser.get(page_of(clerk))
    (row,) = page.context["levels"]
    assert (row.level, row.grant) == (AutonomyLevel.REVIEW_ALL, None)
    assert url not in page.content.decode()


def test_the_page_shows_the_levels_of_the_version_asked_for(
    browser: Client, clerk: Agent, clerk_v1: AgentVersion, refund: ActionType, alice: User
) -> None:
    trust(clerk_v1, refund, alice, level=AutonomyLevel.AUTONOMOUS)
    newer = agents.see_version(agent=clerk, label="2.0", now=NOON + timedelta(days=1))
    page = browser.get(page_of(clerk))
    assert page.context["chosen"] == newer
    assert [row.level for row in page.context["levels"]] == [AutonomyLevel.REVIEW_ALL]
    page = browser.get(f"{page_of(clerk)}?version={clerk_v1.public_id}")
    assert [row.level for row in page.context["levels"]] == [AutonomyLevel.AUTONOMOUS]
    assert browser.get(f"{page_of(clerk)}?version=nonsense").context["chosen"] == newer


def test_a_cap_that_was_lowered_afterwards_cuts_the_level_that_is_shown(
    browser: Client, clerk: Agent, clerk_v1: AgentVersion, refund: ActionType, alice: User
) -> None:
    from policies.services import action_types

    trust(clerk_v1, refund, alice, level=AutonomyLevel.AUTONOMOUS)
    action_types.change(action_type=refund, autonomy_cap=AutonomyLevel.REVIEW_ALL, actor=SYSTEM, now=NOON)
    page = browser.get(page_of(clerk))
    assert [row.level for row in page.context["levels"]] == [AutonomyLevel.REVIEW_ALL]
    assert "cut by the cap from Autonomous" in text_of(page)


def test_a_grant_that_lapsed_is_not_in_force(
    browser: Client, clerk: Agent, clerk_v1: AgentVersion, refund: ActionType, alice: User
) -> None:
    autonomy.grant(
        agent_version=clerk_v1,
        action_type=refund,
        level=AutonomyLevel.THRESHOLD,
        reason="For a minute",
        granted_by=alice,
        expires_at=NOON + timedelta(minutes=1),
        now=NOON,
    )
    assert [row.grant for row in browser.get(page_of(clerk)).context["levels"]] == [None]


def test_the_list_counts_what_may_run(browser: Client, clerk: Agent, alice: User) -> None:
    other, _ = make_agent("other")
    make_agent("third")
    agents.pause_agent(agent=clerk, reason="A pause", actor=SYSTEM, now=NOON)
    kill_switch.engage(scope=KillSwitchScope.AGENT, agent=other, reason="A stop", engaged_by=alice, now=NOON)
    agents.create_key(agent=clerk, scopes=["actions:create"], actor=SYSTEM, now=NOON)
    agents.create_key(
        agent=clerk, scopes=["actions:create"], expires_at=NOON + timedelta(days=1), actor=SYSTEM, now=NOON
    )
    page = browser.get("/agents/")
    assert page.context["running"] == 1
    rows = {row.agent.name: (row.versions, row.live_keys, row.stopped) for row in page.context["rows"]}
    assert rows == {"clerk": (1, 1, False), "other": (1, 0, True), "third": (1, 0, False)}


def state_of(page: str) -> str:
    """Return the words of the card that says what an agent is doing."""
    card = page[page.index('aria-labelledby="state"') : page.index("<dl")]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", card.partition(">")[2])).split())


def test_a_stopped_agent_does_not_say_that_it_runs_and_says_what_stopped_it(
    browser: Client, clerk: Agent, alice: User
) -> None:
    """Stopped is more than paused here: nobody need find out elsewhere why nothing goes through."""
    assert state_of(browser.get(page_of(clerk)).content.decode()) == "State Running"
    stop = kill_switch.engage(
        scope=KillSwitchScope.EVERYTHING, reason="A <b>leak</b>", engaged_by=alice, now=NOON
    )
    page = browser.get(page_of(clerk)).content.decode()
    assert state_of(page) == "State Stopped Everything is stopped, by alice: A <b>leak</b> Details"
    link = f"/stop/#{stop.public_id}"
    assert f'<a href="{link}">' in page
    assert f'id="{stop.public_id}"' in browser.get("/stop/").content.decode()
    german = browser.get(page_of(clerk), headers={"accept-language": "de"}).content.decode()
    assert state_of(german) == "Zustand Gestoppt Alles ist gestoppt, durch alice: A <b>leak</b> Einzelheiten"
    assert "A <b>leak</b>" not in page

    agents.pause_agent(agent=clerk, reason="A pause", actor=SYSTEM, now=NOON)
    assert state_of(browser.get(page_of(clerk)).content.decode()).startswith(
        "State Paused Stopped Everything"
    )
    kill_switch.lift(kill_switch=stop, reason="Over", actor=SYSTEM, now=NOON)
    assert state_of(browser.get(page_of(clerk)).content.decode()) == "State Paused"


def test_a_stop_of_another_agent_or_of_a_type_it_never_meets_is_not_its_own(
    browser: Client, clerk: Agent, clerk_v1: AgentVersion, refund: ActionType, alice: User
) -> None:
    other, _ = make_agent("other")
    for scope in ({"agent": other}, {"action_type": refund}):
        name = KillSwitchScope.AGENT if "agent" in scope else KillSwitchScope.ACTION_TYPE
        kill_switch.engage(scope=name, **scope, reason="A stop", engaged_by=alice, now=NOON)
    assert state_of(browser.get(page_of(clerk)).content.decode()) == "State Running"
    assert state_of(browser.get(page_of(other)).content.decode()) == (
        "State Stopped The agent other is stopped, by alice: A stop Details"
    )

    # Once it may run one of that type alone, the stop takes something from it, and leaves it the rest.
    trust(clerk_v1, refund, alice)
    assert state_of(browser.get(page_of(clerk)).content.decode()) == (
        "State Running Stopped in part The action type refund.issue is stopped, by alice: A stop Details"
    )


def test_a_type_that_it_has_proposed_is_its_own(
    clerk: Agent, clerk_v1: AgentVersion, refund: ActionType
) -> None:
    kill_switch.engage(
        scope=KillSwitchScope.ACTION_TYPE, action_type=refund, reason="A stop", actor=SYSTEM, now=NOON
    )
    assert kill_switches.of_agent(clerk) == []
    gate.check(proposal=make_proposal(clerk_v1), now=NOON)
    assert [(each.whole, each.text) for each in kill_switches.of_agent(clerk)] == [
        (False, "The action type refund.issue is stopped, by handrail: A stop")
    ]


def test_an_agent_that_is_not_there_is_not_found(browser: Client) -> None:
    assert browser.get("/agents/agt_0/").status_code == 404
    assert browser.post("/agents/agt_0/pause/", {"state-reason": "x"}).status_code == 404


def test_a_key_is_replaced_and_both_are_good_until_the_overlap_is_over(browser: Client, clerk: Agent) -> None:
    old, old_token = agents.create_key(
        agent=clerk,
        scopes=["actions:create"],
        environments=["staging"],
        addresses=["192.0.2.7"],
        actor=SYSTEM,
        now=database_now(),
    )
    answer = browser.post(f"{page_of(clerk)}keys/{old.public_id}/rotate/", {"overlap": "3600"})
    token, new = answer.context["token"], answer.context["key"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert (new.scopes, new.environments, new.addresses) == (
        ["actions:create"],
        ["staging"],
        ["192.0.2.7/32"],
    )
    assert new.replaces == old
    old.refresh_from_db()
    ends = new.created_at + timedelta(hours=1)
    assert (old.expires_at, new.expires_at) == (ends, None)
    just_before = ends - timedelta(seconds=1)
    for good in (old_token, token):
        agents.authenticate(token=good, address="192.0.2.7", now=just_before)
    with pytest.raises(agents.UnknownKey):
        agents.authenticate(token=old_token, address="192.0.2.7", now=ends)
    agents.authenticate(token=token, address="192.0.2.7", now=ends)
    (entry,) = recorded("key.replaced")
    assert entry["before"] == {"expires_at": None}
    assert entry["after"] == {"expires_at": ends.isoformat()}


def test_never_more_than_two_keys_of_one_line_are_good(browser: Client, clerk: Agent) -> None:
    first, _ = agents.create_key(agent=clerk, scopes=["actions:create"], actor=SYSTEM, now=database_now())
    second = browser.post(f"{page_of(clerk)}keys/{first.public_id}/rotate/", {"overlap": "86400"}).context[
        "key"
    ]
    for key in (first, second):
        refused = browser.post(f"{page_of(clerk)}keys/{key.public_id}/rotate/", {"overlap": "3600"})
        assert refused.status_code == 409
    assert AgentKey.objects.count() == 2
    browser.post(f"{page_of(clerk)}keys/{first.public_id}/revoke/")
    third = browser.post(f"{page_of(clerk)}keys/{second.public_id}/rotate/", {"overlap": "0"})
    assert third.status_code == 200
    second.refresh_from_db()
    assert second.expires_at == third.context["key"].created_at


def test_a_key_that_ended_or_an_overlap_that_is_none_changes_nothing(browser: Client, clerk: Agent) -> None:
    key, _ = agents.create_key(agent=clerk, scopes=["actions:create"], actor=SYSTEM, now=database_now())
    url = f"{page_of(clerk)}keys/{key.public_id}/rotate/"
    assert browser.post(url, {"overlap": "5"}).status_code == 422
    assert browser.post(url, {}).status_code == 422
    browser.post(f"{page_of(clerk)}keys/{key.public_id}/revoke/")
    assert browser.post(url, {"overlap": "3600"}).status_code == 409
    assert AgentKey.objects.count() == 1


@pytest.mark.parametrize("address", ["300.1.1.1", "192.0.2.0/33", "192.0.2.1/24", "home", "::1::"])
def test_an_address_that_is_none_makes_no_key(browser: Client, clerk: Agent, address: str) -> None:
    form = {"key-scopes": ["actions:create"], "key-addresses": address}
    answer = browser.post(f"{page_of(clerk)}keys/", form)
    assert answer.status_code == 409
    assert "is not a network" in text_of(answer)
    assert not AgentKey.objects.exists()


def test_retiring_takes_a_page_a_reason_and_the_name(browser: Client, clerk: Agent) -> None:
    _, token = agents.create_key(agent=clerk, scopes=["actions:create"], actor=SYSTEM, now=database_now())
    url = f"{page_of(clerk)}retire/"
    assert "stays retired" in text_of(browser.get(url))
    for form in ({}, {"reason": "Replaced"}, {"reason": "Replaced", "word": "other"}, {"word": "clerk"}):
        assert browser.post(url, form).status_code == 422
        assert Agent.objects.get().state == AgentState.ACTIVE
    assert browser.post(url, {"reason": "Replaced", "word": "clerk"}).status_code == 302
    assert Agent.objects.get().state == AgentState.RETIRED
    with pytest.raises(agents.UnknownKey):
        agents.authenticate(token=token, now=database_now())
    assert "/retire/" not in browser.get(page_of(clerk)).content.decode()
    again = browser.post(url, {"reason": "Again", "word": "clerk"})
    assert again.status_code == 302
    assert len(recorded("agent.retired")) == 1


def test_limits_are_set_with_what_they_were_before_on_record(
    browser: Client, clerk: Agent, alice: User
) -> None:
    form = {"details-owner": str(alice.pk), "details-rate_per_minute": "600", "details-max_pending": "50"}
    assert browser.post(f"{page_of(clerk)}details/", form).status_code == 302
    agent = Agent.objects.get()
    assert (agent.owner, agent.rate_per_minute, agent.rate_burst, agent.max_pending) == (alice, 600, None, 50)
    (entry,) = recorded("agent.changed")
    assert entry["before"] == {"owner": None, "rate_per_minute": None, "max_pending": None}
    assert entry["after"] == {"owner": "alice", "rate_per_minute": 600, "max_pending": 50}
    # The same again changes nothing and is no entry.
    browser.post(f"{page_of(clerk)}details/", form)
    assert len(recorded("agent.changed")) == 1


@pytest.mark.parametrize("limit", ["0", "-1", "x", "10000001", "1.5"])
def test_a_limit_that_is_none_is_refused_at_its_field(browser: Client, clerk: Agent, limit: str) -> None:
    form = {"details-max_pending": limit, "details-description": "Refunds"}
    answer = browser.post(f"{page_of(clerk)}details/", form)
    assert answer.status_code == 422
    assert "Refunds" in text_of(answer)
    assert Agent.objects.get().max_pending is None


def test_versions_are_told_apart_by_their_fingerprint(browser: Client, clerk: Agent) -> None:
    claim = agents.VersionClaim(label="1.0", model="m-2026")
    version = agents.see_version(agent=clerk, claim=claim, now=NOON + timedelta(days=1))
    page = text_of(browser.get(page_of(clerk)))
    assert version.fingerprint.removeprefix("sha256:")[:8] in page
    assert "m-2026" in page


def test_who_may_declare_policies_may_not_therefore_make_keys(clerk: Agent) -> None:
    from django.contrib.auth.models import Permission

    user = make_member("nobody")
    user.user_permissions.add(Permission.objects.get(codename="manage_policies"))
    browser = browser_of(user)
    for address in (f"{page_of(clerk)}keys/", f"{page_of(clerk)}details/", f"{page_of(clerk)}retire/"):
        assert browser.post(address, {"key-scopes": ["actions:create"]}).status_code == 403
    assert not AgentKey.objects.exists()

"""Keys: shown once, kept as a MAC, found with one query, gone when revoked."""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.conf import settings

from policies.models import Agent, AgentKey, LedgerEntry
from policies.services import agents
from policies.services.agents import keys
from policies.tests.base import NOON, SYSTEM, recorded

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db

SCOPES = ["actions:create", "actions:read"]


def make_key(agent: Agent, **fields: object) -> tuple[AgentKey, str]:
    return agents.create_key(agent=agent, scopes=SCOPES, actor=SYSTEM, now=NOON, **fields)  # type: ignore[arg-type]  # any field


def last_character_changed(token: str, place: int) -> str:
    return token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]


def test_a_key_has_its_documented_form_and_is_stored_as_a_mac_alone(clerk: Agent) -> None:
    _, token = make_key(clerk, environments=["production"])
    assert re.fullmatch(r"hr_live_[0-9A-Za-z]{8}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}", token)
    body = token.rpartition("_")[0]
    expected = hmac.new(settings.AGENT_KEY_PEPPER, body.encode(), hashlib.sha256).digest()
    stored = AgentKey.objects.get()
    assert bytes(stored.secret_hmac) == expected
    assert (stored.scopes, stored.environments) == (SCOPES, ["production"])
    assert stored.lookup == token.split("_")[2]
    assert token.split("_")[3] not in str(recorded("key.created"))


def test_a_key_opens_with_one_query_once_its_use_is_noted(
    clerk: Agent, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    key, token = make_key(clerk)
    agents.authenticate(token=token, now=NOON)
    with django_assert_num_queries(1):
        found = agents.authenticate(token=token, now=NOON + timedelta(seconds=59))
        assert (found, found.agent.name) == (key, "clerk")
    assert AgentKey.objects.get().last_used_at == NOON
    agents.authenticate(token=token, now=NOON + timedelta(seconds=60))
    assert AgentKey.objects.get().last_used_at == NOON + timedelta(seconds=60)
    assert Agent.objects.get().last_seen_at == NOON + timedelta(seconds=60)


@pytest.mark.parametrize("place", [0, 8, 15, 17, 30, 59, 61, 66])
def test_a_key_with_one_wrong_character_is_unknown(clerk: Agent, place: int) -> None:
    _, token = make_key(clerk)
    with pytest.raises(agents.UnknownKey):
        agents.authenticate(token=last_character_changed(token, place), now=NOON)
    assert AgentKey.objects.get().last_used_at is None


@pytest.mark.parametrize("token", ["", "hr_live_", "Bearer x", "hr_live_" + "é" * 8, "\x00", "a" * 10_000])
def test_what_is_no_key_asks_the_database_nothing(
    token: str, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0), pytest.raises(agents.UnknownKey):
        agents.authenticate(token=token, now=NOON)


def test_a_key_with_another_secret_and_a_right_checksum_is_unknown(clerk: Agent) -> None:
    _, token = make_key(clerk)
    _, other = make_key(clerk)
    forged = "_".join(["hr", "live", token.split("_")[2], other.split("_")[3]])
    forged = f"{forged}_{keys._checksum(forged)}"
    with pytest.raises(agents.UnknownKey):
        agents.authenticate(token=forged, now=NOON)


def test_a_key_ends_when_it_says_so(clerk: Agent) -> None:
    _, token = make_key(clerk, expires_at=NOON + timedelta(hours=1))
    agents.authenticate(token=token, now=NOON + timedelta(minutes=59))
    with pytest.raises(agents.UnknownKey):
        agents.authenticate(token=token, now=NOON + timedelta(hours=1))


def test_a_revoked_key_is_unknown_and_another_one_still_opens(clerk: Agent) -> None:
    key, token = make_key(clerk)
    _, second = make_key(clerk)
    agents.revoke_key(key=key, actor=SYSTEM, now=NOON)
    agents.revoke_key(key=key, actor=SYSTEM, now=NOON + timedelta(hours=1))
    with pytest.raises(agents.UnknownKey):
        agents.authenticate(token=token, now=NOON)
    assert agents.authenticate(token=second, now=NOON).agent == clerk
    assert AgentKey.objects.get(pk=key.pk).revoked_at == NOON
    assert LedgerEntry.objects.filter(verb="key.revoked").count() == 1


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"scopes": ["actions:create", "actions:everything"]}, "Unknown scope actions:everything; there are"),
        ({"scopes": []}, "at least one"),
        ({"expires_at": NOON}, "in the future"),
    ],
)
def test_an_impossible_key_is_not_made(clerk: Agent, fields: dict[str, object], why: str) -> None:
    asked: dict[str, object] = {"scopes": SCOPES, **fields}
    with pytest.raises(agents.UnableToCreateKey, match=why):
        agents.create_key(agent=clerk, actor=SYSTEM, now=NOON, **asked)  # type: ignore[arg-type]  # any field
    assert not AgentKey.objects.exists()


def test_a_paused_agent_signs_in_and_a_retired_one_does_not(clerk: Agent) -> None:
    _, token = make_key(clerk)
    agents.pause_agent(agent=clerk, reason="odd", actor=SYSTEM, now=NOON)
    assert agents.authenticate(token=token, now=NOON).agent.state == "paused"
    agents.resume_agent(agent=clerk, reason="fine", actor=SYSTEM, now=NOON)
    agents.retire_agent(agent=clerk, reason="replaced", actor=SYSTEM, now=NOON)
    with pytest.raises(agents.UnknownKey):
        agents.authenticate(token=token, now=NOON)
    with pytest.raises(agents.AgentRetired):
        agents.resume_agent(agent=clerk, reason="again", actor=SYSTEM, now=NOON)
    verbs = list(
        LedgerEntry.objects.filter(object_kind="agent").order_by("id").values_list("verb", flat=True)
    )
    assert verbs == ["agent.created", "agent.paused", "agent.resumed", "agent.retired"]


def test_a_name_belongs_to_one_agent(clerk: Agent) -> None:
    with pytest.raises(agents.NameTaken):
        agents.create_agent(name=" clerk ", actor=SYSTEM, now=NOON)
    for name in ("", "x" * 121, "cle\x1brk"):
        with pytest.raises(agents.UnableToCreateAgent):
            agents.create_agent(name=name, actor=SYSTEM, now=NOON)
    assert Agent.objects.count() == 1
    assert LedgerEntry.objects.filter(verb="agent.created").count() == 1


def test_a_version_is_noted_once(clerk: Agent, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    first = agents.see_version(agent=clerk, label="2.0", now=NOON)
    with django_assert_num_queries(1):
        assert agents.see_version(agent=clerk, label="2.0", now=NOON + timedelta(days=1)) == first
    assert first.first_seen_at == NOON
    assert agents.see_version(agent=clerk, label=" ", now=NOON).label == "unversioned"
    with pytest.raises(agents.InvalidVersion):
        agents.see_version(agent=clerk, label="x" * 121, now=NOON)
    assert [seen["label"] for seen in recorded("agent.version_seen")] == ["1.0", "2.0", "unversioned"]

"""The commands: what they print, what they refuse, and that a refusal leaves nothing behind."""

from __future__ import annotations

import io

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from hitl_site.lib.clock import database_now
from policies.models import Agent, AgentKey
from policies.services import agents
from policies.tests.base import make_user

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[list[str], str]:
    """Run a command; return the lines of its stdout, and its stderr."""
    out, err = io.StringIO(), io.StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    return out.getvalue().splitlines(), err.getvalue()


def test_create_agent_prints_the_key_alone() -> None:
    out, err = run("create_agent", "clerk", "--scopes", "actions:create, actions:read", "--print-key")
    key = agents.authenticate(token=out[-1], now=database_now())
    assert len(out) == 1
    assert "Made the agent clerk" in err
    assert (key.agent.name, key.scopes) == ("clerk", ["actions:create", "actions:read"])


def test_create_agent_gives_an_agent_that_is_there_a_further_key() -> None:
    first, _ = run("create_agent", "clerk", "--print-key")
    second, err = run("create_agent", "clerk", "--print-key", "--environments", "test", "--expires-days", "3")
    assert "Found the agent clerk" in err
    assert Agent.objects.count() == 1
    for token in (first[-1], second[-1]):
        agents.authenticate(token=token, now=database_now())
    run("create_agent", "clerk", "--no-key")
    assert AgentKey.objects.count() == 2
    assert AgentKey.objects.order_by("id")[1].environments == ["test"]


def test_create_agent_tells_the_key_without_a_flag_too() -> None:
    make_user("alice")
    out, err = run("create_agent", "clerk", "--owner", "alice", "--description", "Refunds")
    assert err == ""
    agents.authenticate(token=out[-1], now=database_now())
    agent = Agent.objects.get()
    assert (agent.owner and agent.owner.username, agent.description) == ("alice", "Refunds")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["clerk", "--scopes", "actions:fly"], "Unknown scope actions:fly; there are actions:create, "),
        (["clerk", "--scopes", ","], "at least one"),
        (["clerk", "--owner", "nobody"], "no user named nobody"),
        (["clerk", "--expires-days", "0"], "from 1 up"),
        ([" "], "1 to 120"),
    ],
)
def test_create_agent_refuses_and_leaves_nothing(arguments: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        run("create_agent", *arguments)
    assert not Agent.objects.exists()


def test_create_user_prints_a_random_password_alone() -> None:
    out, err = run("create_user", "rita", "--group", "reviewer", "--group", "lead")
    user = User.objects.get()
    assert user.check_password(out[-1])
    assert "Made the user rita" in err
    assert set(user.groups.values_list("name", flat=True)) == {"reviewer", "lead"}
    assert user.has_perm("reviews.review_item")
    assert not user.is_superuser


def test_create_user_takes_a_password_from_the_environment_or_stdin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HANDRAIL_USER_PASSWORD", "from the environment")
    assert run("create_user", "rita", "--superuser")[0] == []
    monkeypatch.setattr("sys.stdin", io.StringIO("from the stdin\n"))
    assert run("create_user", "omar", "--password-stdin")[0] == []
    rita, omar = User.objects.order_by("id")
    assert rita.check_password("from the environment")
    assert rita.is_superuser
    assert omar.check_password("from the stdin")
    assert not omar.is_superuser


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["rita", "--group", "kings"], "no group named kings; there are auditor, lead"),
        (["", "--group", "lead"], "cannot be blank"),
        (["no spaces allowed"], "valid username"),
    ],
)
def test_create_user_refuses_and_leaves_nothing(arguments: list[str], why: str) -> None:
    with pytest.raises(CommandError, match=why):
        run("create_user", *arguments)
    assert not User.objects.exists()


def test_create_user_refuses_a_weak_password_an_empty_stdin_and_a_taken_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HANDRAIL_USER_PASSWORD", "short")
    with pytest.raises(CommandError, match="too short"):
        run("create_user", "rita")
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    with pytest.raises(CommandError, match="No password"):
        run("create_user", "rita", "--password-stdin")
    assert not User.objects.exists()
    make_user("rita")
    monkeypatch.delenv("HANDRAIL_USER_PASSWORD")
    with pytest.raises(CommandError, match="already"):
        run("create_user", "rita", "--superuser")
    assert not User.objects.get().is_superuser

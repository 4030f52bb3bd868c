"""The kill switch from the command line: exit codes, and what it says."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from policies.models import ActionType, Agent, KillSwitch, LedgerEntry

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("arguments", "scope", "said"),
    [
        (["everything"], "everything", "Everything is stopped."),
        (["agent", "clerk"], "agent", "The agent clerk is stopped."),
        (["action-type", "refund.issue"], "action_type", "The action type refund.issue is stopped."),
    ],
)
def test_a_stop_is_one_command_and_so_is_its_end(
    clerk: Agent, refund: ActionType, arguments: list[str], scope: str, said: str
) -> None:
    told = run("stop", *arguments, "--reason", "odd", "--reject-pending")
    stop = KillSwitch.objects.get()
    assert (stop.scope, stop.reason, stop.reject_pending, stop.lifted_at) == (scope, "odd", True, None)
    assert said in told
    assert f"manage.py lift {stop.public_id}" in told
    assert run("lift", stop.public_id, "--reason", "over").startswith("Lifted.")
    stop.refresh_from_db()
    assert stop.lift_reason == "over"
    actors = LedgerEntry.objects.filter(object_id=stop.public_id).values_list("actor_kind", "actor_name")
    assert set(actors) == {("system", "command line")}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["everything", "clerk", "--reason", "odd"], 2),
        (["agent", "--reason", "odd"], 2),
        (["agent", "nobody", "--reason", "odd"], 1),
        (["action-type", "clerk", "--reason", "odd"], 1),
        (["everything", "--reason", " "], 1),
    ],
)
def test_a_command_that_cannot_be_stops_nothing_and_says_so_by_its_code(
    clerk: Agent, arguments: list[str], code: int
) -> None:
    with pytest.raises(CommandError) as refused:
        run("stop", *arguments)
    assert refused.value.returncode == code
    assert not KillSwitch.objects.exists()


def test_lifting_what_is_not_there_names_what_is(clerk: Agent) -> None:
    run("stop", "agent", "clerk", "--reason", "odd")
    with pytest.raises(CommandError, match=r"In force: kil_[0-9a-f]{32} \(The agent clerk is stopped\)"):
        run("lift", "kil_0", "--reason", "over")
    stop = KillSwitch.objects.get()
    run("lift", stop.public_id, "--reason", "over")
    with pytest.raises(CommandError, match="lifted already"):
        run("lift", stop.public_id, "--reason", "over")


@pytest.mark.django_db(transaction=True)
def test_a_drill_from_the_command_line_says_how_long_it_took(clerk: Agent) -> None:
    told = run("stop", "agent", "clerk", "--reason", "practice", "--drill")
    stop = KillSwitch.objects.get()
    assert told == f"It held after {stop.held_after_ms} ms, and is lifted again.\n"
    assert stop.lifted_at is not None
    run("stop", "agent", "clerk", "--reason", "for real")
    with pytest.raises(CommandError, match="stopped already"):
        run("stop", "agent", "clerk", "--reason", "practice", "--drill")

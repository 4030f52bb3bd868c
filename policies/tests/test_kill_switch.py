"""The kill switch: engaged by one person or two at once, lifted once, and waited for by nobody for long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import Group
from pytest_django import Settings

from policies.choices import KillSwitchScope
from policies.models import ActionType, Agent, KillSwitch, LedgerEntry
from policies.services import kill_switch
from policies.services.ledger import Actor
from policies.tests.base import NOON, make_agent, make_user, recorded

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db


def stop_everything(alice: User) -> KillSwitch:
    return kill_switch.engage(
        scope=KillSwitchScope.EVERYTHING, reason="odd refunds", engaged_by=alice, now=NOON
    )


def admin(name: str) -> User:
    person = make_user(name)
    person.groups.set(Group.objects.filter(name="ops_admin"))
    return person


def test_a_stop_covers_its_scope_and_nothing_else(clerk: Agent, refund: ActionType, alice: User) -> None:
    other, _ = make_agent("other")
    kill_switch.engage(scope=KillSwitchScope.AGENT, agent=clerk, reason="odd", engaged_by=alice, now=NOON)
    assert kill_switch.stopped(agent_id=clerk.pk, action_type_id=refund.pk)
    assert kill_switch.stopped(agent_id=clerk.pk, action_type_id=None)
    assert not kill_switch.stopped(agent_id=other.pk, action_type_id=refund.pk)
    kill_switch.engage(
        scope=KillSwitchScope.ACTION_TYPE, action_type=refund, reason="odd", engaged_by=alice, now=NOON
    )
    assert kill_switch.stopped(agent_id=other.pk, action_type_id=refund.pk)
    assert not kill_switch.stopped(agent_id=other.pk, action_type_id=None)
    stop_everything(alice)
    assert kill_switch.stopped(agent_id=other.pk, action_type_id=None)


def test_engaging_twice_is_one_stop(alice: User) -> None:
    assert stop_everything(alice) == stop_everything(alice)
    assert KillSwitch.objects.count() == 1
    assert LedgerEntry.objects.filter(verb="kill_switch.engaged").count() == 1


def test_a_stop_is_lifted_once_and_can_be_engaged_again(alice: User) -> None:
    stop = stop_everything(alice)
    lifted = kill_switch.lift(kill_switch=stop, reason="found it", lifted_by=alice, now=NOON)
    assert (lifted.lifted, lifted.stop.lifted_at, lifted.stop.lift_reason) == (True, NOON, "found it")
    with pytest.raises(kill_switch.NotEngaged):
        kill_switch.lift(kill_switch=stop, reason="again", lifted_by=alice, now=NOON)
    assert stop_everything(alice) != stop
    verbs = (
        LedgerEntry.objects.filter(object_kind="kill_switch").order_by("id").values_list("verb", flat=True)
    )
    assert list(verbs) == ["kill_switch.engaged", "kill_switch.lifted", "kill_switch.engaged"]


def test_a_stop_names_exactly_what_it_stops_and_why(clerk: Agent, alice: User) -> None:
    with pytest.raises(kill_switch.InvalidStop):
        kill_switch.engage(scope=KillSwitchScope.AGENT, reason="odd", engaged_by=alice, now=NOON)
    with pytest.raises(kill_switch.InvalidStop):
        kill_switch.engage(
            scope=KillSwitchScope.EVERYTHING, agent=clerk, reason="odd", engaged_by=alice, now=NOON
        )
    with pytest.raises(kill_switch.InvalidStop):
        kill_switch.engage(scope=KillSwitchScope.EVERYTHING, reason=" ", engaged_by=alice, now=NOON)
    stop = stop_everything(alice)
    with pytest.raises(kill_switch.InvalidStop):
        kill_switch.lift(kill_switch=stop, reason="", lifted_by=alice, now=NOON)
    assert KillSwitch.objects.get().lifted_at is None


def test_who_wants_what_is_stopped_stopped_as_well_is_on_record_once_with_their_reason(alice: User) -> None:
    stop = stop_everything(alice)
    bob = make_user("bob")
    for reason in ("letters to nobody", "still"):
        again = kill_switch.engage(scope=KillSwitchScope.EVERYTHING, reason=reason, engaged_by=bob, now=NOON)
        assert again == stop
    assert [told["reason"] for told in recorded("kill_switch.engaged_again")] == ["letters to nobody"]
    assert LedgerEntry.objects.get(verb="kill_switch.engaged_again").actor_id == str(bob.pk)
    for name in ("command line", "handrail", "handrail"):
        kill_switch.engage(scope=KillSwitchScope.EVERYTHING, reason=name, actor=Actor.system(name), now=NOON)
    reasons = [told["reason"] for told in recorded("kill_switch.engaged_again")]
    assert reasons == ["letters to nobody", "command line", "handrail"]


def test_a_wish_to_lift_does_not_outlive_a_stop_that_comes_after_it(alice: User, settings: Settings) -> None:
    settings.LIFT_NEEDS_SECOND = "everything"
    stop = stop_everything(alice)
    bob, carol = admin("bob"), admin("carol")
    assert not kill_switch.lift(kill_switch=stop, reason="over", lifted_by=bob, now=NOON).lifted
    stop_everything(alice)  # it is not over
    first = kill_switch.lift(kill_switch=stop, reason="over", lifted_by=carol, now=NOON)
    assert (first.lifted, first.stop.lift_asked_by) == (False, carol)
    (told,) = recorded("kill_switch.engaged_again")
    assert (told["before"], told["after"]) == ({"lift_asked_by": "bob"}, {"lift_asked_by": None})
    assert kill_switch.lift(kill_switch=stop, reason="over", lifted_by=bob, now=NOON).lifted


def test_whoever_may_not_stop_any_more_is_not_the_first_of_two_who_lift(
    alice: User, settings: Settings
) -> None:
    settings.LIFT_NEEDS_SECOND = "everything"
    stop = stop_everything(alice)
    bob, carol, dora = admin("bob"), admin("carol"), admin("dora")
    assert not kill_switch.lift(kill_switch=stop, reason="over", lifted_by=bob, now=NOON).lifted
    bob.groups.clear()
    first = kill_switch.lift(kill_switch=stop, reason="over", lifted_by=carol, now=NOON)
    assert (first.lifted, first.stop.lift_asked_by) == (False, carol)
    assert kill_switch.lift(kill_switch=stop, reason="over", lifted_by=dora, now=NOON).lifted
    assert recorded("kill_switch.lifted")[0]["asked_by"] == "carol"

"""A stop that closes what waits, and a drill: what follows from either, and what does not."""

from __future__ import annotations

import pytest

from hitl_site.lib.clock import database_now
from policies.choices import KillSwitchScope
from policies.models import KillSwitch, LedgerEntry, Observation
from policies.services import drills, kill_switch
from policies.services.ledger import Actor
from reviews.choices import ActionState, DecisionKind, ItemKind, ItemStatus
from reviews.models import ActionRequest, Decision, ReviewItem
from reviews.services import deadlines, decisions, stops, sweep
from reviews.tests.cast import Cast, decide_as, held, propose

pytestmark = pytest.mark.django_db


def engage(
    cast: Cast, scope: KillSwitchScope = KillSwitchScope.EVERYTHING, *, reject: bool = True
) -> KillSwitch:
    return kill_switch.engage(
        scope=scope,
        agent=cast.clerk if scope == KillSwitchScope.AGENT else None,
        action_type=cast.refund if scope == KillSwitchScope.ACTION_TYPE else None,
        reason="It loops",
        engaged_by=cast.olga,
        reject_pending=reject,
        now=database_now(),
    )


def state_of(item: ReviewItem) -> str:
    return ActionRequest.objects.get(pk=item.action_id).state


@pytest.mark.parametrize("scope", list(KillSwitchScope))
def test_what_waits_is_closed_and_nobody_is_said_to_have_decided(cast: Cast, scope: KillSwitchScope) -> None:
    first, second = held(cast), held(cast)
    stop = engage(cast, scope)
    now = database_now()
    assert sweep.run(now=now) == 2
    assert sweep.run(now=now) == 0

    for item in (first, second):
        item.refresh_from_db()
        assert (state_of(item), item.status, item.closed_at) == (
            ActionState.DENIED,
            ItemStatus.CANCELLED,
            now,
        )
    stop.refresh_from_db()
    assert (stop.pending_closed, stop.pending_closed_at) == (2, now)
    assert not Decision.objects.exists()
    assert not Observation.objects.exists()
    entries = LedgerEntry.objects.filter(verb="action.denied", actor_kind="system")
    assert [entry.payload.body for entry in entries] == [{"stop": stop.public_id}] * 2
    closed = LedgerEntry.objects.get(verb="kill_switch.pending_closed")
    assert closed.payload.body == {"closed": 2}


def test_what_waits_is_kept_where_nobody_asked_for_more(cast: Cast) -> None:
    item = held(cast)
    engage(cast, reject=False)
    assert stops.close_pending(now=database_now()) == 0
    assert state_of(item) == ActionState.PENDING_REVIEW


def test_a_stop_closes_nothing_outside_of_its_scope(cast: Cast) -> None:
    item = held(cast, action_type="unheard.of", arguments={})
    engage(cast, KillSwitchScope.ACTION_TYPE)
    assert stops.close_pending(now=database_now()) == 0
    assert state_of(item) == ActionState.PENDING_REVIEW


def test_a_lifted_stop_closes_nothing_more(cast: Cast) -> None:
    item = held(cast)
    stop = engage(cast)
    kill_switch.lift(kill_switch=stop, reason="over", lifted_by=cast.olga, now=database_now())
    assert stops.close_pending(now=database_now()) == 0
    assert state_of(item) == ActionState.PENDING_REVIEW


def test_an_answer_in_its_undo_window_stands_and_one_taken_back_is_closed(cast: Cast) -> None:
    answered, wavering = held(cast), held(cast)
    decide_as(cast.alice, answered, kind=DecisionKind.REJECT)
    decided = decide_as(cast.alice, wavering)
    engage(cast)
    assert stops.close_pending(now=database_now()) == 0
    decisions.undo(decision_id=decided.decision.public_id, reviewer=cast.alice, now=database_now())
    assert stops.close_pending(now=database_now()) == 1
    assert state_of(wavering) == ActionState.DENIED
    deadlines.release_due(now=Decision.objects.get(item=answered).release_at)
    assert state_of(answered) == ActionState.REJECTED


def test_a_routine_check_of_what_ran_already_goes_on(cast: Cast) -> None:
    observed = propose(cast, mode="observed")
    audit = ReviewItem.objects.get(action=observed, kind=ItemKind.AUDIT)
    engage(cast)
    assert stops.close_pending(now=database_now()) == 0
    audit.refresh_from_db()
    assert audit.status == ItemStatus.OPEN


def test_what_was_on_its_way_into_the_inbox_is_closed_as_well(cast: Cast) -> None:
    """It was judged before the stop, and committed after the sweep had been through."""
    stop = engage(cast)
    stops.close_pending(now=database_now())
    late = _held_before(cast, stop)
    assert stops.close_pending(now=database_now()) == 1
    assert state_of(late) == ActionState.DENIED
    assert KillSwitch.objects.get().pending_closed == 1


def _held_before(cast: Cast, stop: KillSwitch) -> ReviewItem:
    KillSwitch.objects.filter(pk=stop.pk).update(lifted_at=stop.engaged_at)
    item = held(cast)
    KillSwitch.objects.filter(pk=stop.pk).update(lifted_at=None)
    return item


def test_a_wish_to_close_what_waits_is_added_to_a_stop_that_stands(cast: Cast) -> None:
    item = held(cast)
    first = engage(cast, reject=False)
    assert engage(cast, reject=True) == first
    assert engage(cast, reject=False) == first
    assert KillSwitch.objects.get().reject_pending
    stops.close_pending(now=database_now())
    assert state_of(item) == ActionState.DENIED
    verbs = (
        LedgerEntry.objects.filter(object_kind="kill_switch").order_by("id").values_list("verb", flat=True)
    )
    assert list(verbs) == ["kill_switch.engaged", "kill_switch.pending_rejected"]


@pytest.mark.django_db(transaction=True)
class TestDrill:
    """A drill needs other connections to see the stop, so these commit."""

    @pytest.mark.parametrize("scope", list(KillSwitchScope))
    def test_a_drill_is_a_real_stop_that_lifts_itself_once_it_holds(
        self, cast: Cast, scope: KillSwitchScope
    ) -> None:
        found = drills.drill(
            scope=scope,
            agent=cast.clerk if scope == KillSwitchScope.AGENT else None,
            action_type=cast.refund if scope == KillSwitchScope.ACTION_TYPE else None,
            reason="The first Monday of the month",
            engaged_by=cast.olga,
        )
        stop = KillSwitch.objects.get()
        assert found.lifted
        assert (stop.drill, stop.held_after_ms) == (True, found.held_after_ms)
        assert stop.lifted_at is not None
        verbs = LedgerEntry.objects.filter(object_kind="kill_switch").order_by("id")
        assert [entry.verb for entry in verbs] == [
            "kill_switch.engaged",
            "kill_switch.drill_held",
            "kill_switch.lifted",
        ]
        assert propose(cast, confidence=0.95).state == ActionState.ALLOWED

    def test_what_is_stopped_for_real_is_no_place_for_a_drill(self, cast: Cast) -> None:
        engage(cast)
        with pytest.raises(kill_switch.AlreadyStopped):
            drills.drill(scope=KillSwitchScope.EVERYTHING, reason="Practice", engaged_by=cast.olga)
        stop = KillSwitch.objects.get()
        assert (stop.drill, stop.lifted_at) == (False, None)

    def test_a_real_stop_on_top_of_a_drill_outlives_it(self, cast: Cast) -> None:
        practice = kill_switch.engage(
            scope=KillSwitchScope.EVERYTHING,
            reason="Practice",
            engaged_by=cast.olga,
            drill=True,
            now=database_now(),
        )
        engage(cast, reject=False)
        lift = kill_switch.lift(
            kill_switch=practice,
            reason="The drill is over",
            actor=Actor.system("drill"),
            drill_alone=True,
            now=database_now(),
        )
        assert not lift.lifted
        stop = KillSwitch.objects.get()
        assert (stop.drill, stop.lifted_at) == (False, None)

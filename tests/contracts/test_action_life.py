"""The life of an action, walked at random against PostgreSQL and compared step by step with a model of it.

The machine proposes, decides, takes back, waits, stops, pauses, runs and reports in any order it likes. After
each step the database holds what the model expects, and what must never be (reliability.md, I1 to I3, I6, I7)
is not there. The services take the time as a value, so a day passes in a step; permits go by the database's
own clock and live for a day here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import User
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from hitl_site.lib.clock import database_now
from policies.choices import KillSwitchScope, Risk
from policies.models import Agent, KillSwitch, LedgerEntry
from policies.services import action_types, agents, kill_switch, policies
from policies.services.ledger import Actor
from reviews.adapters import submission as wire
from reviews.choices import ActionState, DecisionKind, ItemKind, Mode, Outcome
from reviews.models import ActionRequest, Decision, Execution, Permit, ReviewItem
from reviews.services import cancellations, deadlines, decisions, ingest, permits
from reviews.services.rights import NotAllowed
from reviews.tests.cast import REFUND, Cast, decide_as, make_cast

UNDO = timedelta(seconds=6)
DEADLINE = timedelta(hours=3)
CORRECTED = {**REFUND, "amount": 18}
NUMBERS = itertools.count()
MOST_LIVES = 5
ENDED_BY = {
    DecisionKind.APPROVE: ActionState.APPROVED,
    DecisionKind.CORRECT: ActionState.CORRECTED,
    DecisionKind.REJECT: ActionState.REJECTED,
}


@dataclass
class Answer:
    """A person's answer as the model remembers it."""

    decision_id: str
    kind: DecisionKind
    person: str
    terminal: bool


@dataclass
class Life:
    """What the model knows of one action."""

    action: ActionRequest
    key: str
    body: dict[str, object]
    state: ActionState
    required: int
    closes_at: datetime
    answers: list[Answer] = field(default_factory=list)
    permit: Permit | None = None
    consumed_with: str = ""
    outcome: Outcome | None = None

    @property
    def recorded(self) -> Answer | None:
        return next((answer for answer in self.answers if answer.terminal), None)

    @property
    def is_open(self) -> bool:
        return self.state == ActionState.PENDING_REVIEW and self.recorded is None


def _declare_payout(cast: Cast) -> None:
    """Declare an act of critical risk: two people must say the very same."""
    now = database_now()
    payout = action_types.declare(
        name="payout.make",
        title="Payout",
        risk=Risk.CRITICAL,
        reading_floor_ms=0,
        actor=Actor.person(cast.olga),
        now=now,
    )
    for action_type in (payout, cast.refund):
        policies.put_in_force(
            action_type=action_type,
            document={
                "threshold": 0.9,
                "audit_rate": 0.01,
                "undo_seconds": 5,
                "blind_share": 0,
                "deadline_seconds": int(DEADLINE.total_seconds()),
                "permit_ttl_seconds": 86_400,
                # Each walk proposes the same again; that it was refused before is the subject of other tests.
                "denial_memory_seconds": 0,
            },
            author=cast.olga,
            reason="For the walks",
            now=now,
        )


class ActionLife(RuleBasedStateMachine):
    """One walk. ``cast`` is set by the test."""

    cast: Cast
    lives = Bundle("lives")

    @initialize(target=lives)
    def begin(self) -> object:
        """Begin with one action of each kind, so that there is something to walk with."""
        self.now = database_now()
        self.walk = next(NUMBERS)
        self.all: list[Life] = []
        self.stop: KillSwitch | None = None
        self.paused = False
        self.stranger = agents.create_agent(
            name=f"stranger {self.walk}", actor=Actor.person(self.cast.olga), now=self.now
        )
        return multiple(*(self._propose(kind) for kind in ("alone", "held", "critical")))

    def teardown(self) -> None:
        if getattr(self, "stop", None) is not None:
            self.lift()
        if getattr(self, "paused", False):
            self.resume()

    @property
    def people(self) -> dict[str, User]:
        return {
            "alice": self.cast.alice,
            "bob": self.cast.bob,
            "carol": self.cast.carol,
            "dan": self.cast.dan,
        }

    # What an agent does.

    @precondition(lambda self: len(self.all) < MOST_LIVES)
    @rule(target=lives, kind=st.sampled_from(["alone", "held", "critical"]))
    def propose(self, kind: str) -> Life:
        return self._propose(kind)

    def _propose(self, kind: str) -> Life:
        key = f"walk-{self.walk}-{len(self.all)}"
        body: dict[str, object] = {
            "action_type": "payout.make" if kind == "critical" else "refund.issue",
            "arguments": REFUND,
            "confidence": 0.5 if kind == "held" else 0.97,
            "agent_version": "1",
        }
        submitted = self._submit(key, body)
        assert not submitted.replayed
        if self.stop is not None or self.paused:
            state = ActionState.DENIED
        else:
            state = ActionState.ALLOWED if kind == "alone" else ActionState.PENDING_REVIEW
        life = Life(
            action=submitted.action,
            key=key,
            body=body,
            state=state,
            required=2 if kind == "critical" else 1,
            closes_at=self.now + DEADLINE,
            permit=submitted.permit,
        )
        assert (submitted.permit is not None) == (state == ActionState.ALLOWED)
        self.all.append(life)
        return life

    @rule(life=lives)
    def propose_the_same_again(self, life: Life) -> None:
        submitted = self._submit(life.key, life.body)
        assert submitted.replayed
        assert submitted.action.pk == life.action.pk

    @rule(life=lives)
    def propose_another_under_the_same_key(self, life: Life) -> None:
        with pytest.raises(ingest.IdempotencyKeyReused):
            self._submit(life.key, {**life.body, "confidence": 0.123})

    @rule(life=lives)
    def cancel(self, life: Life) -> None:
        def act() -> None:
            cancellations.cancel(action_id=life.action.public_id, agent=self.cast.clerk, now=self.now)

        if life.state in {ActionState.PENDING_REVIEW, ActionState.CANCELLED}:
            act()
            life.state = ActionState.CANCELLED
            life.answers.clear()
        else:
            self._refused(act, cancellations.TooLateToCancel)

    @rule(life=lives)
    def a_stranger_asks_for_it(self, life: Life) -> None:
        with pytest.raises(cancellations.UnknownAction):
            cancellations.cancel(action_id=life.action.public_id, agent=self.stranger, now=self.now)
        if life.permit is not None:
            with pytest.raises(permits.UnknownPermit):
                permits.consume(
                    permit_id=life.permit.public_id,
                    agent=self.stranger,
                    digest=life.permit.digest,
                    consume_key="theirs",
                    now=self.now,
                )

    @rule(
        life=lives, key=st.sampled_from(["one", "two"]), digest=st.sampled_from(["right", "right", "wrong"])
    )
    def consume(self, life: Life, key: str, digest: str) -> None:
        permit = life.permit
        if permit is None:
            return
        given = permit.digest if digest == "right" else "sha256:" + "0" * 64

        def act() -> permits.Consumed:
            return permits.consume(
                permit_id=permit.public_id,
                agent=self.cast.clerk,
                digest=given,
                consume_key=key,
                now=self.now,
            )

        if life.consumed_with:
            if life.consumed_with == key and digest == "right":
                assert act().replayed
            else:
                self._refused(act, permits.AlreadyConsumed)
        elif self.stop is not None or self.paused:
            self._refused(act, permits.KillSwitchActive)
        elif digest == "wrong":
            self._refused(act, permits.DigestMismatch)
        else:
            assert not act().replayed
            life.consumed_with = key

    @rule(life=lives, outcome=st.sampled_from([Outcome.SUCCEEDED, Outcome.FAILED]))
    def report(self, life: Life, outcome: Outcome) -> None:
        execution = Execution.objects.filter(action=life.action).first()
        assert (execution is not None) == bool(life.consumed_with)
        if execution is None:
            return

        def act() -> Execution:
            return permits.report_outcome(
                execution_id=execution.public_id,
                agent=self.cast.clerk,
                outcome=outcome,
                detail=None,
                executed_digest="",
                now=self.now,
            )

        if life.outcome in {None, Outcome.UNKNOWN, outcome}:
            act()
            life.outcome = outcome
        else:
            # That somebody contradicts a report is a fact worth keeping; the outcome stays.
            self._refused(act, permits.OutcomeConflict, recorded=True)

    # What people do.

    @rule(
        life=lives,
        person=st.sampled_from(["alice", "bob", "carol", "dan"]),
        kind=st.sampled_from(list(DecisionKind)),
    )
    def decide(self, life: Life, person: str, kind: DecisionKind) -> None:
        item = ReviewItem.objects.filter(action=life.action, kind=ItemKind.GATE).first()
        if item is None:
            return

        def act() -> decisions.Decided:
            extra = {"arguments": CORRECTED} if kind == DecisionKind.CORRECT else {}
            return decide_as(self.people[person], item, kind, now=self.now, **extra)

        own = next((answer for answer in life.answers if answer.person == person), None)
        if person in {"carol", "dan"}:
            # Carol owns the agent; Dan may only look.
            self._refused(act, NotAllowed)
        elif own is not None and own.kind == kind and life.state == ActionState.PENDING_REVIEW:
            assert act().replayed
        elif own is None and life.is_open and (kind == DecisionKind.REJECT or not self._is_halted):
            decided = act()
            same = [answer for answer in life.answers if answer.kind == kind]
            terminal = kind == DecisionKind.REJECT or len(same) + 1 >= life.required
            assert decided.decision.terminal is terminal
            life.answers.append(Answer(decided.decision.public_id, kind, person, terminal))
        elif life.state == ActionState.PENDING_REVIEW:
            self._refused(act, decisions.UnableToDecide)

    @rule(life=lives, number=st.integers(0, 3))
    def take_back(self, life: Life, number: int) -> None:
        if life.state != ActionState.PENDING_REVIEW or not life.answers:
            return
        answer = life.answers[number % len(life.answers)]
        decision = Decision.objects.get(public_id=answer.decision_id)

        def act() -> None:
            decisions.undo(decision_id=answer.decision_id, reviewer=self.people[answer.person], now=self.now)

        if decision.release_at <= self.now:
            self._refused(act, decisions.TooLateToUndo)
            return
        act()
        life.answers.remove(answer)
        # An approval that rested on this one no longer has enough people behind it.
        for other in [each for each in life.answers if each.terminal and each.kind == answer.kind]:
            if answer.kind != DecisionKind.REJECT:
                life.answers.remove(other)

    @precondition(lambda self: self.stop is None)
    @rule(scope=st.sampled_from(list(KillSwitchScope)))
    def engage(self, scope: KillSwitchScope) -> None:
        # A stop of refunds alone would halt some lives and not others; one model for all keeps it readable.
        scope = KillSwitchScope.EVERYTHING if scope == KillSwitchScope.ACTION_TYPE else scope
        self.stop = kill_switch.engage(
            scope=scope,
            agent=self.cast.clerk if scope == KillSwitchScope.AGENT else None,
            reason="A walk",
            engaged_by=self.cast.olga,
            now=self.now,
        )

    @precondition(lambda self: self.stop is not None)
    @rule()
    def lift(self) -> None:
        assert self.stop is not None
        kill_switch.lift(kill_switch=self.stop, reason="Goes on", lifted_by=self.cast.olga, now=self.now)
        self.stop = None

    @precondition(lambda self: not self.paused)
    @rule()
    def pause(self) -> None:
        self._turn_agent(agents.pause_agent)
        self.paused = True

    @precondition(lambda self: self.paused)
    @rule()
    def resume(self) -> None:
        self._turn_agent(agents.resume_agent)
        self.paused = False

    # What time does, where something waits for it.

    @precondition(
        lambda self: any(life.recorded and life.state == ActionState.PENDING_REVIEW for life in self.all)
    )
    @rule()
    def undo_windows_end(self) -> None:
        self.now += UNDO
        deadlines.release_due(now=self.now)
        self._release()
        deadlines.expire_due(now=self.now)
        self._expire()

    @precondition(lambda self: any(life.is_open for life in self.all))
    @rule()
    def deadlines_pass(self) -> None:
        self.now += DEADLINE
        deadlines.release_due(now=self.now)
        self._release()
        deadlines.expire_due(now=self.now)
        self._expire()

    @precondition(lambda self: any(life.consumed_with and life.outcome is None for life in self.all))
    @rule()
    def leases_end(self) -> None:
        deadlines.end_leases(now=self.now + timedelta(days=1))
        for life in self.all:
            if life.consumed_with and life.outcome is None:
                life.outcome = Outcome.UNKNOWN

    @rule(life=lives, kind=st.sampled_from(list(DecisionKind)), late=st.booleans())
    def go_on(self, life: Life, kind: DecisionKind, late: bool) -> None:
        """Take the step that usually comes next, so that walks come to an end and not only to refusals."""
        if self.stop is not None:
            self.lift()
        elif self.paused:
            self.resume()
        elif life.is_open:
            others = [name for name in ("alice", "bob") if name not in {each.person for each in life.answers}]
            self.decide(life=life, person=others[0] if others else "alice", kind=kind)
        elif life.state == ActionState.PENDING_REVIEW:
            self.undo_windows_end()
        elif life.permit is not None and not life.consumed_with:
            self.consume(life=life, key="one", digest="right")
        elif life.consumed_with and life.outcome is None and late:
            self.leases_end()
        elif life.consumed_with:
            self.consume(life=life, key="one", digest="right")
            self.report(life=life, outcome=Outcome.SUCCEEDED)

    # What must hold after every step.

    @invariant()
    def the_database_holds_what_the_model_expects(self) -> None:
        for life in getattr(self, "all", []):
            stored = ActionRequest.objects.get(pk=life.action.pk)
            assert stored.state == life.state, f"{stored} is {stored.state}, the model says {life.state}"
            assert (stored.closed_at is None) == (life.state == ActionState.PENDING_REVIEW)
            execution = Execution.objects.filter(action=stored).first()
            assert (execution.outcome if execution else "") == (life.outcome or "")

    @invariant()
    def nothing_runs_without_a_permit_for_what_was_decided(self) -> None:
        for life in getattr(self, "all", []):
            live = list(Permit.objects.filter(action=life.action))
            runnable = life.state in {ActionState.ALLOWED, ActionState.APPROVED, ActionState.CORRECTED}
            assert len(live) == (1 if runnable else 0)
            runs = Execution.objects.filter(action=life.action).count()
            assert runs == (1 if life.consumed_with else 0)
            if live:
                stored = ActionRequest.objects.get(pk=life.action.pk)
                assert live[0].digest == stored.final_digest
                assert (stored.final_digest == stored.digest) == (life.state != ActionState.CORRECTED)

    @invariant()
    def at_most_one_answer_ends_an_action_and_none_is_by_its_owner(self) -> None:
        for life in getattr(self, "all", []):
            standing = Decision.objects.filter(action=life.action, undone_at=None)
            assert standing.filter(terminal=True).count() <= 1
            assert set(standing.values_list("reviewer__username", flat=True)) <= {"alice", "bob"}
            released = standing.exclude(released_at=None)
            if life.state in {ActionState.APPROVED, ActionState.CORRECTED}:
                ended = standing.get(terminal=True)
                agreeing = released.filter(final_digest=ended.final_digest)
                assert agreeing.values("reviewer").distinct().count() >= life.required

    @invariant()
    def each_change_of_state_has_its_entry(self) -> None:
        for life in getattr(self, "all", []):
            verbs = list(
                LedgerEntry.objects.filter(action_id=life.action.public_id).values_list("verb", flat=True)
            )
            first = {ActionState.ALLOWED: "action.allowed", ActionState.DENIED: "action.denied"}
            assert verbs.count(first.get(life.state, "action.held")) == 1
            assert verbs.count("permit.consumed") == (1 if life.consumed_with else 0)
            for state in (ActionState.EXPIRED, ActionState.CANCELLED):
                assert verbs.count(f"action.{state.value}") == (1 if life.state == state else 0)

    def check_everything(self) -> None:
        self.the_database_holds_what_the_model_expects()
        self.nothing_runs_without_a_permit_for_what_was_decided()
        self.at_most_one_answer_ends_an_action_and_none_is_by_its_owner()
        self.each_change_of_state_has_its_entry()

    # The model's own acts.

    @property
    def _is_halted(self) -> bool:
        return self.stop is not None or self.paused

    def _submit(self, key: str, body: dict[str, object]) -> ingest.Submitted:
        assert body.get("mode", Mode.GATED) == Mode.GATED
        return ingest.submit(
            key=self.cast.key, body=wire.read(body), idempotency_key=key, request_id="", now=self.now
        )

    def _refused(self, act: Callable[[], object], error: type[Exception], *, recorded: bool = False) -> None:
        before, entries = self._everything(), LedgerEntry.objects.count()
        with pytest.raises(error):
            act()
        assert self._everything() == before, "a refusal changed something"
        assert LedgerEntry.objects.count() == entries + recorded

    def _everything(self) -> tuple[int, ...]:
        return (
            Decision.objects.filter(undone_at=None).count(),
            Execution.objects.count(),
            Permit.objects.filter(consumed_at=None, revoked_at=None).count(),
        )

    def _turn_agent(self, turn: Callable[..., Agent]) -> None:
        turn(agent=self.cast.clerk, reason="A walk", actor=Actor.person(self.cast.olga), now=self.now)
        self.cast.clerk.refresh_from_db()
        self.cast.key.agent.refresh_from_db()

    def _release(self) -> None:
        for life in self.all:
            answer = life.recorded
            if life.state != ActionState.PENDING_REVIEW or answer is None:
                continue
            decision = Decision.objects.get(public_id=answer.decision_id)
            if decision.release_at <= self.now:
                life.state = ENDED_BY[answer.kind]
                life.permit = Permit.objects.filter(action=life.action).first()

    def _expire(self) -> None:
        for life in self.all:
            if life.is_open and life.closes_at <= self.now:
                life.state = ActionState.EXPIRED


@pytest.fixture
def machine(db: None) -> type[ActionLife]:
    cast = make_cast()
    _declare_payout(cast)
    return type("Walk", (ActionLife,), {"cast": cast})


def test_every_walk_through_an_actions_life_is_as_the_model_says(machine: type[ActionLife]) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            # No shrinking: it takes minutes, and the steps that failed are printed as they are.
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.mark.parametrize("kind", list(DecisionKind))
@pytest.mark.parametrize("late", [False, True])
def test_the_usual_walks_come_to_their_ends(
    machine: type[ActionLife], kind: DecisionKind, late: bool
) -> None:
    """What the machine must be able to reach: one that never comes to an end proves nothing."""
    walk = machine()
    walk.begin()
    for life in list(walk.all):
        while not (life.outcome or life.state in {ActionState.REJECTED, ActionState.DENIED}):
            walk.go_on(life=life, kind=kind, late=late)
            walk.check_everything()
    alone, held, critical = walk.all
    assert alone.state == ActionState.ALLOWED
    assert held.state == critical.state == ENDED_BY[kind]
    for life in walk.all:
        ran = life.state != ActionState.REJECTED
        ended = Outcome.UNKNOWN if late else Outcome.SUCCEEDED
        assert life.outcome == (ended if ran else None)
    late_ones = [walk._propose("held"), walk._propose("critical")]
    walk.cancel(life=late_ones[0])
    walk.deadlines_pass()
    walk.check_everything()
    assert [life.state for life in late_ones] == [ActionState.CANCELLED, ActionState.EXPIRED]

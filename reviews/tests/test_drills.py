"""Drills: drawn beside real items, answered like them, and never anything else than a drill."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from policies.engine.sampling import audit_draw
from policies.models import ActionType, DrillResult, LedgerEntry, MissingLabel, Observation
from policies.selectors.catch_rate import by_kind, catch_rate
from policies.services import ledger
from reviews.choices import ActionState, DecisionKind, SeedState
from reviews.models import ActionRequest, Decision, Drill, Execution, Permit, ReviewItem
from reviews.selectors import drills as told_of
from reviews.selectors.actions import of_agent, proposed_arguments
from reviews.services import cancellations, deadlines, decisions, drills, rights, sweep
from reviews.tests.cast import REFUND, Cast, decide_as, held
from reviews.tests.drilling import UNDO_IS_OVER, decided, seed, serve


def with_rate(cast: Cast, rate: float) -> None:
    ActionType.objects.filter(pk=cast.refund.pk).update(drill_rate=rate)


def test_nothing_is_drawn_until_a_seed_is_approved(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drills, "_draw", lambda name, purpose: 0.0)
    with_rate(cast, 0.05)
    correction = decided(cast)
    made = drills.make_seed(
        decision=correction, error_kind="wrong_value", made_by=cast.olga, now=database_now()
    )
    decided(cast)
    assert Drill.objects.count() == 0

    drills.judge_seed(seed=made, state=SeedState.APPROVED, judged_by=cast.olga, now=database_now())
    decided(cast)
    assert Drill.objects.get().propensity == 0.05

    drills.judge_seed(seed=made, state=SeedState.RETIRED, judged_by=cast.olga, now=database_now())
    decided(cast)
    assert Drill.objects.count() == 1


def test_a_rate_of_zero_draws_nothing(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drills, "_draw", lambda name, purpose: 0.0)
    seed(cast)
    decided(cast)
    assert Drill.objects.count() == 0


def test_the_draw_follows_from_the_secret_and_the_decision_alone(cast: Cast, settings: Any) -> None:
    seed(cast)
    with_rate(cast, 0.05)
    for _ in range(40):
        decide_as(cast.bob, held(cast))
    drawn = set(Drill.objects.values_list("drawn_by", flat=True))
    asked = Decision.objects.order_by("-id")[:40]
    secret = settings.AUDIT_DRAW_SECRET
    assert drawn == {d.public_id for d in asked if audit_draw(secret, d.public_id, "drill") < 0.05}


def test_a_drill_shows_fresh_values_and_keeps_its_error(cast: Cast) -> None:
    seed(cast)
    item = serve(cast)
    drill = Drill.objects.get()
    arguments, expected = proposed_arguments(item.action), told_of.expected_of(drill)
    assert expected is not None
    assert arguments["order"] == expected["order"] != REFUND["order"]
    assert arguments["amount"] != expected["amount"]
    assert not {arguments["amount"], expected["amount"]} & {184, 148}
    said = str(item.action.context.context)
    assert str(arguments["order"]) in said
    assert "SO-48213" not in said
    assert "Ana" not in said
    assert str(arguments["order"]) in item.title
    assert item.action.agent == cast.clerk
    assert item.action.gate_check.drill


def test_a_caught_error_is_kept_and_told_at_once(cast: Cast) -> None:
    seed(cast)
    item = serve(cast)
    expected = told_of.expected_of(Drill.objects.get())
    now = database_now()
    decide_as(cast.alice, item, DecisionKind.CORRECT, arguments=expected, now=now)

    result = DrillResult.objects.get()
    assert (result.caught, result.error_kind, result.reviewer) == (True, "wrong_value", cast.alice)
    told = told_of.latest(cast.alice, now=now)
    assert told is not None
    assert expected is not None
    assert told.sentence == f"Amount was made wrong on purpose: {expected['amount']} is right. You caught it."
    assert told_of.latest(cast.bob, now=now) is None
    assert told_of.latest(cast.alice, now=now + told_of.TOLD_FOR) is None
    assert (catch_rate(cast.refund).planted, catch_rate(cast.refund).caught) == (1, 1)
    assert by_kind(cast.refund)[0].kind == "wrong_value"


def test_an_approved_error_is_a_miss(cast: Cast) -> None:
    seed(cast)
    decide_as(cast.alice, serve(cast))
    assert DrillResult.objects.get().caught is False
    told = told_of.latest(cast.alice, now=database_now())
    assert told is not None
    assert told.sentence.endswith("You approved it.")


def test_a_correction_of_something_else_does_not_catch_it(cast: Cast) -> None:
    seed(cast)
    item = serve(cast)
    changed = {**proposed_arguments(item.action), "message": "So sorry!"}
    decide_as(cast.alice, item, DecisionKind.CORRECT, arguments=changed)
    assert DrillResult.objects.get().caught is False


def test_what_is_right_is_to_be_let_pass(cast: Cast) -> None:
    seed(cast, DecisionKind.APPROVE)
    decide_as(cast.alice, serve(cast))
    decide_as(cast.alice, serve(cast), DecisionKind.REJECT)
    results = list(DrillResult.objects.order_by("id").values_list("error_kind", "caught"))
    assert results == [("", True), ("", False)]
    assert catch_rate(cast.refund).planted == 0


def test_what_should_not_run_is_caught_by_a_rejection_alone(cast: Cast) -> None:
    seed(cast, DecisionKind.REJECT, "against_policy")
    item = serve(cast)
    assert told_of.expected_of(Drill.objects.get()) is None
    decide_as(cast.alice, item, DecisionKind.REJECT)
    told = told_of.latest(cast.alice, now=database_now())
    assert told is not None
    assert told.sentence == "It should not have run: Against our policy. You caught it."


def test_half_of_the_drills_are_right(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(cast)
    seed(cast, DecisionKind.APPROVE)
    kinds = []
    for draw in (0.0, 0.49, 0.5, 0.99):
        monkeypatch.setattr(drills, "_draw", lambda name, purpose, draw=draw: draw)
        drill = Drill.objects.get(action=serve(cast).action)
        assert drill.seed is not None
        kinds.append(drill.seed.planted)
    assert kinds == [True, True, False, False]


def test_there_is_no_second_try(cast: Cast) -> None:
    seed(cast)
    item = serve(cast)
    now = database_now()
    decision = decide_as(cast.alice, item, now=now).decision
    with pytest.raises(decisions.TooLateToUndo, match="This was a drill"):
        decisions.undo(decision_id=decision.public_id, reviewer=cast.alice, now=now)
    decision.refresh_from_db()
    assert decision.undone_at is None
    assert DrillResult.objects.count() == 1


def test_an_approved_drill_has_no_permit_and_says_nothing_of_the_agent(cast: Cast) -> None:
    seed(cast)
    item = serve(cast)
    permits, observations = Permit.objects.count(), Observation.objects.count()
    now = database_now()
    decide_as(cast.alice, item, now=now)
    assert deadlines.release_due(now=now + UNDO_IS_OVER) == 1
    item.action.refresh_from_db()
    assert item.action.state == ActionState.APPROVED
    assert (Permit.objects.count(), Observation.objects.count()) == (permits, observations)
    assert Execution.objects.filter(action=item.action).count() == 0


def test_the_database_refuses_a_permit_for_a_drill(cast: Cast) -> None:
    seed(cast)
    item = serve(cast)
    now = database_now()
    decide_as(cast.alice, item, now=now)
    deadlines.release_due(now=now + UNDO_IS_OVER)
    action = ActionRequest.objects.get(drill=True)
    other = decided(cast, DecisionKind.CORRECT)
    permit = Permit.objects.get(action=other.action)
    columns = [str(column.column) for column in Permit._meta.concrete_fields if column.column != "id"]
    taken = ", ".join(
        {"public_id": "%s", "action_id": "%s", "digest": "%s", "basis": "%s"}.get(column, column)
        for column in columns
    )
    values: dict[str, int | str] = {
        "public_id": ids.new("prm"),
        "action_id": action.pk,
        "digest": action.final_digest,
        "basis": "approved",
    }
    given = [values[column] for column in columns if column in values]
    before = Permit.objects.count()
    with (
        pytest.raises(DatabaseError, match="no permit without a decision"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            f"INSERT INTO reviews_permit ({', '.join(columns)}) "
            f"SELECT {taken} FROM reviews_permit WHERE id = %s",
            [*given, permit.pk],
        )
    assert Permit.objects.count() == before


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE reviews_actionrequest SET drill = false WHERE drill", "stays one"),
        ("UPDATE reviews_actionrequest SET drill = true WHERE NOT drill", "stays one"),
        ("UPDATE reviews_actionrequest SET state = 'allowed', closed_at = now() WHERE drill", "never_ran"),
        ("UPDATE reviews_drill SET expected_canonical = NULL", "never changes"),
        ("UPDATE reviews_drillseed SET error_kind = 'extra'", "never changes"),
        ("DELETE FROM reviews_drill", "never changes"),
    ],
)
def test_the_database_keeps_a_drill_a_drill(cast: Cast, statement: str, words: str) -> None:
    seed(cast)
    serve(cast)
    with (
        pytest.raises(DatabaseError, match=words),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_the_database_refuses_an_observation_of_a_drill(cast: Cast) -> None:
    seed(cast)
    check = serve(cast).action.gate_check
    with pytest.raises(DatabaseError, match="says nothing of the agent"), transaction.atomic():
        Observation.objects.create(
            public_id=ids.new("obs"),
            gate_check=check,
            action_type=cast.refund,
            agent_version=check.agent_version,
            decision_id=ids.new("dec"),
            audited=False,
            error=False,
            considered=True,
            blind=False,
            propensity=1.0,
            min_propensity=1.0,
            observed_at=database_now(),
        )


def test_no_agent_finds_a_drill_under_its_name(cast: Cast) -> None:
    seed(cast)
    item = serve(cast)
    assert item.action not in of_agent(cast.clerk)
    with pytest.raises(cancellations.UnknownAction):
        cancellations.cancel(action_id=item.action.public_id, agent=cast.clerk, now=database_now())
    item.refresh_from_db()
    assert item.status == "open"


def test_an_expired_drill_counts_for_nothing(cast: Cast) -> None:
    seed(cast)
    item = serve(cast)
    assert deadlines.expire_due(now=item.due_at + timedelta(seconds=1)) >= 1
    item.refresh_from_db()
    assert item.status == "expired"
    assert DrillResult.objects.count() == 0
    assert MissingLabel.objects.filter(gate_check=item.action.gate_check).count() == 0


def test_what_the_gate_would_not_hold_is_not_served(cast: Cast) -> None:
    seed(cast)
    agent = cast.clerk
    now = database_now()
    real = decided(cast, DecisionKind.REJECT)
    type(agent).objects.filter(pk=agent.pk).update(state="paused")
    Drill.objects.create(
        drawn_by=real.public_id, action_type=cast.refund, propensity=0.05, drawn_at=now, serve_at=now
    )
    assert drills.serve_due(now=now) == 1
    drill = Drill.objects.get()
    assert drill.action is None
    assert drill.dropped_because == "Nothing approved makes a drill that the gate would hold."
    assert ActionRequest.objects.filter(drill=True).count() == 0


def test_the_sweeper_serves_a_drill_when_its_moment_comes(cast: Cast) -> None:
    seed(cast)
    now = database_now()
    real = decided(cast, DecisionKind.REJECT)
    later = now + timedelta(minutes=7)
    Drill.objects.create(
        drawn_by=real.public_id, action_type=cast.refund, propensity=0.05, drawn_at=now, serve_at=later
    )
    assert sweep.next_due(now=now + timedelta(minutes=6, seconds=59)) == later
    drills.serve_due(now=now + timedelta(minutes=6))
    assert ReviewItem.objects.filter(action__drill=True).count() == 0
    assert drills.serve_due(now=later) == 1
    assert drills.serve_due(now=later) == 0
    assert ReviewItem.objects.filter(action__drill=True).count() == 1


def test_only_who_manages_drills_makes_and_judges_seeds(cast: Cast) -> None:
    correction = decided(cast)
    with pytest.raises(rights.NotAllowed):
        drills.make_seed(
            decision=correction, error_kind="wrong_value", made_by=cast.alice, now=database_now()
        )
    made = drills.make_seed(
        decision=correction, error_kind="wrong_value", made_by=cast.olga, now=database_now()
    )
    with pytest.raises(rights.NotAllowed):
        drills.judge_seed(seed=made, state=SeedState.APPROVED, judged_by=cast.bob, now=database_now())
    made.refresh_from_db()
    assert made.state == SeedState.WAITING
    assert LedgerEntry.objects.filter(verb="drill_seed.made").count() == 1


def test_a_hasty_or_unsent_answer_is_no_seed(cast: Cast) -> None:
    ActionType.objects.filter(pk=cast.refund.pk).update(reading_floor_ms=5000)
    hasty = decided(cast, DecisionKind.APPROVE)
    with pytest.raises(drills.UnableToUse, match="too fast"):
        drills.make_seed(decision=hasty, error_kind="", made_by=cast.olga, now=database_now())
    resting = decide_as(cast.bob, held(cast), DecisionKind.REJECT).decision
    with pytest.raises(drills.UnableToUse, match="not gone out"):
        drills.make_seed(decision=resting, error_kind="not_needed", made_by=cast.olga, now=database_now())
    with pytest.raises(drills.UnableToUse, match="had nothing wrong"):
        drills.make_seed(decision=decided(cast), error_kind="", made_by=cast.olga, now=database_now())


def test_every_step_is_in_the_ledger_and_nothing_tells_of_it_where_it_was_drawn(cast: Cast) -> None:
    seed(cast)
    decide_as(cast.alice, serve(cast))
    verbs = list(
        LedgerEntry.objects.filter(verb__startswith="drill").order_by("id").values_list("verb", flat=True)
    )
    assert verbs == ["drill_seed.made", "drill_seed.approved", "drill.served", "drill.answered"]
    real = Drill.objects.get().drawn_by
    assert not LedgerEntry.objects.filter(verb="drill.served", action_id=real).exists()
    assert ledger.verify().is_intact

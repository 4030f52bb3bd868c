"""Taking actions in: the verdict, and what follows from it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hitl_site.lib.canonical import action_digest
from hitl_site.lib.clock import database_now
from policies.choices import AutonomyLevel, KillSwitchScope
from policies.models import AgentVersion, AutonomyGrant, GateCheck, LedgerEntry
from policies.services import autonomy, kill_switch, policies
from reviews.adapters import submission as wire
from reviews.choices import ActionState, ItemKind, ItemStatus
from reviews.models import ActionContext, ActionRequest, IngestRow, Permit, ReviewItem
from reviews.services import ingest, observed, working_off
from reviews.tests.cast import REFUND, Cast, held, propose


def test_a_score_under_the_threshold_waits_for_a_person(cast: Cast) -> None:
    action = propose(cast)

    assert action.state == ActionState.PENDING_REVIEW
    check = action.gate_check
    assert (check.verdict, check.route, check.trigger) == ("review", "held", "low_confidence")
    assert [reason["code"] for reason in check.reasons] == ["below_threshold"]
    assert (check.score, check.score_source, check.threshold) == (0.71, "agent", 0.9)
    assert (check.propensity, check.level, check.policy_version is not None) == (1.0, "threshold", True)
    item = ReviewItem.objects.get()
    assert (item.kind, item.status, item.title) == ("gate", "open", "Refund 184 for SO-48213")
    assert item.due_at == action.expires_at
    assert Permit.objects.count() == 0


def test_a_score_at_the_threshold_runs_alone_with_a_permit_for_these_very_arguments(cast: Cast) -> None:
    action = propose(cast, confidence=0.9)

    assert action.state == ActionState.ALLOWED
    assert action.gate_check.propensity == 0.01
    permit = Permit.objects.get()
    assert permit.action == action
    assert permit.basis == "allowed"
    assert (
        permit.digest
        == action.digest
        == action_digest(
            agent="clerk",
            subject=None,
            action_type="refund.issue",
            environment="production",
            arguments=REFUND,
        )
    )
    assert list(LedgerEntry.objects.filter(action_id=action.public_id).values_list("verb", flat=True)) == [
        "action.allowed",
        "permit.issued",
    ]


def test_an_unknown_action_type_waits_for_a_person(cast: Cast) -> None:
    action = propose(cast, action_type="rocket.launch", arguments={"where": "up"}, confidence=1)

    assert action.state == ActionState.PENDING_REVIEW
    assert action.gate_check.reasons[0]["code"] == "unknown_action_type"
    assert action.gate_check.trigger == "policy_edge"
    assert ReviewItem.objects.get().title == "rocket.launch (not declared)"


def test_arguments_outside_the_declared_scope_wait_for_a_person(cast: Cast) -> None:
    action = propose(cast, arguments={"order": "SO-1", "amount": -5}, confidence=1)

    assert action.state == ActionState.PENDING_REVIEW
    assert "arguments_out_of_scope" in [reason["code"] for reason in action.gate_check.reasons]


def test_an_agent_version_that_was_never_trusted_is_reviewed(cast: Cast) -> None:
    action = propose(cast, confidence=1, agent_version="2")

    assert action.state == ActionState.PENDING_REVIEW
    assert action.gate_check.level == AutonomyLevel.REVIEW_ALL
    assert AgentVersion.objects.filter(agent=cast.clerk).count() == 2


def test_a_grant_that_ran_out_no_longer_counts(cast: Cast) -> None:
    now = database_now()
    autonomy.grant(
        agent_version=AgentVersion.objects.get(label="1"),
        action_type=cast.refund,
        level=AutonomyLevel.THRESHOLD,
        reason="for an hour",
        granted_by=cast.olga,
        expires_at=now + timedelta(hours=1),
        now=now,
    )
    assert propose(cast, confidence=1, now=now).state == ActionState.ALLOWED
    assert propose(cast, confidence=1, now=now + timedelta(hours=2)).state == ActionState.PENDING_REVIEW
    assert AutonomyGrant.objects.filter(ended_at=None, action_type=cast.refund).count() == 1


def test_the_same_key_and_body_answer_the_action_that_exists(cast: Cast) -> None:
    first = propose(cast, idempotency_key="once")
    body = wire.read(
        {"action_type": "refund.issue", "arguments": REFUND, "confidence": 0.71, "agent_version": "1"}
    )
    again = ingest.submit(key=cast.key, body=body, idempotency_key="once", request_id="", now=database_now())

    assert again.replayed
    assert again.action == first
    assert ActionRequest.objects.count() == GateCheck.objects.count() == ReviewItem.objects.count() == 1


def test_the_same_key_with_another_body_is_refused(cast: Cast) -> None:
    propose(cast, idempotency_key="once")
    with pytest.raises(ingest.IdempotencyKeyReused):
        propose(cast, idempotency_key="once", arguments={**REFUND, "amount": 185})
    assert ActionRequest.objects.count() == 1


def test_a_stop_denies_and_leaves_nothing_to_consume(cast: Cast) -> None:
    kill_switch.engage(
        scope=KillSwitchScope.EVERYTHING, reason="drill", engaged_by=cast.olga, now=database_now()
    )
    action = propose(cast, confidence=1)

    assert action.state == ActionState.DENIED
    assert action.gate_check.verdict == "deny"
    assert Permit.objects.count() == ReviewItem.objects.count() == 0


def test_what_was_drawn_for_a_check_runs_and_is_reviewed_blind_afterwards(cast: Cast) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.5, "audit_rate": 1.0},
        author=cast.olga,
        reason="check all",
        now=database_now(),
    )
    action = propose(cast, confidence=0.8)

    assert action.state == ActionState.ALLOWED
    assert (action.gate_check.audit_selected, action.gate_check.propensity) == (True, 1.0)
    item = ReviewItem.objects.get()
    assert (item.kind, item.trigger, item.blind) == (ItemKind.AUDIT, "audit", True)
    assert Permit.objects.count() == 1


def test_an_observed_action_never_waits_and_never_gets_a_permit(cast: Cast) -> None:
    action = propose(cast, mode="observed", outcome={"status": "done"})

    assert action.state == ActionState.OBSERVED
    item = ReviewItem.objects.get()
    assert (item.kind, item.status) == (ItemKind.AUDIT, ItemStatus.OPEN)
    assert Permit.objects.count() == 0
    assert ActionContext.objects.get(action=action).reported_outcome == {"status": "done"}


def test_the_agent_may_ask_for_a_sooner_deadline_but_not_for_a_later_one(cast: Cast) -> None:
    now = database_now()
    sooner = propose(cast, timeout="5m", now=now)
    later = propose(cast, timeout="29d", now=now)

    assert sooner.expires_at == now + timedelta(minutes=5)
    assert later.expires_at < now + timedelta(days=29)


def test_accepted_lines_are_stored_once_and_worked_off_once(cast: Cast) -> None:
    line = wire.read_line(
        {
            "action_type": "refund.issue",
            "arguments": {"order": "SO-1", "amount": 1.5},
            "mode": "observed",
            "confidence": 0.2,
            "agent_version": "1",
            "idempotency_key": "line-1",
        }
    )
    first = observed.accept(key=cast.key, lines=[line], request_id="", now=database_now())
    again = observed.accept(key=cast.key, lines=[line], request_id="", now=database_now())
    assert isinstance(first[0], observed.Accepted)
    assert isinstance(again[0], observed.Accepted)
    assert (first[0].replayed, again[0].replayed) == (False, True)
    assert again[0].id == first[0].id

    (row_id,) = working_off.rows_to_do()
    assert working_off.work_off(row_id=row_id, now=database_now()) is True
    assert working_off.work_off(row_id=row_id, now=database_now()) is False

    row = IngestRow.objects.get()
    assert row.state == "done"
    assert row.action is not None
    assert row.action.public_id == first[0].id
    assert bytes(row.action.arguments_canonical) == b'{"amount":1.5,"order":"SO-1"}'


def test_a_key_bound_to_an_environment_is_refused_in_another(cast: Cast) -> None:
    cast.key.environments = ["staging"]
    cast.key.save()
    with pytest.raises(ingest.EnvironmentNotAllowed):
        propose(cast)
    assert ActionRequest.objects.count() == 0
    assert held(cast, environment="staging").status == ItemStatus.OPEN

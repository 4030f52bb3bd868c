"""Reconciliation: whatever goes wrong in a replay is found and named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from datasets.replay.agent_side import Played
from datasets.replay.reconciliation import reconcile
from datasets.replay.recording import Record
from datasets.tests.base import label
from hitl_site.lib.clock import database_now
from reviews.choices import DecisionKind, Outcome
from reviews.models import ActionRequest, Permit, ReviewItem
from reviews.services import permits
from reviews.tests.cast import REFUND, Cast, decide_as, make_cast, propose

pytestmark = pytest.mark.django_db

BETTER = {**REFUND, "amount": 148}
RIGHT = Record(
    line=1,
    event_id="key",
    agent="clerk",
    model="1",
    action_type="refund.issue",
    arguments=dict(REFUND),
    context=[],
    conversation_id="",
    customer=None,
    judge_score=None,
    own_score=0.71,
    correct=True,
    expected=None,
    acceptable=(),
    error_class=None,
    policy_violations=(),
    amount_usd=None,
    user_confirmed=None,
)
TO_CORRECT = replace(RIGHT, correct=False, expected=dict(BETTER), error_class="wrong_arguments")


@pytest.fixture
def people(db: None) -> Cast:
    return make_cast()


def decided(people: Cast, kind: DecisionKind = DecisionKind.APPROVE, **answer: Any) -> ActionRequest:
    """Propose the record as clerk, have Alice decide it, and label it."""
    action = propose(people, idempotency_key="key")
    decide_as(people.alice, ReviewItem.objects.get(action=action), kind, **answer)
    label()
    action.refresh_from_db()
    return action


def run(people: Cast, action: ActionRequest) -> None:
    permit = Permit.objects.get(action=action)
    used = permits.consume(
        permit_id=permit.public_id,
        agent=people.clerk,
        digest=permit.digest,
        consume_key="k",
        now=database_now(),
    )
    permits.report_outcome(
        execution_id=used.execution.public_id,
        agent=people.clerk,
        outcome=Outcome.SUCCEEDED,
        detail=None,
        executed_digest=permit.digest,
        now=database_now() + timedelta(seconds=1),
    )


def played(record: Record, action: ActionRequest | None, **seen: object) -> Played:
    base = Played(record, action.public_id if action else "", "review", "approved", 5.0, dict(REFUND))
    return replace(base, **seen)  # type: ignore[arg-type]  # any field


def problems(one: Played) -> list[str]:
    return [each.removeprefix("key: ") for each in reconcile([one]).problems]


def test_what_went_as_it_should_is_counted_and_nothing_else_is_said(people: Cast) -> None:
    action = decided(people)
    run(people, action)

    found = reconcile([played(RIGHT, action)])

    line = found.lines["refund.issue"]
    assert found.problems == []
    assert (line.proposed, line.allowed, line.approved, line.cases) == (1, 0, 1, 1)
    assert line.held == {"low_confidence": 1}


def test_a_correction_that_ran_as_the_recording_wants_it_counts_as_stopped(people: Cast) -> None:
    action = decided(people, DecisionKind.CORRECT, arguments=BETTER)
    run(people, action)

    found = reconcile([played(TO_CORRECT, action, state="corrected", ran=BETTER)])

    assert found.problems == []
    assert (found.lines["refund.issue"].corrected, found.lines["refund.issue"].wrong_stopped) == (1, 1)


def test_a_record_without_an_action_is_lost(people: Cast) -> None:
    lost = played(RIGHT, None, ran=None, problem="not taken in: x")

    assert problems(lost) == ["not taken in: x", "lost: the site has no action of it"]


def test_an_item_that_nobody_decided_is_named(people: Cast) -> None:
    action = propose(people, idempotency_key="key")

    found = problems(played(RIGHT, action, state="pending_review", ran=None))

    assert [text.split(":")[0] for text in found] == ["undecided", "undecided"]


@pytest.mark.parametrize(
    ("act", "record", "seen", "expected"),
    [
        (run, RIGHT, {"ran": BETTER}, "it ran with other arguments than those decided"),
        (None, RIGHT, {}, "it ran 0 times instead of once"),
        (run, replace(RIGHT, correct=False), {}, "decided otherwise: approved"),
        (run, replace(RIGHT, arguments={"order": "other"}), {"ran": None}, "the site keeps other arguments"),
    ],
)
def test_what_went_otherwise_is_named(
    people: Cast,
    act: Callable[[Cast, ActionRequest], None] | None,
    record: Record,
    seen: dict[str, object],
    expected: str,
) -> None:
    action = decided(people)
    if act is not None:
        act(people, action)

    assert any(text.startswith(expected) for text in problems(played(record, action, **seen)))


def test_a_run_of_what_was_rejected_is_named(people: Cast) -> None:
    action = decided(people, DecisionKind.REJECT)

    found = problems(played(replace(RIGHT, correct=False), action, state="rejected"))

    assert found == ["it ran, although it was rejected"]


def test_a_decision_without_its_case_is_named(people: Cast) -> None:
    action = propose(people, idempotency_key="key")
    decide_as(people.alice, ReviewItem.objects.get(action=action), DecisionKind.REJECT)

    found = problems(played(replace(RIGHT, correct=False), action, state="pending_review", ran=None))

    assert any(text.endswith("was never released") for text in found)
    assert any(text.endswith("made 0 cases instead of one") for text in found)

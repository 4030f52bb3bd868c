"""Drill results and the catch rate: exact counts, exact limits."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from policies.models import ActionType, DrillResult
from policies.selectors.catch_rate import by_kind, catch_rate
from policies.services import drill_results
from policies.tests.base import NOON, make_user, recorded


def answered(refund: ActionType, reviewer: User, number: int, *, kind: str, caught: bool) -> DrillResult:
    return drill_results.record(
        drill_id=f"act_{number:032x}",
        action_type=refund,
        reviewer=reviewer,
        error_kind=kind,
        caught=caught,
        decision_ms=9_000,
        now=NOON + timedelta(minutes=number),
    )


def test_without_a_drill_nothing_is_known(refund: ActionType) -> None:
    found = catch_rate(refund)
    assert (found.planted, found.caught, found.lower, found.upper, found.rate) == (0, 0, 0.0, 1.0, None)


def test_54_of_60_give_the_limits_of_clopper_and_pearson(refund: ActionType, alice: User) -> None:
    for number in range(60):
        answered(refund, alice, number, kind="wrong_value", caught=number < 54)
    found = catch_rate(refund, delta=0.025)
    assert (found.planted, found.caught, found.rate) == (60, 54, 0.9)
    # The two-sided 95 % interval for 54 of 60, as tables of it have it.
    assert found.lower == pytest.approx(0.7949, abs=5e-5)
    assert found.upper == pytest.approx(0.9624, abs=5e-5)


def test_what_was_right_is_no_planted_error(refund: ActionType, alice: User) -> None:
    answered(refund, alice, 1, kind="wrong_value", caught=True)
    answered(refund, alice, 2, kind="", caught=False)
    assert (catch_rate(refund).planted, catch_rate(refund).caught) == (1, 1)
    assert [(found.kind, found.rate.planted, found.rate.caught) for found in by_kind(refund)] == [
        ("wrong_value", 1, 1),
        ("", 1, 0),
    ]


def test_a_rate_may_be_of_one_person_and_since_a_day(refund: ActionType, alice: User) -> None:
    bob = make_user("bob")
    answered(refund, alice, 1, kind="wrong_value", caught=False)
    answered(refund, bob, 1, kind="wrong_value", caught=True)
    answered(refund, bob, 2, kind="wrong_person", caught=True)
    assert (catch_rate(None).planted, catch_rate(None).caught) == (3, 2)
    assert catch_rate(refund, reviewer=bob).planted == 2
    assert catch_rate(refund, since=NOON + timedelta(minutes=2)).planted == 1


def test_the_first_result_of_a_person_stands_and_is_recorded_once(refund: ActionType, alice: User) -> None:
    answered(refund, alice, 1, kind="wrong_value", caught=False)
    again = answered(refund, alice, 1, kind="wrong_value", caught=True)
    assert again.caught is False
    assert DrillResult.objects.count() == 1
    assert recorded("drill.answered") == [
        {"action_type": "refund.issue", "error_kind": "wrong_value", "caught": False, "decision_ms": 9_000}
    ]

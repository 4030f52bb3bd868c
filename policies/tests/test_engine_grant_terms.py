"""The terms of a grant: a certified threshold, a share that is checked, and a level tried on a share."""

from __future__ import annotations

import math

import pytest

from policies.engine.evaluation import evaluate
from policies.engine.facts import GrantTerms, Level, Route, Verdict
from policies.engine.policy import PolicyDocument
from policies.tests.engine_facts import facts

OPEN = PolicyDocument(threshold=0.5, audit_rate=0.1)


def test_the_stricter_of_both_thresholds_counts() -> None:
    at = {"level": Level.THRESHOLD, "policy": OPEN, "confidence": 0.7}
    assert evaluate(facts(**at, terms=GrantTerms(threshold=0.6))).verdict is Verdict.ALLOW
    held = evaluate(facts(**at, terms=GrantTerms(threshold=0.8)))
    assert (held.verdict, held.threshold) == (Verdict.REVIEW, 0.8)
    assert [reason.code for reason in held.reasons] == ["below_threshold"]
    assert evaluate(facts(**at, terms=GrantTerms(threshold=0.2))).threshold == 0.5


def test_a_certified_threshold_serves_where_the_policy_names_none() -> None:
    silent = PolicyDocument(audit_rate=0.1)
    at = {"level": Level.THRESHOLD, "policy": silent, "confidence": 0.7}
    assert evaluate(facts(**at)).verdict is Verdict.REVIEW
    assert evaluate(facts(**at, terms=GrantTerms(threshold=0.6))).verdict is Verdict.ALLOW
    assert evaluate(facts(**at, terms=GrantTerms(threshold=math.nan))).verdict is Verdict.REVIEW


def test_the_certified_threshold_says_nothing_at_other_levels() -> None:
    at = {"policy": OPEN, "confidence": 0.7, "terms": GrantTerms(threshold=0.9)}
    assert evaluate(facts(**at, level=Level.AUTONOMOUS)).verdict is Verdict.ALLOW
    assert evaluate(facts(**at, level=Level.REVIEW_ALL)).threshold == 0.5


@pytest.mark.parametrize(
    ("asked", "rate"), [(None, 0.1), (0.01, 0.1), (0.4, 0.4), (math.nan, 1.0), (7.0, 1.0), (-1.0, 1.0)]
)
def test_a_grant_may_ask_for_more_checks_and_never_for_fewer(asked: float | None, rate: float) -> None:
    at = facts(level=Level.AUTONOMOUS, policy=OPEN, draw=0.39, terms=GrantTerms(audit_rate=asked))
    found = evaluate(at)
    assert (found.propensity, found.min_propensity) == (rate, rate)
    assert found.audit_selected is (rate > 0.39)


def test_a_canary_lets_its_share_run_and_holds_the_others_as_before() -> None:
    terms = GrantTerms(canary_share=0.25, canary_base=Level.REVIEW_ALL)
    tried = evaluate(facts(level=Level.THRESHOLD, policy=OPEN, terms=terms, canary_draw=0.2499))
    assert (tried.verdict, tried.level, tried.route) == (Verdict.ALLOW, Level.THRESHOLD, Route.ALONE)
    kept = evaluate(facts(level=Level.THRESHOLD, policy=OPEN, terms=terms, canary_draw=0.25))
    assert (kept.verdict, kept.level, kept.route) == (Verdict.REVIEW, Level.REVIEW_ALL, Route.HELD)
    assert [reason.code for reason in kept.reasons] == ["autonomy_canary"]
    # Looked at for certain; the lowest it could have been given is that of the level which is tried.
    assert (kept.propensity, kept.min_propensity) == (1.0, 0.1)


def test_beside_a_canary_of_autonomous_the_threshold_still_speaks() -> None:
    terms = GrantTerms(threshold=0.9, canary_share=0.05, canary_base=Level.THRESHOLD)
    at = {"level": Level.AUTONOMOUS, "policy": OPEN, "confidence": 0.7, "terms": terms}
    assert evaluate(facts(**at, canary_draw=0.01)).verdict is Verdict.ALLOW
    kept = evaluate(facts(**at, canary_draw=0.5))
    assert (kept.verdict, kept.threshold) == (Verdict.REVIEW, 0.9)
    assert evaluate(facts(**{**at, "confidence": 0.95}, canary_draw=0.5)).verdict is Verdict.ALLOW


@pytest.mark.parametrize("share", [math.nan, 0.0, -1.0, None])
def test_a_share_that_makes_no_sense_leaves_everything_as_before(share: float | None) -> None:
    terms = GrantTerms(canary_share=share)  # type: ignore[arg-type]  # that is the point
    assert evaluate(facts(level=Level.THRESHOLD, policy=OPEN, terms=terms)).verdict is Verdict.REVIEW


@pytest.mark.parametrize("draw", [math.nan, -0.1, 1.0, None])
def test_a_draw_outside_its_range_holds(draw: float | None) -> None:
    found = evaluate(facts(level=Level.AUTONOMOUS, policy=OPEN, canary_draw=draw))
    assert found.verdict is Verdict.REVIEW
    assert "invalid_facts" in [reason.code for reason in found.reasons]


def test_the_cap_counts_in_a_canary_too() -> None:
    terms = GrantTerms(canary_share=0.5, canary_base=Level.AUTONOMOUS)
    kept = evaluate(facts(level=Level.THRESHOLD, policy=OPEN, terms=terms, canary_draw=0.9))
    assert kept.level is Level.THRESHOLD

"""The engine's sentences in German: each of them is known, and what is a person's stays as it is."""

from __future__ import annotations

import pytest
from django.utils import translation

from policies.engine import explanation, nearness
from policies.engine.explanation import Reason
from policies.engine.facts import Level, ScoreSource, Trigger, Verdict
from policies.engine.freezing import FreezeWindow
from policies.engine.rules import Rule
from policies.engine.scope import Violation
from policies.selectors.reason_words import detail_in_words, nearest_in_words, title_in_words

RULE = Rule(
    code="refund.large",
    title="Low confidence",
    when="args.amount > 5",
    then=Verdict.DENY,
    trigger=Trigger.POLICY_EDGE,
)
HELD = Rule(
    code="refund.odd",
    title="Odd {amount}",
    when="args.amount > 5",
    then=Verdict.REVIEW,
    trigger=Trigger.POLICY_EDGE,
)
WINDOW = FreezeWindow(title="Year end", starts="2026-12-24T00:00:00Z", ends="2027-01-02T00:00:00Z")
CLOSED = FreezeWindow(title="Audit", starts="x", ends="y", then=Verdict.DENY)
REASONS = [
    explanation.kill_switch(),
    explanation.agent_inactive("refund-agent"),
    explanation.unknown_action_type(),
    explanation.no_policy(),
    explanation.invalid_facts("no subject"),
    explanation.engine_error("KeyError"),
    explanation.arguments_unusable("", "too deep"),
    explanation.arguments_unusable("/amount", "too large"),
    explanation.arguments_out_of_scope([Violation(pointer="/amount", message="no number")]),
    explanation.scope_unusable("a schema is an object"),
    explanation.widens_rights(),
    explanation.high_risk("critical"),
    *(
        made
        for version in (None, 7)
        for made in (
            explanation.freeze_window(WINDOW, version),
            explanation.freeze_window(CLOSED, version),
            explanation.freeze_unknown(CLOSED, version, "ValueError"),
            explanation.denied_before("act_1", version),
            explanation.agent_not_listed("refund-agent", "2.1", version),
            explanation.agent_not_listed("refund-agent", None, version),
            explanation.rule_error(RULE, version, "no such key"),
            explanation.no_threshold(version),
            explanation.audit_sample(0.05, version),
        )
    ),
    *(explanation.invalid_score(source) for source in ScoreSource),
    *(explanation.no_score(source, 3) for source in ScoreSource),
    *(explanation.below_threshold(0.865, 0.9, source, 3) for source in ScoreSource),
    explanation.below_certified(0.7, 0.925, ScoreSource.CALIBRATED),
    explanation.canary(Level.THRESHOLD, Level.REVIEW_ALL, 0.1),
    explanation.unknown_agent_version("refund-agent", "2.1"),
    explanation.unknown_agent_version("refund-agent", None),
    explanation.autonomy(Level.SHADOW, Level.SHADOW, Level.AUTONOMOUS),
    explanation.autonomy(Level.SHADOW, Level.THRESHOLD, Level.SHADOW),
    explanation.autonomy(Level.REVIEW_ALL, Level.REVIEW_ALL, Level.AUTONOMOUS),
    explanation.autonomy(Level.REVIEW_ALL, Level.THRESHOLD, Level.REVIEW_ALL),
    explanation.earlier_verdict(Verdict.DENY),
]


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: reason.code)
def test_every_reason_of_the_engine_is_said_in_german(reason: Reason) -> None:
    with translation.override("de"):
        assert title_in_words(reason.code, reason.title) != reason.title
        assert detail_in_words(reason.detail) != reason.detail
    with translation.override("en"):
        assert title_in_words(reason.code, reason.title) == reason.title
        assert detail_in_words(reason.detail) == reason.detail


def test_values_stand_in_the_german_sentence() -> None:
    reason = explanation.below_threshold(0.865, 0.9, ScoreSource.CALIBRATED, 3)
    with translation.override("de"):
        assert detail_in_words(reason.detail) == (
            "Die Wahrscheinlichkeit, dass es richtig ist, beträgt 86,5 % (der kalibrierte Wert); "
            "verlangt sind "
            "90 % (Richtlinie, Version 3)."
        )


def test_what_a_person_wrote_stays_as_it_is() -> None:
    matched = explanation.rule_matched(RULE, 3)
    error = explanation.rule_error(HELD, 3, "no such key")
    with translation.override("de"):
        assert title_in_words(matched.code, matched.title) == "Low confidence"
        assert detail_in_words(matched.detail) == (
            "Die Regel refund.large (Richtlinie, Version 3) verweigert solche Aktionen."
        )
        assert detail_in_words(explanation.rule_matched(HELD, 3).detail) == (
            "Die Regel refund.odd (Richtlinie, Version 3) verlangt für solche Aktionen eine Prüfung."
        )
        assert detail_in_words(error.detail) == (
            "Die Regel refund.odd „Odd {amount}“ (Richtlinie, Version 3) gab keine Antwort: no such key."
        )
        assert title_in_words("freeze_window", "Freeze: Year end") == "Sperrzeit: Year end"
        assert detail_in_words("Whatever else was stored.") == "Whatever else was stored."


@pytest.mark.parametrize("rule", [RULE, HELD, None], ids=["refused", "held", "none"])
@pytest.mark.parametrize("score", [0.95, 0.7, None])
@pytest.mark.parametrize("applied", [True, False])
@pytest.mark.parametrize("rules", [0, 1, 4])
def test_every_near_miss_is_said_in_german(
    rule: Rule | None, score: float | None, *, applied: bool, rules: int
) -> None:
    near = (
        None
        if rule is None
        else nearness.Near(
            rule=rule, operand="args.amount", comparison=">", limit=5.5, value=5.25, distance=0.01
        )
    )
    sentence = nearness.in_words(
        score=score, threshold=0.9, applied=applied, near=near, rules=rules, version=3
    )
    with translation.override("de"):
        said = nearest_in_words(sentence)
    assert said != sentence
    assert "chance" not in said
    assert "policy" not in said
    assert "rule" not in said

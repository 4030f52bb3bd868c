"""The rule of every level stands on the page of a version, with the action type's own numbers."""

from __future__ import annotations

import pytest

from policies.choices import AutonomyLevel, Risk
from policies.models import AgentVersion
from policies.selectors.rung_rules import rules_of
from policies.tests.base import make_refund_type, make_user
from policies.tests.people import browser_of, text_of
from policies.tests.track_record import may_grant

pytestmark = pytest.mark.django_db


def test_each_level_says_what_it_takes(clerk_v1: AgentVersion) -> None:
    refund = make_refund_type(error_limit=0.03, ladder={"threshold_days": 21, "autonomous_audits": 150})
    said = {rule.level: rule.says for rule in rules_of(refund)}
    assert said == {
        AutonomyLevel.SHADOW: "Nothing runs; people decide as if it could.",
        AutonomyLevel.REVIEW_ALL: "50 comparisons in Shadow, at most 30% of them wrong by the upper limit.",
        AutonomyLevel.THRESHOLD: "A threshold from which at most 3.0% is wrong, certified; at least 20% of"
        " the actions pass it; 21 days at Review all.",
        AutonomyLevel.AUTONOMOUS: "At most 3.0% wrong over all scores, certified; 150 checks of what ran"
        " alone; 30 days at Threshold.",
    }
    page = text_of(
        browser_of(may_grant(make_user("grace"))).get(f"/autonomy/{clerk_v1.public_id}/refund.issue/")
    )
    assert all(words in page for words in said.values())


def test_what_the_declaration_locks_says_so() -> None:
    critical = make_refund_type(risk=Risk.CRITICAL)
    assert [rule.locked for rule in rules_of(critical)] == [False, False, True, True]

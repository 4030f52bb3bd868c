"""Numbers that say no more than the labels behind them carry."""

from __future__ import annotations

import pytest

from policies.choices import AutonomyLevel
from policies.models import AgentVersion
from policies.selectors.released import released
from policies.selectors.trust import TrustRow
from policies.statistics.confidence import risk_coverage, weighted_risk_coverage
from policies.statistics.intervals import WeightedRate, hajek_rate


def row(*, alone: int, checks: tuple[tuple[float, bool, int], ...]) -> TrustRow:
    return TrustRow(
        action_type_name="refund.issue",
        action_type=None,
        agent_version=AgentVersion(),
        proposed=alone,
        alone=alone,
        denied=0,
        held_by_trigger={},
        drawn=0,
        observed=0,
        errors=0,
        audited=0,
        audited_errors=0,
        error_interval=(0.0, 1.0),
        overall=WeightedRate(n=0, n_eff=0.0, rate=None, low=0.0, high=1.0),
        level=AutonomyLevel.REVIEW_ALL,
        grant=None,
        checks=checks,
    )


def test_checks_of_one_type_say_nothing_of_another_that_nobody_checked() -> None:
    checked = row(alone=100, checks=((1.0, False, 100),))
    unseen = row(alone=9_900, checks=())
    of_its_own = hajek_rate([1.0] * 100, [0.0] * 100, delta=0.025)
    alone = released([checked])
    assert (alone.wrong, alone.low, alone.high) == (0, 0.0, of_its_own.high)
    both = released([checked, unseen])
    assert both.alone == 10_000
    assert both.low == 0.0
    assert both.high == pytest.approx(0.99 + 0.01 * of_its_own.high)
    # A hundred clean checks are not to be read as "nearly nothing of ten thousand".
    assert both.wrong_high > 9_900
    assert released([unseen]).is_known is False


def test_risk_by_coverage_is_of_actions_not_of_what_people_happened_to_look_at() -> None:
    # Every held action is looked at, one of twenty of the others: surer ones, and all of them right.
    score = [0.95] * 10 + [0.5] * 100
    wrong = [0.0] * 10 + [1.0] * 20 + [0.0] * 80
    weight = [20.0] * 10 + [1.0] * 100
    curve = weighted_risk_coverage(score, wrong, weight)
    assert [at for at, _ in curve] == pytest.approx([200 / 300, 1.0])
    assert [risk for _, risk in curve] == pytest.approx([0.0, 20 / 300])
    # The control: pooled without weights the same labels say nearly three times as much.
    assert risk_coverage(score, wrong).risk[-1] == pytest.approx(20 / 110)


def test_weights_of_one_give_the_plain_curve() -> None:
    score, wrong = [0.9, 0.8, 0.7, 0.6], [0.0, 1.0, 0.0, 1.0]
    plain = risk_coverage(score, wrong)
    found = weighted_risk_coverage(score, wrong, [1.0] * 4)
    assert [at for at, _ in found] == pytest.approx(list(plain.coverage))
    assert [risk for _, risk in found] == pytest.approx(list(plain.risk))

"""The curve of the evidence: what it ends at is what the rule of the rung goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from policies.models import ActionType, AgentVersion
from policies.selectors import evidence as questions
from policies.selectors.ladder_words import trajectory
from policies.tests.base import make_policy, make_refund_type
from policies.tests.test_ladder import QUICK
from policies.tests.track_record import Record

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(("labels", "on_the_grid"), [(40, False), (90, True)])
def test_the_curve_ends_where_the_evidence_stands(
    clerk_v1: AgentVersion, alice: User, labels: int, on_the_grid: bool
) -> None:
    refund: ActionType = make_refund_type(error_limit=0.1, ladder=QUICK)
    make_policy(refund, alice, threshold=0.5, audit_rate=0.01)
    record = Record(clerk_v1)
    for place in range(labels):
        record.answer(record.act(confidence=0.6 + 0.35 * (place % 10) / 9))
    record.settle()
    found = questions.evidence_of(clerk_v1, refund, record.clock.now)
    assert found is not None
    starts = questions.starting_points(found.tally)
    assert bool(starts) is on_the_grid
    curve = trajectory(found)
    assert curve is not None
    last = curve.series[0].points[-1]
    assert last.y is not None
    if not on_the_grid:
        # Nothing is on the grid before there is one: all labels together.
        assert last.n == labels
        return
    best = max(starts, key=lambda point: point.highest_log_e)
    # Forty labels came after the fifty that fixed the grid.
    assert last.n == best.n < 40
    assert 10**last.y == pytest.approx(questions.situation_of(found, grant=None).e)

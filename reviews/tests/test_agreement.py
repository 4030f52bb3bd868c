"""Agreement between reviewers, computed from what two people said of the same actions."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from hitl_site.lib.clock import database_now
from policies.models import DoubleReview
from policies.selectors.agreement import NOTHING, agreement
from policies.services import double_reviews
from policies.statistics.agreement import krippendorff_alpha
from policies.statistics.agreement_interval import alpha_interval, alphas_of
from reviews.tests.cast import Cast, make_cast, propose

LETTERS = {"a": "approve", "c": "correct", "r": "reject"}


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def _reviews(cast: Cast, pairs: str, *, propensity: float | None = 0.5) -> list[DoubleReview]:
    """Record pairs such as "aa ar": what Alice and then Bob said."""
    return [
        double_reviews.record(
            gate_check=propose(cast).gate_check,
            first_reviewer=cast.alice,
            second_reviewer=cast.bob,
            first_kind=LETTERS[pair[0]],
            second_kind=LETTERS[pair[1]],
            agreed=pair[0] == pair[1],
            propensity=propensity,
            now=database_now(),
        )
        for pair in pairs.split()
    ]


def test_nothing_reviewed_twice_is_no_agreement(cast: Cast) -> None:
    assert agreement(cast.refund, since=database_now()) == NOTHING


def test_agreement_counts_what_was_drawn_of_this_type_since_then(cast: Cast) -> None:
    _reviews(cast, "aa aa aa ar cc ac rr")
    _reviews(cast, "ar", propensity=None)  # asked for, not drawn
    since = database_now() - timedelta(hours=1)
    found = agreement(cast.refund, since=since)

    assert (found.n, found.non_approvals) == (7, 4)
    assert found.raw == pytest.approx(5 / 7)
    assert found.on_non_approvals == pytest.approx(2 / 4)
    first, second = [0, 0, 0, 0, 1, 0, 2], [0, 0, 0, 2, 1, 1, 2]
    assert found.krippendorff == krippendorff_alpha([first, second], level="ordinal")
    assert found.low is not None
    assert found.high is not None
    assert found.krippendorff is not None
    assert found.low < found.krippendorff < found.high
    assert found == agreement(cast.refund, since=since)  # the seed is fixed
    assert agreement(None, since=since) == found
    assert agreement(cast.note, since=since) == NOTHING
    assert agreement(cast.refund, since=database_now() + timedelta(hours=1)) == NOTHING


def test_a_rarely_drawn_pair_stands_for_more(cast: Cast) -> None:
    _reviews(cast, "aa", propensity=0.5)
    _reviews(cast, "ar", propensity=0.1)
    found = agreement(cast.refund, since=database_now() - timedelta(hours=1))
    assert found.raw == pytest.approx(2 / 12)
    assert found.krippendorff is not None
    assert found.krippendorff < 0.67


def test_where_everybody_always_approves_agreement_is_whole(cast: Cast) -> None:
    _reviews(cast, "aa aa")
    found = agreement(cast.refund, since=database_now() - timedelta(hours=1))
    assert (found.raw, found.krippendorff, found.low, found.high) == (1.0, 1.0, 1.0, 1.0)
    assert found.on_non_approvals is None


def test_a_pair_is_kept_once_and_settled_once(cast: Cast) -> None:
    review = _reviews(cast, "ar")[0]
    again = double_reviews.record(
        gate_check=review.gate_check,
        first_reviewer=cast.alice,
        second_reviewer=cast.dan,
        first_kind="approve",
        second_kind="approve",
        agreed=True,
        propensity=0.5,
        now=database_now(),
    )
    assert (again.pk, again.agreed) == (review.pk, False)
    now = database_now()
    settled = double_reviews.settle(double_review=review, kind="reject", now=now)
    assert (settled.settled_kind, settled.settled_at) == ("reject", now)
    later = now + timedelta(minutes=1)
    assert double_reviews.settle(double_review=review, kind="reject", now=later).settled_at == now
    with pytest.raises(double_reviews.AlreadySettled):
        double_reviews.settle(double_review=review, kind="approve", now=later)
    assert DoubleReview.objects.get().settled_kind == "reject"


def test_the_table_gives_the_same_alpha_as_the_ratings() -> None:
    random = np.random.default_rng(7)
    for _ in range(20):
        pairs = [(int(a), int(b)) for a, b in random.integers(0, 3, size=(12, 2))]
        table = np.zeros((1, 3, 3))
        for first, second in pairs:
            table[0, first, second] += 1
        expected = krippendorff_alpha(
            [[first for first, _ in pairs], [second for _, second in pairs]], level="ordinal"
        )
        assert alphas_of(table)[0] == pytest.approx(expected, abs=1e-12)


def test_more_pairs_make_the_interval_narrower() -> None:
    few = [(0, 0)] * 8 + [(0, 2), (2, 2)]
    low, high = alpha_interval(few, categories=3)
    lower, higher = alpha_interval(few * 20, categories=3)
    assert higher - lower < high - low
    with pytest.raises(ValueError, match="two ratings"):
        alpha_interval([], categories=3)

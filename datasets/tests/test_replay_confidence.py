"""What a replay says of its scores: known answers alone, in an order that says nothing."""

from __future__ import annotations

from random import Random

from datasets.replay import confidence
from datasets.replay.confidence import Scored


def scored(number: int, *, wrong_above: float) -> list[Scored]:
    """Return scores from 0 to 1 of which the low half is wrong, and of the high half this share."""
    rng = Random(7)
    scores = [(place + 0.5) / number for place in range(number)]
    return [Scored(score, score < 0.5 or rng.random() < wrong_above) for score in scores]


def test_a_score_that_ranks_certifies_a_threshold_near_where_mistakes_begin() -> None:
    found = confidence.certificate(scored(1200, wrong_above=0.0), limit=0.05)

    assert found.threshold is not None
    assert 0.45 < found.threshold < 0.65
    assert found.labels == 1150


def test_too_many_mistakes_certify_nothing_and_the_report_says_so() -> None:
    many = scored(400, wrong_above=0.2)

    assert confidence.certificate(many, limit=0.05).threshold is None
    text = confidence.section("judge", many)
    assert "at most 5% wrong, 95% sure: not enough evidence" in text
    assert text.splitlines()[0] == "judge: 400 scores with a known answer, 62.0% wrong"


def test_few_scores_say_nothing() -> None:
    assert confidence.section("judge", scored(50, wrong_above=0.0)) == (
        "judge: 50 scores with a known answer, too few to say anything."
    )

"""What a rung says of a condition agrees with whether the condition is met."""

from __future__ import annotations

import pytest

from policies.engine.facts import Level
from policies.engine.ladder import Situation, health
from policies.engine.ladder_settings import LadderSettings


@pytest.mark.parametrize(
    ("upper", "met", "says"),
    [
        (0.12, True, "7.9%, could be as high as 12%, at least 10% needed."),
        (0.0951, False, "7.9%, could be as high as 9.5%, at least 10% needed."),
    ],
)
def test_blind_reviews_are_judged_by_how_many_they_could_be_and_say_so(
    upper: float, met: bool, says: str
) -> None:
    situation = Situation(
        level=Level.REVIEW_ALL,
        cap=Level.AUTONOMOUS,
        days=20,
        comparisons=0,
        errors=0,
        upper=1,
        blind_share=0.079,
        blind_upper=upper,
    )
    (blind,) = (each for each in health(situation, LadderSettings()) if each.key == "blind")
    assert (blind.met, blind.says) == (met, says)

"""Worlds: what a simulated agent proposes, how often it is wrong, and what people say of it. Pure.

Every draw is made of the seed and the action's place, so that a run can be told again, whatever was reviewed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

START: Final = datetime(2025, 1, 6, 8, 0, tzinfo=UTC)
LOWEST_SCORE: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """An agent: wrong in ``before`` of its actions, and in ``after`` of them from the share ``change`` on.

    With a ``slope`` of 0 its score says nothing; with 1 the surest action is never wrong and the least sure
    twice as often as the average.
    """

    name: str
    title: str
    before: float
    after: float
    change: float = 1.0
    slope: float = 0.0

    def error_rate(self, score: float, *, drifted: bool) -> float:
        """Return how often an action with this score is wrong."""
        surer = (score - LOWEST_SCORE) / (1 - LOWEST_SCORE)
        return (self.after if drifted else self.before) * (1 + self.slope * (1 - 2 * surer))

    def changes_at(self, actions: int) -> int:
        """Return the place of the first action after the drift."""
        return round(self.change * actions)


WORLDS: Final = {
    world.name: world
    for world in (
        World(name="good", title="1% throughout", before=0.01, after=0.01),
        World(name="bad", title="6% throughout (bad)", before=0.06, after=0.06),
        World(name="drift", title="1%, then 10% at half", before=0.01, after=0.10, change=0.5),
        World(name="scored", title="6%, and its score knows", before=0.06, after=0.06, slope=1.0),
    )
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Crew:
    """The people: what share of errors they see, how long an answer takes, how often a check is very late.

    Somebody waits for what is held; a check of what ran alone is what gets forgotten.
    """

    catch_rate: float = 0.9
    drills: int = 60
    hours_to_review: float = 2.0
    hours_to_check: float = 12.0
    late_share: float = 0.02
    late_hours: float = 96.0

    def catches(self, rng: Random) -> bool:
        """Say whether the person sees an error that is there."""
        return rng.random() < self.catch_rate

    def delay(self, rng: Random, *, is_check: bool) -> timedelta:
        """Return how long the answer takes."""
        hours = rng.expovariate(1 / (self.hours_to_check if is_check else self.hours_to_review))
        if is_check and rng.random() < self.late_share:
            hours += self.late_hours
        return timedelta(hours=hours)


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposed:
    """One action of the world, and how wrong it truly is."""

    place: int
    at: datetime
    score: float
    wrong: bool


def proposals_of(world: World, *, actions: int, per_day: float, seed: int) -> Iterator[Proposed]:
    """Return the actions in their order, at random moments."""
    rng = Random(f"{world.name} {seed}")  # noqa: S311 - told again by its seed, no secret
    at, change = START, world.changes_at(actions)
    for place in range(actions):
        at += timedelta(days=rng.expovariate(per_day))
        score = round(LOWEST_SCORE + (1 - LOWEST_SCORE) * rng.random(), 4)
        wrong = rng.random() < world.error_rate(score, drifted=place >= change)
        yield Proposed(place=place, at=at, score=score, wrong=wrong)

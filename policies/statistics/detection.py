"""How well people catch wrong actions, and what misses do to an observed error rate (statistics.md 1.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from policies.statistics.intervals import lower_limit

# How far the rates of missing that are bet on lie between the tolerated one and missing everything.
_BETS: Final = (0.125, 0.25, 0.375, 0.5, 0.75)


def sensitivity_and_criterion(hits: int, seeded: int, false_alarms: int, clean: int) -> tuple[float, float]:
    """Return d' and c of signal detection, with the log-linear correction (Hautus 1995).

    ``hits`` of ``seeded`` wrong ones were caught, ``false_alarms`` of ``clean`` right ones objected to. A c
    above 0 is lenient: it approves.
    """
    from scipy import special

    if not 0 <= hits <= seeded or not 0 <= false_alarms <= clean:
        raise ValueError("There are not more hits than chances.")
    hit = float(special.ndtri((hits + 0.5) / (seeded + 1)))
    false = float(special.ndtri((false_alarms + 0.5) / (clean + 1)))
    return hit - false, -(hit + false) / 2


def rogan_gladen(observed: float, sensitivity: float, specificity: float) -> float:
    """Return the error rate behind an observed one, for people who miss and object wrongly (1978)."""
    reach = sensitivity + specificity - 1
    if reach <= 0:
        raise ValueError("Judgements no better than chance say nothing of the rate.")
    return min(1.0, max(0.0, (observed + specificity - 1) / reach))


def limit_to_observe(alpha: float, caught: int, seeded: int, *, delta: float = 0.05) -> float:
    """Return the observed rate to test against, so that the true one is under ``alpha`` despite misses.

    ``alpha`` times the lower limit of the catch rate, which spends half of ``delta``. Without a drill it is
    0: nothing can be certified.
    """
    return alpha * lower_limit(caught, seeded, delta / 2)


def evidence_of_misses(caught: Sequence[bool], *, least_catch: float = 0.8) -> float:
    """Return the e-value against "this person catches at least ``least_catch``", at its highest so far.

    ``caught`` are the drills with a planted error in the order of their decisions. The mean over bets on
    several rates of missing, each a likelihood ratio: under the hypothesis it exceeds 1 / delta with
    probability delta at most, however often one looks (Ville 1939; statistics.md 1.5).
    """
    if not 0 < least_catch < 1:
        raise ValueError("A catch rate lies between 0 and 1.")
    tolerated = 1 - least_catch
    bets = [tolerated + share * least_catch for share in _BETS]
    wealth, highest = [1.0] * len(bets), 1.0
    for seen in caught:
        for place, bet in enumerate(bets):
            wealth[place] *= (1 - bet) / (1 - tolerated) if seen else bet / tolerated
        highest = max(highest, sum(wealth) / len(wealth))
    return highest


def chance_of_run(length: int, *, trials: int, rate: float) -> float:
    """Return how likely a run of at least ``length`` successes is in so many trials (Feller 1968, XIII.7)."""
    if length < 1 or trials < 0 or not 0 <= rate <= 1:
        raise ValueError("A run is of at least one of some trials, each with a chance.")
    # without[n]: no such run in n trials. The first one that ends at n begins behind a failure.
    whole = rate**length
    without = [1.0] * min(length, trials + 1)
    for n in range(length, trials + 1):
        before = without[n - length - 1] if n > length else None
        without.append(1 - whole if before is None else without[n - 1] - (1 - rate) * whole * before)
    return min(1.0, max(0.0, 1 - without[trials]))

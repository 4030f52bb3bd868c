"""How well people catch wrong actions, and what misses do to an observed error rate (statistics.md 1.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

# How far the rates of missing that are bet on lie between the tolerated one and missing everything.
_BETS: Final = (0.125, 0.25, 0.375, 0.5, 0.75)


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

"""How well people catch wrong actions, and what misses do to an observed error rate (statistics.md 1.5)."""

from __future__ import annotations

from policies.statistics.intervals import lower_limit


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

"""How much to audit: rates from what one wants to find, and Dodge's plan to compare (statistics.md 1.3)."""

from __future__ import annotations

import math

from scipy import special


def audit_rate_for_delay(p0: float, p1: float, n_actions: int, run_length: float) -> tuple[float, float]:
    """Return (rate, labels) to find a jump from ``p0`` to ``p1`` within about ``n_actions`` actions.

    First order: labels = ln(run length) / KL(p1 || p0). Above a five-fold jump multiply by 1.2.
    """
    if not 0 < p0 < p1 < 1:
        raise ValueError("The tolerated rate lies under the bad one.")
    divergence = float(special.rel_entr(p1, p0) + special.rel_entr(1 - p1, 1 - p0))
    labels = math.log(run_length) / divergence
    return min(1.0, labels / n_actions), labels

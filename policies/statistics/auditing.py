"""How much to audit: rates from what one wants to find, and Dodge's plan to compare (statistics.md 1.3)."""

from __future__ import annotations

import math

import numpy as np
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


def audit_rate_first_hit(p1: float, n_actions: int, miss: float) -> float:
    """Return the rate that shows an error among ``n_actions`` at the rate ``p1``, but for ``miss``."""
    return float(min(1.0, (1 - miss ** (1.0 / n_actions)) / p1))


def csp1(p: float, clean_run: int, fraction: float) -> tuple[float, float]:
    """Return (share inspected, outgoing error rate) of the continuous sampling plan CSP-1 (Dodge 1943).

    Everything is inspected until ``clean_run`` in a row are right, then a ``fraction``, until the next error.
    It assumes perfect inspection and caught errors undone: a comparison, never evidence.
    """
    if p <= 0:
        return fraction, 0.0
    q = 1.0 - p
    if q <= 0:
        return 1.0, 0.0
    inspecting = (1 - q**clean_run) / (p * q**clean_run)
    sampling = 1.0 / (fraction * p)
    share = (inspecting + fraction * sampling) / (inspecting + sampling)
    return share, p * (1 - share)


def csp1_worst(clean_run: int, fraction: float) -> tuple[float, float]:
    """Return (the worst outgoing error rate of the plan, the true rate at which it comes about)."""
    # Half a second and 20 MB for each process that imports it, and nearly none asks this.
    from scipy import optimize

    grid = np.geomspace(1e-7, 0.9, 400)
    peak = int(np.argmax([csp1(float(p), clean_run, fraction)[1] for p in grid]))
    found = optimize.minimize_scalar(
        lambda p: -csp1(float(p), clean_run, fraction)[1],
        bounds=(grid[max(peak - 1, 0)], grid[min(peak + 1, len(grid) - 1)]),
        method="bounded",
        options={"xatol": 1e-12},
    )
    return float(-found.fun), float(found.x)

"""How many reviewers the busiest hour needs: the M/M/c queue (Erlang 1917; statistics.md 1.7).

For deadlines of minutes. With deadlines of hours a backlog worked off is the better picture: `backlog`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Service:
    """What a number of reviewers gives: chance to wait, share begun in time, mean wait, share busy."""

    p_wait: float
    service_level: float
    mean_wait_minutes: float
    occupancy: float


@dataclass(frozen=True, kw_only=True)
class Staffing:
    """Reviewers needed at work at once, and on the roster when some are always away."""

    at_work: int
    rostered: int
    service: Service


def erlang_c(servers: int, load: float) -> float:
    """Return the chance that a new item waits; ``load`` is arrivals times handling time, in erlangs."""
    if load >= servers:
        return 1.0
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return blocked / (1 - (load / servers) * (1 - blocked))


def service(
    servers: int, per_hour: float, minutes: float, within_minutes: float, *, cv: float = 1.0
) -> Service:
    """Return how ``servers`` reviewers fare with ``per_hour`` items of ``minutes`` each.

    ``cv`` is the coefficient of variation of the handling time: the mean wait grows by (1 + cv^2) / 2 (Allen
    and Cunneen).
    """
    load = per_hour * minutes / 60
    if load >= servers:
        return Service(p_wait=1.0, service_level=0.0, mean_wait_minutes=math.inf, occupancy=1.0)
    waits = erlang_c(servers, load)
    return Service(
        p_wait=waits,
        service_level=1 - waits * math.exp(-(servers - load) * within_minutes / minutes),
        mean_wait_minutes=waits * minutes / (servers - load) * (1 + cv * cv) / 2,
        occupancy=load / servers,
    )


def staff_needed(
    per_hour: float,
    minutes: float,
    within_minutes: float,
    target: float,
    *,
    max_occupancy: float = 0.85,
    shrinkage: float = 0.3,
) -> Staffing:
    """Return the fewest reviewers that begin ``target`` of the items in time and are not busier than allowed.

    ``shrinkage`` is the share of paid time that is not spent reviewing.
    """
    if not 0 < target < 1 or not 0 < max_occupancy <= 1 or not 0 <= shrinkage < 1:
        raise ValueError("Shares lie between 0 and 1.")
    servers = max(1, math.floor(per_hour * minutes / 60) + 1)
    while True:
        found = service(servers, per_hour, minutes, within_minutes)
        if found.service_level >= target and found.occupancy <= max_occupancy:
            return Staffing(at_work=servers, rostered=math.ceil(servers / (1 - shrinkage)), service=found)
        servers += 1


def backlog(arrivals: Sequence[float], capacity: Sequence[float], *, waiting: float = 0.0) -> list[float]:
    """Return what waits at the end of each hour, from arrivals and capacity an hour, in items."""
    left = []
    for came, could in zip(arrivals, capacity, strict=True):
        waiting = max(0.0, waiting + came - could)
        left.append(waiting)
    return left

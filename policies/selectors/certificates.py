"""The certified threshold of an action type, worked out once for the same labels and the same population."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from policies.selectors.evidence_limits import Limits
from policies.statistics import certificate
from policies.statistics.certificate import SCORES_FOR_A_GRID, Certificate
from policies.statistics.columns import Columns

Array = NDArray[Any]
_MOST_KEPT: Final = 32
_kept: OrderedDict[Hashable, Certificate] = OrderedDict()
_kept_lock = Lock()


@dataclass(frozen=True, slots=True)
class Population:
    """The actions of a chunk with their score, and which of them something else than the score stops.

    What a rule or anything else stops runs at no threshold: its label would speak for actions that the
    threshold never lets through.
    """

    chunk: Columns
    score: Array
    stopped: Array

    def first(self) -> tuple[Array, Array]:
        """Return check and score of the first actions whose scores may fix the grid."""
        usable = np.flatnonzero(~(np.isnan(self.score) | self.stopped))
        order = np.argsort(self.chunk.check[usable], kind="stable")[:SCORES_FOR_A_GRID]
        return self.chunk.check[usable[order]], self.score[usable[order]]

    def labels(self) -> tuple[Array, Array, Array, Array]:
        """Return check, score, whether wrong, and weight of the labels of what only the score decides."""
        judged = self.chunk.judged
        score, shares = self.score[judged], self.chunk.shares
        kept = ~(np.isnan(score) | self.stopped[judged]) & (shares > 0)
        return self.chunk.check[judged[kept]], score[kept], self.chunk.wrong[kept], shares[kept]


def certified_by(parts: Sequence[Population], *, repeats: Array, limits: Limits, of: Hashable) -> Certificate:
    """Return what the labels certify; ``of`` names the labels, so that the same are worked out once.

    ``repeats`` are checks whose label is that of an event which an earlier one has told of: an event is one.
    """
    key = (of, limits.alpha, limits.delta)
    with _kept_lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    found = _certified(parts, limits, repeats)
    with _kept_lock:
        _kept[key] = found
        if len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return found


def _certified(parts: Sequence[Population], limits: Limits, repeats: Array) -> Certificate:
    """Ask the labels in the order of sampling, up to the first that is still awaited."""
    early, scores = _first(parts)
    # Too few scores: there is no grid yet, and nothing is certified.
    grid = certificate.grid_of(scores) if len(scores) == SCORES_FOR_A_GRID else []
    empty = tuple(np.zeros(0, dtype=kind) for kind in ("i8", "f4", "?", "f4"))
    check, score, wrong, weight = (
        np.concatenate(arrays) for arrays in zip(empty, *(part.labels() for part in parts), strict=True)
    )
    if (check[1:] < check[:-1]).any():
        order = np.argsort(check, kind="stable")
        check, score, wrong, weight = check[order], score[order], wrong[order], weight[order]
    awaited = [part.chunk.awaited for part in parts if part.chunk.awaited is not None]
    counted = np.ones(int(np.searchsorted(check, min(awaited))) if awaited else len(check), dtype=bool)
    check = check[: len(counted)]
    # The label of an action never counts on a grid that its score helped to fix.
    left_out = np.concatenate([early, repeats])
    places = np.searchsorted(check, left_out)
    left_out, places = left_out[places < len(check)], places[places < len(check)]
    counted[places[check[places] == left_out]] = False
    return certificate.certify(
        grid=grid,
        score=score[: len(counted)][counted],
        loss=wrong[: len(counted)][counted],
        weight=weight[: len(counted)][counted],
        limit=limits.alpha,
        delta=limits.delta,
    )


def _first(parts: Sequence[Population]) -> tuple[Array, Array]:
    """Return check and score of the first actions of all chunks, as many as fix a grid."""
    check, score = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32)
    begins = {number: int(part.chunk.check.min()) for number, part in enumerate(parts) if len(part.chunk)}
    for number in sorted(begins, key=lambda number: begins[number]):
        if len(check) == SCORES_FOR_A_GRID and check[-1] < begins[number]:
            break
        more_checks, more_scores = parts[number].first()
        check, score = np.concatenate([check, more_checks]), np.concatenate([score, more_scores])
        order = np.argsort(check, kind="stable")[:SCORES_FOR_A_GRID]
        check, score = check[order], score[order]
    return check, score

"""The certified threshold of an action type, worked out once for the same labels and the same population."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from policies.selectors.evidence_limits import Limits
from policies.statistics import certificate
from policies.statistics.certificate import SCORES_FOR_A_GRID, Certificate
from policies.statistics.columns import Columns, Flag, Label

Array = NDArray[Any]
_MOST_KEPT: Final = 32
_kept: OrderedDict[Hashable, Certificate] = OrderedDict()
_kept_lock = Lock()


@dataclass(frozen=True, slots=True)
class LabelsOfChunk:
    """What a chunk adds: its labels with a score, the scores that may fix the grid, and who is waited for.

    Only of what the score alone decides: what a rule or anything else stops runs at no threshold, and its
    labels would speak for actions that the threshold never lets through.
    """

    check: Array
    score: Array
    wrong: Array
    weight: Array
    # Of the first actions of the chunk: check and score.
    first: tuple[Array, Array]
    # The first check that a person is still to answer.
    awaited: int | None

    @classmethod
    def of(cls, chunk: Columns, *, score: Array, stopped: Array) -> LabelsOfChunk:
        """Return the labels of a chunk; its weights are the lowest propensity over the one used."""
        usable = ~(np.isnan(score) | stopped)
        judged = chunk.judged[usable[chunk.judged]]
        weight = chunk.min_propensity[judged].astype(np.float64) / chunk.propensity[judged]
        judged, weight = judged[weight > 0], weight[weight > 0]
        early = np.flatnonzero(usable)
        if len(early) > SCORES_FOR_A_GRID:
            early = early[np.argpartition(chunk.check[early], SCORES_FOR_A_GRID)[:SCORES_FOR_A_GRID]]
        open_ones = chunk.check[((chunk.flags & Flag.SAMPLED) > 0) & (chunk.label == Label.NONE)]
        return cls(
            check=chunk.check[judged],
            score=score[judged],
            wrong=chunk.label[judged] == Label.WRONG,
            weight=np.minimum(weight, 1.0),
            first=(chunk.check[early], score[early]),
            awaited=int(open_ones.min()) if len(open_ones) else None,
        )


def certified_by(
    parts: Callable[[], Sequence[LabelsOfChunk]], *, repeats: Array, limits: Limits, of: Hashable
) -> Certificate:
    """Return what the labels certify; ``of`` names the labels, so that the same are worked out once.

    ``repeats`` are checks whose label is that of an event which an earlier one has told of: an event is one.
    """
    key = (of, limits.alpha, limits.delta)
    with _kept_lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    found = _certified(parts(), limits, repeats)
    with _kept_lock:
        _kept[key] = found
        if len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return found


def _certified(parts: Sequence[LabelsOfChunk], limits: Limits, repeats: Array) -> Certificate:
    """Ask the labels in the order of sampling, up to the first that is still awaited."""
    check = _joined("i8", [part.check for part in parts])
    score = _joined("f4", [part.score for part in parts])
    wrong = _joined("?", [part.wrong for part in parts])
    weight = _joined("f8", [part.weight for part in parts])
    early = _joined("i8", [part.first[0] for part in parts])
    order = np.argsort(early, kind="stable")[:SCORES_FOR_A_GRID]
    scores = _joined("f4", [part.first[1] for part in parts])[order]
    # Too few scores: there is no grid yet, and nothing is certified.
    grid = certificate.grid_of(scores) if len(scores) == SCORES_FOR_A_GRID else []
    # The label of an action never counts on a grid that its score helped to fix.
    counted = ~np.isin(check, repeats) & ~np.isin(check, early[order])
    awaited = [part.awaited for part in parts if part.awaited is not None]
    if awaited:
        counted &= check < min(awaited)
    places = np.flatnonzero(counted)
    places = places[np.argsort(check[places], kind="stable")]
    return certificate.certify(
        grid=grid,
        score=score[places],
        loss=wrong[places].astype(np.float64),
        weight=weight[places],
        limit=limits.alpha,
        delta=limits.delta,
    )


def _joined(kind: str, arrays: Sequence[Array]) -> Array:
    return np.concatenate([np.zeros(0, dtype=kind), *arrays])

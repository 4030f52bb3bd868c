"""The certified threshold of an action type, worked out once for the same labels."""

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
from policies.statistics.certificate import Certificate
from policies.statistics.columns import Columns, Flag, Label

Array = NDArray[Any]
_MOST_KEPT: Final = 32
_kept: OrderedDict[Hashable, Certificate] = OrderedDict()
_kept_lock = Lock()


@dataclass(frozen=True, slots=True)
class LabelsOfChunk:
    """What a chunk adds: scores, labels, whether a person was to look, and what no policy decides."""

    check: Array
    score: Array
    label: Array
    weight: Array
    sampled: Array
    fixed: Array

    @classmethod
    def of(cls, chunk: Columns, score: Array) -> LabelsOfChunk:
        """Return the labels of a chunk; its weights are the lowest propensity over the one used."""
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = np.where(chunk.propensity > 0, chunk.min_propensity / chunk.propensity, 0.0)
        return cls(
            check=chunk.check,
            score=score,
            label=chunk.label,
            weight=weight,
            sampled=(chunk.flags & Flag.SAMPLED) > 0,
            fixed=(chunk.flags & (Flag.FIXED_HOLD | Flag.FIXED_DENY)) > 0,
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
    check, score, label, weight, sampled, fixed = (
        np.concatenate([np.zeros(0, dtype=kind), *(getattr(part, name) for part in parts)])
        for name, kind in (
            ("check", "i8"), ("score", "f4"), ("label", "u1"), ("weight", "f8"), ("sampled", "?"),
            ("fixed", "?"),
        )
    )  # fmt: skip
    order = np.argsort(check, kind="stable")
    score, label, weight = score[order], label[order], weight[order]
    sampled, fixed = sampled[order], fixed[order]
    usable = ~np.isnan(score) & ~fixed
    first = np.flatnonzero(usable)[: certificate.SCORES_FOR_A_GRID]
    # Too few scores: there is no grid yet, and nothing is certified.
    grid = certificate.grid_of(score[first]) if len(first) == certificate.SCORES_FOR_A_GRID else []
    awaited = np.flatnonzero(sampled & (label == Label.NONE))
    counted = usable & ((label == Label.RIGHT) | (label == Label.WRONG)) & (weight > 0)
    if len(awaited):
        counted[int(awaited[0]) :] = False
    counted &= ~np.isin(check[order], repeats)
    # Its own label never counts on a grid that its score helped to fix.
    counted[first] = False
    return certificate.certify(
        grid=grid,
        score=score[counted],
        loss=(label[counted] == Label.WRONG).astype(np.float64),
        weight=np.minimum(weight[counted], 1.0),
        limit=limits.alpha,
        delta=limits.delta,
    )

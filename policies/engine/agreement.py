"""Agreement among samples: how many of an agent's other proposals for the same step say the same.

A sample is the arguments alone, or an object with ``arguments`` and perhaps ``action_type``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

_WRAPPED = ({"arguments"}, {"action_type", "arguments"})


def agreement(samples: Sequence[object] | None, *, action_type: str, arguments: object) -> float | None:
    """Return the share of the samples that propose this very act; None where there are no samples."""
    if not samples:
        return None
    own = _canonical(arguments)
    same = sum(_proposes(sample, action_type=action_type, arguments=own) for sample in samples)
    return same / len(samples)


def _proposes(sample: object, *, action_type: str, arguments: str) -> bool:
    if isinstance(sample, Mapping) and sample.keys() in _WRAPPED and isinstance(sample["arguments"], Mapping):
        # An act whose own arguments have this form is compared as a whole as well.
        named = sample.get("action_type", action_type)
        if named == action_type and _canonical(sample["arguments"]) == arguments:
            return True
    return _canonical(sample) == arguments


def _canonical(value: object) -> str:
    """Return a text that is the same for equal JSON values: 1 and 1.0 are one number, true is none."""
    return json.dumps(_numbers_alike(value), sort_keys=True, ensure_ascii=True)


def _numbers_alike(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(name): _numbers_alike(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers_alike(member) for member in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value

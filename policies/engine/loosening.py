"""Whether one policy is looser than another: what decides how many people a publication takes.

The promise: where `loosens` finds nothing, there are no facts on which the later policy answers more mildly
than the earlier one, asks fewer people, or has less of what runs alone looked at. The reverse does not hold,
since what cannot be compared counts as loosening.
"""

from __future__ import annotations

from policies.engine.difference import Effect, differences
from policies.engine.policy import PolicyDocument


def loosens(before: PolicyDocument | None, after: PolicyDocument) -> tuple[str, ...]:
    """Return a sentence for everything by which `after` might let pass what `before` held."""
    return _with(Effect.LOOSENS, before, after)


def tightens(before: PolicyDocument | None, after: PolicyDocument) -> tuple[str, ...]:
    """Return a sentence for everything by which `after` holds what `before` might let pass."""
    return _with(Effect.TIGHTENS, before, after)


def _with(effect: Effect, before: PolicyDocument | None, after: PolicyDocument) -> tuple[str, ...]:
    return tuple(each.sentence for each in differences(before, after) if each.effect is effect)

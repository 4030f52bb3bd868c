"""What an action type asks of evidence: its limit, its error budget, and what reviewers miss of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from policies.choices import Risk
from policies.engine.ladder_settings import InvalidLadder, LadderSettings, default_limit
from policies.models import ActionType
from policies.selectors.catch_rate import CatchRate, catch_rate

# Fewer planted errors of one type say less than those of all types together.
ENOUGH_DRILLS: Final = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """The rate to test against and the level, as statistics.md 1.5 corrects them for what reviewers miss.

    ``alpha`` is the limit times the lower limit of the catch rate, which spends half of the error budget.
    Without a drill there is nothing to correct with, and ``catch`` is None. ``delta`` is what is left for the
    labels; the ``budget`` is both halves, and what is said of ``limit`` holds with no more than 1 - budget.
    """

    limit: float
    alpha: float
    delta: float
    catch: CatchRate | None
    pooled: bool = False

    @property
    def budget(self) -> float:
        """Return the chance that what is certified under ``limit`` lies above it after all."""
        return self.delta if self.catch is None else 2 * self.delta

    def delta_of(self, attempt: int) -> float:
        """Return the share of the budget that this attempt may spend; over all attempts they sum to it."""
        # scipy comes with it, which only whoever computes should pay for.
        from policies.statistics.evidence import retry_delta

        return retry_delta(self.delta, attempt)


def is_costly(action_type: ActionType) -> bool:
    """Say whether a wrong action of this type costs much: the stricter defaults hold, and two people sign."""
    return (
        action_type.risk in (Risk.HIGH, Risk.CRITICAL)
        or action_type.irreversible
        or action_type.widens_rights
    )


def settings_of(action_type: ActionType) -> LadderSettings:
    """Return the settings of the ladder for this action type."""
    document = action_type.ladder if isinstance(action_type.ladder, dict) else {}
    costly = is_costly(action_type)
    try:
        return LadderSettings.read(document, costly=costly)
    except InvalidLadder:
        # A declaration is checked when it is made; what came otherwise loosens nothing.
        return LadderSettings.read({}, costly=costly)


def error_limit_of(action_type: ActionType) -> float:
    """Return the share of wrong actions among those that run alone which is not to be passed."""
    return action_type.error_limit or default_limit(costly=is_costly(action_type))


def delta_of(action_type: ActionType) -> float:
    """Return the chance of a wrong promotion that this action type bears, over all attempts."""
    return settings_of(action_type).delta


def limits_of(action_type: ActionType) -> Limits:
    """Return what evidence of this type is tested against now."""
    limit, delta = error_limit_of(action_type), delta_of(action_type)
    own = catch_rate(action_type, delta=delta / 2)
    found = own if own.planted >= ENOUGH_DRILLS else catch_rate(None, delta=delta / 2)
    if found.planted == 0:
        return Limits(limit=limit, alpha=limit, delta=delta, catch=None)
    # What nobody ever caught certifies nothing; a rate of 0 could not even be tested.
    alpha = max(limit * found.lower, 1e-6)
    return Limits(
        limit=limit,
        alpha=alpha,
        delta=delta / 2,
        catch=found,
        pooled=own.planted < ENOUGH_DRILLS,
    )

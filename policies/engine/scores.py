"""Which score a policy asks for, and what its threshold makes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from policies.engine import explanation
from policies.engine.explanation import Reason
from policies.engine.facts import Facts, Level, ScoreSource
from policies.engine.policy import PolicyDocument


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The score that was used with its source, and the reasons it gives to hold the action."""

    score: float | None
    source: ScoreSource | None
    reasons: tuple[Reason, ...]


def is_number(value: object) -> bool:
    """Return whether the value is a finite number; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def probability(value: float | None) -> float | None:
    """Return the value as a probability, None when it is none."""
    if value is None or not is_number(value) or not 0 <= value <= 1:
        return None
    return float(value)


def judge_score(facts: Facts, level: Level) -> Scored:
    """Return the score the policy asks for and what speaks against it at this level.

    A score that is no probability holds the action at every level, whether or not it is the one asked
    for. The threshold speaks at every level but `autonomous`, so that a reviewer of an agent that is
    not yet trusted sees it too.
    """
    given = {
        ScoreSource.AGENT: facts.confidence,
        ScoreSource.JUDGE: facts.judge_score,
        ScoreSource.SAMPLES: facts.sample_agreement,
    }
    usable: list[tuple[float, ScoreSource]] = []
    reasons: list[Reason] = []
    for giver, value in given.items():
        chance = probability(value)
        if chance is not None:
            usable.append((chance, giver))
        elif value is not None:
            reasons.append(explanation.invalid_score(giver))
    policy = facts.policy
    if policy is None:
        return Scored(score=None, source=None, reasons=tuple(reasons))
    score, source = _asked(policy, usable)
    against = _against(policy, facts, level, score, source)
    if against is not None:
        reasons.append(against)
    return Scored(score=score, source=source, reasons=tuple(reasons))


def _asked(
    policy: PolicyDocument, usable: list[tuple[float, ScoreSource]]
) -> tuple[float | None, ScoreSource | None]:
    """Return the score that the policy goes by, and where it comes from."""
    calibration = policy.calibration
    wanted = policy.score if calibration is None else calibration.of
    asked = [each for each in usable if wanted in (ScoreSource.LOWEST, each[1])]
    score, source = min(asked, default=(None, None))
    if calibration is None or score is None:
        return score, source
    return calibration.apply(score), ScoreSource.CALIBRATED


def threshold_in_force(facts: Facts, level: Level) -> float | None:
    """Return the stricter of the policy's threshold and the certified one of the grant, if it is in force."""
    asked = [facts.policy.threshold if facts.policy is not None else None]
    if level is Level.THRESHOLD:
        asked.append(facts.terms.threshold)
    # What is no number must not be taken for a low one.
    named = [value if is_number(value) else 1.0 for value in asked if value is not None]
    return max(named, default=None)


def _against(
    policy: PolicyDocument,
    facts: Facts,
    level: Level,
    score: float | None,
    source: ScoreSource | None,
) -> Reason | None:
    if level is Level.AUTONOMOUS:
        return None
    version, threshold = facts.policy_version, threshold_in_force(facts, level)
    if threshold is None:
        return explanation.no_threshold(version) if level is Level.THRESHOLD else None
    if score is None or source is None:
        return explanation.no_score(policy.score, version)
    # Asked this way round, a comparison with something that is no number holds the action.
    if not score >= threshold:
        if threshold != policy.threshold:
            return explanation.below_certified(score, threshold, source)
        return explanation.below_threshold(score, threshold, source, version)
    return None

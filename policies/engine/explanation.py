"""Reasons in plain words: what a reviewer, an agent's developer and an auditor read.

Codes are stable and for programs; titles and details are sentences. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from policies.engine.facts import Level, ScoreSource, Trigger, Verdict
from policies.engine.freezing import FreezeWindow
from policies.engine.rules import Rule
from policies.engine.scope import Violation

_SCORE_NAMES = {
    ScoreSource.AGENT: "the agent's own score",
    ScoreSource.JUDGE: "the judge's score",
    ScoreSource.SAMPLES: "the agreement among the agent's samples",
    ScoreSource.LOWEST: "the lowest of the scores given",
    ScoreSource.CALIBRATED: "the calibrated score",
}

# Within one strictness the reason that says most about this action comes first, and the one that
# holds every action of the agent comes last.
_ORDER = (
    "kill_switch",
    "agent_inactive",
    "unknown_action_type",
    "no_policy",
    "invalid_facts",
    "engine_error",
    "arguments_unusable",
    "arguments_out_of_scope",
    "scope_unusable",
    "widens_rights",
    "freeze_window",
    "denied_before",
    "rule_matched",
    "high_risk",
    "rule_error",
    "invalid_score",
    "no_score",
    "below_threshold",
    "no_threshold",
    "agent_not_listed",
    "unknown_agent_version",
    "autonomy_shadow",
    "autonomy_review_all",
    "autonomy_canary",
    "earlier_verdict",
)


@dataclass(frozen=True, kw_only=True)
class Reason:
    """One matched reason. `strictness` is the verdict that this reason alone asks for."""

    code: str
    trigger: Trigger
    title: str
    detail: str
    strictness: Verdict = Verdict.REVIEW
    rule: str | None = None


def strictest_first(reasons: Sequence[Reason]) -> tuple[Reason, ...]:
    """Return the reasons without doubles, strictest first, in an order that never depends on chance."""
    unique = dict.fromkeys(reasons)
    return tuple(sorted(unique, key=lambda reason: (-reason.strictness.strictness, _place(reason.code))))


def _place(code: str) -> int:
    return _ORDER.index(code) if code in _ORDER else len(_ORDER)


def percent(value: float, *, beside: float | None = None) -> str:
    """Return a share in percent, exact to a hundredth, with more digits if it must differ from `beside`."""
    text = ""
    for digits in (0, 1, 2, 4, 6, 9):
        text = _rounded(value, digits)
        exact = abs(float(text) - value * 100) <= 0.005
        if exact and (beside is None or value == beside or text != _rounded(beside, digits)):
            break
    return text + "%"


def _rounded(value: float, digits: int) -> str:
    text = f"{value * 100:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def policy_named(version: int | None) -> str:
    """Return how a detail refers to the policy."""
    return "the policy" if version is None else f"policy version {version}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def kill_switch() -> Reason:
    return Reason(
        code="kill_switch",
        trigger=Trigger.POLICY_EDGE,
        title="Stopped by the kill switch",
        detail="The kill switch is on: nothing runs until a person lifts it.",
        strictness=Verdict.DENY,
    )


def agent_inactive(agent: str) -> Reason:
    return Reason(
        code="agent_inactive",
        trigger=Trigger.POLICY_EDGE,
        title="The agent is not active",
        detail=f"The agent {agent} is paused or retired, so nothing it proposes may run.",
        strictness=Verdict.DENY,
    )


def unknown_action_type() -> Reason:
    return Reason(
        code="unknown_action_type",
        trigger=Trigger.POLICY_EDGE,
        title="Unknown action type",
        detail="No action type of this name is declared, so nobody has said what it may do.",
    )


def no_policy() -> Reason:
    return Reason(
        code="no_policy",
        trigger=Trigger.POLICY_EDGE,
        title="No policy in force",
        detail="No policy is in force for this action type, so a person decides.",
    )


def invalid_facts(what: str) -> Reason:
    return Reason(
        code="invalid_facts",
        trigger=Trigger.POLICY_EDGE,
        title="The check lacked something it needs",
        detail=f"The check could not be made in full ({what}), so a person decides.",
    )


def engine_error(kind: str) -> Reason:
    return Reason(
        code="engine_error",
        trigger=Trigger.POLICY_EDGE,
        title="The check failed",
        detail=f"The check itself failed ({kind}), so a person decides.",
    )


def arguments_unusable(pointer: str, message: str) -> Reason:
    return Reason(
        code="arguments_unusable",
        trigger=Trigger.POLICY_EDGE,
        title="The arguments could not be checked",
        detail=f"At {pointer or 'the top'}: {message}.",
    )


def arguments_out_of_scope(violations: Sequence[Violation]) -> Reason:
    places = "; ".join(f"{each.pointer or 'the arguments'}: {each.message}" for each in violations)
    return Reason(
        code="arguments_out_of_scope",
        trigger=Trigger.POLICY_EDGE,
        title="Outside the declared scope",
        detail=f"The arguments leave what this action type declares. {places}",
    )


def scope_unusable(message: str) -> Reason:
    return Reason(
        code="scope_unusable",
        trigger=Trigger.POLICY_EDGE,
        title="The declared scope could not be checked",
        detail=f"The argument schema of this action type cannot be used ({message}).",
    )


def widens_rights() -> Reason:
    return Reason(
        code="widens_rights",
        trigger=Trigger.HIGH_RISK,
        title="Widens the agent's own rights",
        detail="What gives an agent more rights than it has is never allowed without a person.",
    )


def high_risk(risk: str) -> Reason:
    return Reason(
        code="high_risk",
        trigger=Trigger.HIGH_RISK,
        title="High risk: a person approves first",
        detail=f"The risk of this action type is {risk}; a person approves first, at every level of trust.",
    )


def freeze_window(window: FreezeWindow, version: int | None) -> Reason:
    outcome = "is refused" if window.then is Verdict.DENY else "goes to a person"
    return Reason(
        code="freeze_window",
        trigger=Trigger.POLICY_EDGE,
        title=f"Freeze: {window.title}",
        detail=f"{_sentence(policy_named(version))} freezes this action type now; what comes in {outcome}.",
        strictness=window.then,
    )


def freeze_unknown(window: FreezeWindow, version: int | None, problem: str) -> Reason:
    """Return why a window counts as holding that could not be compared with the time."""
    return Reason(
        code="freeze_window",
        trigger=Trigger.POLICY_EDGE,
        title=f"Freeze: {window.title}",
        detail=f"Whether this freeze window of {policy_named(version)} holds now cannot be told ({problem}), "
        "so it does.",
        strictness=window.then,
    )


def denied_before(action_id: str, version: int | None) -> Reason:
    return Reason(
        code="denied_before",
        trigger=Trigger.POLICY_EDGE,
        title="Refused before",
        detail=f"This looks the same as {action_id}, which was refused; {policy_named(version)} remembers "
        "that for a while, so a person decides.",
    )


def agent_not_listed(agent: str, version: str | None, policy_version: int | None) -> Reason:
    which = f"{agent} in version {version}" if version else agent
    return Reason(
        code="agent_not_listed",
        trigger=Trigger.POLICY_EDGE,
        title="Not on the list of agents",
        detail=f"{_sentence(policy_named(policy_version))} lists the agents that it trusts, and {which} is "
        "not among them.",
    )


def rule_matched(rule: Rule, version: int | None) -> Reason:
    outcome = "refuses" if rule.then is Verdict.DENY else "asks for a review of"
    return Reason(
        code="rule_matched",
        trigger=rule.trigger,
        title=rule.title,
        detail=f"The rule {rule.code} of {policy_named(version)} {outcome} such actions.",
        strictness=rule.then,
        rule=rule.code,
    )


def rule_error(rule: Rule, version: int | None, problem: str) -> Reason:
    return Reason(
        code="rule_error",
        trigger=Trigger.POLICY_EDGE,
        title="A rule could not be checked",
        detail=f"The rule {rule.code} ({rule.title}) of {policy_named(version)} gave no answer: {problem}.",
        rule=rule.code,
    )


def invalid_score(source: ScoreSource) -> Reason:
    return Reason(
        code="invalid_score",
        trigger=Trigger.LOW_CONFIDENCE,
        title="The score is no probability",
        detail=f"{_sentence(_SCORE_NAMES[source])} is not a number from 0 to 1, so it proves nothing.",
    )


def no_score(source: ScoreSource, version: int | None) -> Reason:
    return Reason(
        code="no_score",
        trigger=Trigger.LOW_CONFIDENCE,
        title="No confidence given",
        detail=f"{_sentence(policy_named(version))} asks for {_SCORE_NAMES[source]}, and there is none.",
    )


def no_threshold(version: int | None) -> Reason:
    return Reason(
        code="no_threshold",
        trigger=Trigger.LOW_CONFIDENCE,
        title="No threshold set",
        detail=f"{_sentence(policy_named(version))} sets no threshold, so no score is high enough.",
    )


def below_threshold(score: float, threshold: float, source: ScoreSource, version: int | None) -> Reason:
    return Reason(
        code="below_threshold",
        trigger=Trigger.LOW_CONFIDENCE,
        title="Low confidence",
        detail=f"The chance it is right is {percent(score, beside=threshold)} ({_SCORE_NAMES[source]}), "
        f"{policy_named(version)} asks for {percent(threshold, beside=score)}.",
    )


def below_certified(score: float, threshold: float, source: ScoreSource) -> Reason:
    return Reason(
        code="below_threshold",
        trigger=Trigger.LOW_CONFIDENCE,
        title="Low confidence",
        detail=f"The chance it is right is {percent(score, beside=threshold)} ({_SCORE_NAMES[source]}), "
        f"this version may go alone from {percent(threshold, beside=score)} on.",
    )


def canary(level: Level, base: Level, share: float) -> Reason:
    """Return why a level that is being tried on a share of the actions does not hold for this one."""
    return Reason(
        code="autonomy_canary",
        trigger=Trigger.POLICY_EDGE,
        title="Not yet trusted alone",
        detail=f"The level {_level(level)} is being tried on {percent(share)} of the actions; for the others "
        f"it is still {_level(base)}.",
    )


def unknown_agent_version(agent: str, version: str | None) -> Reason:
    which = f"The version {version} of {agent}" if version else f"The version of {agent}"
    return Reason(
        code="unknown_agent_version",
        trigger=Trigger.POLICY_EDGE,
        title="Unknown agent version",
        detail=f"{which} is not registered; trust is earned version by version.",
    )


def autonomy(level: Level, granted: Level, cap: Level) -> Reason:
    """Return why a level that lets nothing run alone holds this action."""
    capped = f" Granted was {_level(granted)}, this action type goes no further than {_level(cap)}."
    detail = capped if level is not granted and level is cap else ""
    if level is Level.SHADOW:
        return Reason(
            code="autonomy_shadow",
            trigger=Trigger.POLICY_EDGE,
            title="Watched only",
            detail="At the level shadow nothing runs; people decide as if it could." + detail,
        )
    return Reason(
        code="autonomy_review_all",
        trigger=Trigger.POLICY_EDGE,
        title="Not yet trusted alone",
        detail="At the level review all, a person decides on every action of this type." + detail,
    )


def _level(level: Level) -> str:
    return level.value.replace("_", " ")


def earlier_verdict(verdict: Verdict) -> Reason:
    return Reason(
        code="earlier_verdict",
        trigger=Trigger.POLICY_EDGE,
        title="An earlier check was stricter",
        detail=f"The earlier check said {verdict.value}; a later one never makes that milder.",
        strictness=verdict,
    )


def audit_sample(rate: float, version: int | None) -> Reason:
    """Return why an allowed action is looked at afterwards.

    Never part of an `Evaluation`'s reasons: an agent that learnt it before it ran could choose not to.
    """
    return Reason(
        code="audit_sample",
        trigger=Trigger.AUDIT,
        title="Drawn at random",
        detail=f"It ran alone. {_sentence(policy_named(version))} has {percent(rate)} of such actions "
        "looked at afterwards, drawn by chance.",
        strictness=Verdict.ALLOW,
    )

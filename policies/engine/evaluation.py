"""The gate: facts in, verdict out. The rules of this page are in docs/algorithms/gate.md.

It fails closed. Every doubt (an unknown name, a missing field, a number that is none, an error in a
rule or in the engine) gives `review`; `allow` is what remains when nothing at all spoke against it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from policies.engine import explanation, matching, nearness, scope
from policies.engine.agent_list import lists
from policies.engine.documents import Measured, UnusableDocument, measure
from policies.engine.explanation import Reason, strictest_first
from policies.engine.facts import (
    RISKS_THAT_MAY_RUN_ALONE,
    RUNS_ALONE,
    ActionTypeFacts,
    Facts,
    Level,
    Risk,
    Route,
    ScoreSource,
    Verdict,
)
from policies.engine.policy import PolicyDocument
from policies.engine.scores import Scored, is_number, judge_score, threshold_in_force

_ROUTES = {Verdict.ALLOW: Route.ALONE, Verdict.REVIEW: Route.HELD, Verdict.DENY: Route.DENIED}


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """One verdict and everything that cannot be reconstructed later (statistics.md section 0).

    `propensity` is the probability with which this very action is looked at by a person: 1 when held, the
    audit rate when allowed, 0 when denied. `min_propensity` is the lowest that this policy could have
    given an action at this level. `level` is the one in force after every cap. `score_source` names the
    score that was used, None when there was none. `history` holds the measures that could be taken.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    score: float | None
    score_source: ScoreSource | None
    threshold: float | None
    level: Level
    route: Route
    propensity: float
    min_propensity: float
    audit_selected: bool
    blind: bool
    approvals_required: int
    nearest_miss: str | None
    history: Mapping[str, float] = field(default_factory=dict)


def evaluate(facts: Facts) -> Evaluation:
    """Return the verdict on the facts with all matched reasons, strictest first. Never raises.

    The same facts give the same answer, always (reliability.md, I8).
    """
    try:
        return _evaluate(facts)
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        raise
    except BaseException as error:
        # Whatever it is, it must hold the action (I7); a panic in an extension is no Exception.
        return _held([*_stops(facts), explanation.engine_error(type(error).__name__)])


def strictest(*evaluations: Evaluation) -> Evaluation:
    """Return the strictest of the evaluations, with the reasons of all and the most approvals.

    The first wins among equals. What was logged when the draw was made stays that evaluation's own.
    """
    if not evaluations:
        return _held([explanation.invalid_facts("there was nothing to compare")])
    winner = max(evaluations, key=lambda each: each.verdict.strictness)
    reasons = strictest_first([reason for each in evaluations for reason in each.reasons])
    approvals = max(each.approvals_required for each in evaluations)
    return replace(winner, reasons=reasons, approvals_required=approvals)


def reevaluate(previous: Evaluation | Verdict, facts: Facts) -> Evaluation:
    """Return the verdict on the facts as they are now, never milder than the previous one (F16).

    For edited arguments, a policy that changed meanwhile, and the moment before an action runs.
    """
    now = evaluate(facts)
    if isinstance(previous, Evaluation):
        return strictest(now, previous)
    if previous not in list(Verdict):
        return strictest(now, _held([explanation.invalid_facts("the earlier verdict is unknown")]))
    previous = Verdict(previous)
    if previous.strictness <= now.verdict.strictness:
        return now
    reasons = strictest_first([explanation.earlier_verdict(previous), *now.reasons])
    return _concluded(now, previous, reasons)


def _evaluate(facts: Facts) -> Evaluation:
    granted = _level_in_force(facts)
    level = _level_of_this_one(facts, granted)
    found = judge_score(facts, level)
    reading = _Reading(facts)
    reasons = strictest_first(
        [*_stops(facts), *_doubts(facts), *_holds(facts, level, reading), *found.reasons]
    )
    verdict = Verdict.strictest(Verdict.ALLOW, *(reason.strictness for reason in reasons))
    policy = facts.policy
    if policy is None or facts.action_type is None:
        return _held(reasons, level=level, approvals=_approvals(facts))
    held = verdict is Verdict.REVIEW
    audit_rate = _audit_rate(facts, policy)
    audit_selected = verdict is Verdict.ALLOW and _falls_under(facts.draw, audit_rate)
    # What the canary keeps back could have run alone too: its draw is not a property of the action.
    alone = _could_run_alone(facts, facts.action_type, granted)
    return Evaluation(
        verdict=verdict,
        reasons=reasons,
        score=found.score,
        score_source=found.source,
        threshold=threshold_in_force(facts, level),
        level=level,
        route=_ROUTES[verdict],
        propensity={Verdict.ALLOW: audit_rate, Verdict.REVIEW: 1.0, Verdict.DENY: 0.0}[verdict],
        min_propensity=0.0 if verdict is Verdict.DENY else audit_rate if alone else 1.0,
        audit_selected=audit_selected,
        blind=audit_selected or (held and _falls_under(facts.blind_draw, policy.blind_share)),
        approvals_required=_approvals(facts),
        nearest_miss=(
            _nearest_miss(facts, policy, level, found, reading) if verdict is Verdict.ALLOW else None
        ),
        history=matching.measures(facts),
    )


def _held(
    reasons: list[Reason] | tuple[Reason, ...], *, level: Level = Level.REVIEW_ALL, approvals: int = 1
) -> Evaluation:
    """Return the answer where there was no policy to go by, or no way to go by it: never an allow."""
    ordered = strictest_first(reasons)
    verdict = Verdict.strictest(Verdict.REVIEW, *(reason.strictness for reason in ordered))
    looked_at = 0.0 if verdict is Verdict.DENY else 1.0
    return Evaluation(
        verdict=verdict,
        reasons=ordered,
        score=None,
        score_source=None,
        threshold=None,
        level=level,
        route=_ROUTES[verdict],
        propensity=looked_at,
        min_propensity=looked_at,
        audit_selected=False,
        blind=False,
        approvals_required=approvals,
        nearest_miss=None,
    )


def _concluded(now: Evaluation, verdict: Verdict, reasons: tuple[Reason, ...]) -> Evaluation:
    looked_at = 0.0 if verdict is Verdict.DENY else 1.0
    return replace(
        now,
        verdict=verdict,
        reasons=reasons,
        route=_ROUTES[verdict],
        propensity=looked_at,
        min_propensity=min(looked_at, now.min_propensity),
        audit_selected=False,
        blind=False,
        nearest_miss=None,
    )


def _stops(facts: Facts) -> Iterator[Reason]:
    # Asked so that a value that is neither yes nor no stops the action too.
    if getattr(facts, "kill_switch", None) is not False:
        yield explanation.kill_switch()
    if getattr(facts, "agent_active", None) is not True:
        yield explanation.agent_inactive(str(getattr(getattr(facts, "agent", None), "name", "?")))


def _doubts(facts: Facts) -> Iterator[Reason]:
    """Yield what is missing for a verdict, or out of its range."""
    if facts.action_type is None:
        yield explanation.unknown_action_type()
    if facts.policy is None:
        yield explanation.no_policy()
    elif not isinstance(facts.policy, PolicyDocument):
        raise TypeError("a policy is a PolicyDocument")
    for name in ("draw", "blind_draw", "canary_draw"):
        value = getattr(facts, name)
        if not is_number(value) or not 0 <= value < 1:
            yield explanation.invalid_facts(f"{name} is not in [0, 1)")
    if not isinstance(facts.level, Level):
        yield explanation.invalid_facts("the level of trust is unknown")
    if facts.agent.known_version is not True:
        yield explanation.unknown_agent_version(facts.agent.name, facts.agent.version)


class _Reading:
    """What rules can read of an action, worked out once: `UnusableDocument` where some of it is no JSON."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    @cached_property
    def arguments(self) -> Measured:
        return measure(self._facts.arguments)

    @cached_property
    def variables(self) -> matching.Variables:
        return matching.variables(self._facts, self.arguments)


def _holds(facts: Facts, level: Level, reading: _Reading) -> Iterator[Reason]:
    """Yield what the action type, the rules and the level of trust say about this action."""
    if level not in RUNS_ALONE and isinstance(facts.level, Level):
        cap = facts.action_type.autonomy_cap if facts.action_type else level
        granted = _level_in_force(facts)
        if granted in RUNS_ALONE:
            yield explanation.canary(granted, level, facts.terms.canary_share)
        else:
            yield explanation.autonomy(level, facts.level, cap)
    if facts.action_type is not None:
        yield from _action_type_holds(facts.action_type)
    if facts.policy is not None:
        yield from _policy_holds(facts, facts.policy)
    try:
        arguments = reading.arguments
    except UnusableDocument as error:
        yield explanation.arguments_unusable(error.pointer, error.message)
        return
    if not isinstance(arguments.value, dict):
        yield explanation.arguments_unusable("", "arguments are an object")
        return
    if facts.action_type is not None and facts.action_type.argument_schema is not None:
        yield from _scope_holds(facts.action_type.argument_schema, arguments)
    try:
        variables = reading.variables
    except UnusableDocument as error:
        yield explanation.invalid_facts(str(error))
        return
    if facts.policy is not None:
        yield from matching.reasons(facts, facts.policy, variables)


def _policy_holds(facts: Facts, policy: PolicyDocument) -> Iterator[Reason]:
    """Yield what the policy says of the agent, of the time, and of what was refused before."""
    version = facts.policy_version
    for window in policy.freeze_windows:
        try:
            if facts.now is None:
                raise ValueError("nobody told the time")
            if window.covers(facts.now):
                yield explanation.freeze_window(window, version)
        except Exception as error:
            # A zone that this machine does not know, say. What a freeze cannot rule out it holds.
            yield explanation.freeze_unknown(window, version, type(error).__name__)
    if facts.denied_before is not None:
        yield explanation.denied_before(str(facts.denied_before), version)
    if not lists(policy.agents, name=facts.agent.name, version=facts.agent.version):
        yield explanation.agent_not_listed(facts.agent.name, facts.agent.version, version)


def _action_type_holds(action_type: ActionTypeFacts) -> Iterator[Reason]:
    if action_type.risk not in RISKS_THAT_MAY_RUN_ALONE:
        yield explanation.high_risk(str(action_type.risk))
    if action_type.widens_rights is not False:
        yield explanation.widens_rights()


def _scope_holds(schema: Mapping[str, object], arguments: Measured) -> Iterator[Reason]:
    try:
        outside = scope.violations(schema, arguments)
    except scope.InvalidSchema as error:
        yield explanation.scope_unusable(error.message)
    else:
        if outside:
            yield explanation.arguments_out_of_scope(outside)


def _level_in_force(facts: Facts) -> Level:
    """Return the granted level, cut to the cap of the action type and to what is known at all."""
    if not isinstance(facts.level, Level):
        return Level.SHADOW
    levels = [facts.level]
    if facts.action_type is not None:
        levels.append(Level(facts.action_type.autonomy_cap))
    if facts.action_type is None or facts.agent.known_version is not True:
        levels.append(Level.REVIEW_ALL)
    return Level.lowest(*levels)


def _level_of_this_one(facts: Facts, granted: Level) -> Level:
    """Return the level for this action: while a level is tried on a share of them, some stay as before."""
    share = facts.terms.canary_share
    if is_number(share) and share >= 1:
        return granted
    if is_number(share) and _falls_under(facts.canary_draw, share):
        return granted
    return Level.lowest(granted, facts.terms.canary_base or Level.REVIEW_ALL)


def _audit_rate(facts: Facts, policy: PolicyDocument) -> float:
    """Return the share that is drawn: the policy's, or the grant's where that is more."""
    asked = facts.terms.audit_rate
    if asked is None:
        return policy.audit_rate
    return max(policy.audit_rate, asked) if is_number(asked) and 0 <= asked <= 1 else 1.0


def _could_run_alone(facts: Facts, action_type: ActionTypeFacts, level: Level) -> bool:
    """Return whether some action like this one, with other arguments and score, could have been allowed."""
    return (
        level in RUNS_ALONE
        and action_type.risk in RISKS_THAT_MAY_RUN_ALONE
        and action_type.widens_rights is False
        and facts.agent.known_version is True
        and facts.policy is not None
        and lists(facts.policy.agents, name=facts.agent.name, version=facts.agent.version)
    )


def _falls_under(draw: float, share: float) -> bool:
    return is_number(draw) and draw < share


def _approvals(facts: Facts) -> int:
    required = facts.policy.approvals_required if facts.policy else 1
    critical = facts.action_type is not None and facts.action_type.risk == Risk.CRITICAL
    return max(required, 2) if critical else required


def _nearest_miss(
    facts: Facts, policy: PolicyDocument, level: Level, found: Scored, reading: _Reading
) -> str:
    near = None
    if policy.rules:
        near = nearness.nearest(policy.rules, reading.variables.values)
    return nearness.in_words(
        score=found.score,
        threshold=threshold_in_force(facts, level),
        applied=level is Level.THRESHOLD,
        near=near,
        rules=len(policy.rules),
        version=facts.policy_version,
    )

"""Matching the rules of a policy: what they can read, and which of them hold an action."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from policies.engine import explanation
from policies.engine.conditions import Condition, ConditionFailed, compile_condition, prepare
from policies.engine.documents import Measured, measure
from policies.engine.explanation import Reason
from policies.engine.facts import Facts
from policies.engine.measures import Unmeasured
from policies.engine.policy import PolicyDocument
from policies.engine.provenance import Provenance
from policies.engine.scores import is_number, probability


@dataclass(frozen=True)
class Variables:
    """The values of `conditions.VARIABLES` for one action; `longest` is their longest list or object."""

    values: Mapping[str, object]
    longest: int


def variables(facts: Facts, arguments: Measured) -> Variables:
    """Return what rules can read of an action; raises `UnusableDocument` where some of it is no JSON."""
    circumstances = measure(_circumstances(facts))
    known = circumstances.value if isinstance(circumstances.value, dict) else {}
    return Variables(
        values={**known, "args": arguments.value, "history": measures(facts)},
        longest=max(arguments.longest, circumstances.longest),
    )


def reasons(facts: Facts, policy: PolicyDocument, known: Variables) -> Iterator[Reason]:
    """Yield a reason for each rule that is true of the action, and for each that gives no answer."""
    version = facts.policy_version
    conditions = [compile_condition(rule.when) for rule in policy.rules]
    used = frozenset[str]().union(*(condition.uses for condition in conditions))
    # Only where a rule asks: reading the context is dear.
    asked = any(condition.asks_provenance for condition in conditions)
    provenance = Provenance(facts.heard) if asked else None
    try:
        values = prepare(
            {name: known.values[name] for name in used}, longest=known.longest, provenance=provenance
        )
    except ConditionFailed as failure:
        yield from (explanation.rule_error(rule, version, str(failure)) for rule in policy.rules)
        return
    for rule, condition in zip(policy.rules, conditions, strict=True):
        try:
            _check_measures(facts, condition)
            matched = condition.holds(values)
        except ConditionFailed as failure:
            yield explanation.rule_error(rule, version, str(failure))
        else:
            if matched:
                yield explanation.rule_matched(rule, version)


def measures(facts: Facts) -> dict[str, float]:
    """Return the measures that have a value, as numbers that a condition can compare."""
    return {str(name): float(value) for name, value in facts.history.items() if is_number(value)}  # type: ignore[arg-type]  # is_number was asked


def _check_measures(facts: Facts, condition: Condition) -> None:
    """Raise `ConditionFailed` with the reason when the condition reads a measure that could not be taken."""
    for name in sorted(condition.measures):
        value = facts.history.get(name)
        if isinstance(value, Unmeasured):
            raise ConditionFailed(f"history.{name} could not be measured: {value.why}")


def _circumstances(facts: Facts) -> dict[str, object]:
    """Return all variables but `args` and `history`; `action` is empty where the type is unknown."""
    action = facts.action_type
    return {
        "agent": {
            "name": facts.agent.name,
            "version": facts.agent.version,
            "known_version": facts.agent.known_version,
        },
        "action": {}
        if action is None
        else {
            "type": action.name,
            "title": action.title,
            "risk": str(action.risk),
            "irreversible": action.irreversible,
            "widens_rights": action.widens_rights,
        },
        "subject": facts.subject,
        "conversation": {"id": facts.conversation.id, "messages": facts.conversation.message_count},
        "environment": facts.environment,
        "mode": str(facts.mode),
        "confidence": probability(facts.confidence),
        "judge": probability(facts.judge_score),
        "samples": probability(facts.sample_agreement),
        "context": facts.platform_facts,
    }

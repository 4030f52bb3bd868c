"""The operator's rules: conditions with an outcome, read from a document and checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from policies.engine.conditions import InvalidCondition, compile_condition
from policies.engine.facts import Trigger, Verdict
from policies.engine.faults import PolicyError, code_faults, member, text_faults, unknown_keys

MAX_RULES = 50
_OUTCOMES = frozenset({Verdict.REVIEW, Verdict.DENY})
_TRIGGERS = frozenset({Trigger.POLICY_EDGE, Trigger.HIGH_RISK})


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One condition of the operator. Where it holds, the action gets its outcome or a stricter one."""

    code: str
    title: str
    when: str
    then: Verdict
    trigger: Trigger = Trigger.POLICY_EDGE

    def to_document(self) -> dict[str, object]:
        """Return the rule as JSON values."""
        return {
            "code": self.code,
            "title": self.title,
            "when": self.when,
            "then": self.then.value,
            "trigger": self.trigger.value,
        }


def read_rules(value: object) -> tuple[object, list[PolicyError]]:
    """Return rules as objects where they can be read, with the faults that `rule_faults` cannot see."""
    if not isinstance(value, list | tuple):
        return value, []
    names = [each.name for each in fields(Rule)]
    rules: list[object] = []
    errors: list[PolicyError] = []
    for index, entry in enumerate(value):
        if not isinstance(entry, Mapping):
            rules.append(entry)
            continue
        errors += unknown_keys(entry, names, ("rules", index))
        rules.append(
            Rule(
                code=entry.get("code", ""),
                title=entry.get("title", ""),
                when=entry.get("when", ""),
                then=member(Verdict, entry.get("then")),  # type: ignore[arg-type]  # checked by rule_faults
                trigger=member(Trigger, entry.get("trigger", Trigger.POLICY_EDGE)),  # type: ignore[arg-type]  # checked by rule_faults
            )
        )
    return tuple(rules), errors


def rule_faults(rules: object, measures: frozenset[str]) -> Iterator[PolicyError]:
    """Yield what is wrong with the rules; `measures` are the names that `history` has for them."""
    if not isinstance(rules, tuple):
        yield PolicyError("/rules", "a list of rules")
        return
    if len(rules) > MAX_RULES:
        yield PolicyError("/rules", f"at most {MAX_RULES} rules")
        return
    seen: set[str] = set()
    for index, rule in enumerate(rules):
        if not isinstance(rule, Rule):
            yield PolicyError(f"/rules/{index}", "a rule is an object")
            continue
        yield from _faults_of_rule(rule, f"/rules/{index}", measures)
        if isinstance(rule.code, str):
            if rule.code in seen:
                yield PolicyError(f"/rules/{index}/code", f"the code {rule.code} is used twice")
            seen.add(rule.code)


def _faults_of_rule(rule: Rule, at: str, measures: frozenset[str]) -> Iterator[PolicyError]:
    yield from code_faults(f"{at}/code", rule.code)
    yield from text_faults(f"{at}/title", rule.title)
    if not isinstance(rule.when, str):
        yield PolicyError(f"{at}/when", "a condition in CEL, as a text")
    else:
        try:
            compile_condition(rule.when).check_measures(measures)
        except InvalidCondition as invalid:
            yield PolicyError(f"{at}/when", str(invalid))
    if not isinstance(rule.then, Verdict) or rule.then not in _OUTCOMES:
        yield PolicyError(f"{at}/then", "review or deny: a rule can hold or refuse, never allow")
    if not isinstance(rule.trigger, Trigger) or rule.trigger not in _TRIGGERS:
        yield PolicyError(f"{at}/trigger", "policy_edge or high_risk")

"""The text of a policy: what one action type asks of an action before it may run alone.

A `PolicyDocument` that exists is valid: it is checked however it is made, and every fault is named at once
with a JSON pointer to its place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Self

from policies.engine.conditions import InvalidCondition, compile_condition
from policies.engine.documents import pointer_to
from policies.engine.facts import ScoreSource, Trigger, Verdict

# Below this share of looked-at actions nothing can be learnt of what runs alone (statistics.md section 0).
AUDIT_FLOOR = 0.01

MAX_RULES = 50
MAX_TITLE = 200
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_QUEUE = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_OUTCOMES = frozenset({Verdict.REVIEW, Verdict.DENY})
_TRIGGERS = frozenset({Trigger.POLICY_EDGE, Trigger.HIGH_RISK})
_WHOLE_NUMBERS = {
    "deadline_seconds": (1, 30 * 86_400),
    "undo_seconds": (0, 60),
    "approvals_required": (1, 5),
    "permit_ttl_seconds": (1, 86_400),
}


@dataclass(frozen=True)
class PolicyError:
    """One fault of a policy document and its place."""

    pointer: str
    message: str


class InvalidPolicy(ValueError):
    """The document is no policy; `errors` holds every fault with its place."""

    def __init__(self, errors: tuple[PolicyError, ...]) -> None:
        super().__init__("; ".join(f"{error.pointer or '/'}: {error.message}" for error in errors))
        self.errors = errors


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


@dataclass(frozen=True, kw_only=True)
class PolicyDocument:
    """What one version of a policy says.

    The defaults are the safe ones: with no threshold nothing passes on its score. A document read with
    `from_document` may leave any field out.
    """

    threshold: float | None = None
    score: ScoreSource = ScoreSource.AGENT
    rules: tuple[Rule, ...] = field(default=())
    audit_rate: float = 0.2
    deadline_seconds: int = 86_400
    undo_seconds: int = 5
    approvals_required: int = 1
    permit_ttl_seconds: int = 900
    queue: str = "general"
    blind_share: float = 0.1

    def __post_init__(self) -> None:
        errors = tuple(_faults(self))
        if errors:
            raise InvalidPolicy(errors)

    @classmethod
    def from_document(cls, document: Mapping[str, object]) -> Self:
        """Return the policy that the document spells out, or raise `InvalidPolicy` with every fault."""
        if not isinstance(document, Mapping):
            raise InvalidPolicy((PolicyError("", "a policy is an object"),))
        names = [each.name for each in fields(cls)]
        errors = [*_unknown_keys(document, names, ())]
        values = {name: document[name] for name in names if name in document}
        values["score"] = _member(ScoreSource, values.get("score", ScoreSource.AGENT))
        values["rules"], rule_errors = _read_rules(values.get("rules", ()))
        errors += rule_errors
        try:
            policy = cls(**values)  # type: ignore[arg-type]  # unchecked until __post_init__ checks them
        except InvalidPolicy as invalid:
            raise InvalidPolicy((*errors, *invalid.errors)) from None
        if errors:
            raise InvalidPolicy(tuple(errors))
        return policy

    def to_document(self) -> dict[str, object]:
        """Return the whole policy as JSON values; `from_document` gives an equal policy back."""
        return {
            "threshold": self.threshold,
            "score": self.score.value,
            "rules": [rule.to_document() for rule in self.rules],
            "audit_rate": self.audit_rate,
            "deadline_seconds": self.deadline_seconds,
            "undo_seconds": self.undo_seconds,
            "approvals_required": self.approvals_required,
            "permit_ttl_seconds": self.permit_ttl_seconds,
            "queue": self.queue,
            "blind_share": self.blind_share,
        }


def _member(kind: type[StrEnum], value: object) -> object:
    """Return the member of that value, or the value itself for the check that follows to refuse."""
    return kind(value) if isinstance(value, str) and value in list(kind) else value


def _unknown_keys(
    document: Mapping[str, object], known: list[str], path: tuple[str | int, ...]
) -> Iterator[PolicyError]:
    for key in document:
        if key not in known:
            yield PolicyError(pointer_to((*path, key)), f"unknown field; known are {', '.join(known)}")


def _read_rules(value: object) -> tuple[object, list[PolicyError]]:
    """Return rules as objects where they can be read, with the faults that `_faults` cannot see."""
    if not isinstance(value, list | tuple):
        return value, []
    names = [each.name for each in fields(Rule)]
    rules: list[object] = []
    errors: list[PolicyError] = []
    for index, entry in enumerate(value):
        if not isinstance(entry, Mapping):
            rules.append(entry)
            continue
        errors += _unknown_keys(entry, names, ("rules", index))
        rules.append(
            Rule(
                code=entry.get("code", ""),
                title=entry.get("title", ""),
                when=entry.get("when", ""),
                then=_member(Verdict, entry.get("then")),  # type: ignore[arg-type]  # checked by _faults
                trigger=_member(Trigger, entry.get("trigger", Trigger.POLICY_EDGE)),  # type: ignore[arg-type]  # as above
            )
        )
    return tuple(rules), errors


def _faults(policy: PolicyDocument) -> Iterator[PolicyError]:
    if policy.threshold is not None:
        yield from _share("threshold", policy.threshold, low=0.0)
    if not isinstance(policy.score, ScoreSource):
        yield PolicyError("/score", f"one of {', '.join(ScoreSource)}")
    yield from _rule_faults(policy.rules)
    yield from _share("audit_rate", policy.audit_rate, low=AUDIT_FLOOR)
    for name, (low, high) in _WHOLE_NUMBERS.items():
        value = getattr(policy, name)
        if type(value) is not int or not low <= value <= high:
            yield PolicyError(f"/{name}", f"a whole number from {low} to {high}")
    if not isinstance(policy.queue, str) or not _QUEUE.fullmatch(policy.queue):
        yield PolicyError(
            "/queue", "up to 64 of a-z, 0-9, dot, dash and underscore, not starting with a mark"
        )
    yield from _share("blind_share", policy.blind_share, low=0.0)


def _share(name: str, value: object, *, low: float) -> Iterator[PolicyError]:
    # NaN fails the comparison, and True is an int that no share may be.
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= 1:
        yield PolicyError(f"/{name}", f"a number from {low:g} to 1")


def _rule_faults(rules: object) -> Iterator[PolicyError]:
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
        yield from (PolicyError(f"/rules/{index}/{name}", text) for name, text in _faults_of_rule(rule))
        if isinstance(rule.code, str):
            if rule.code in seen:
                yield PolicyError(f"/rules/{index}/code", f"the code {rule.code} is used twice")
            seen.add(rule.code)


def _faults_of_rule(rule: Rule) -> Iterator[tuple[str, str]]:
    if not isinstance(rule.code, str) or not _CODE.fullmatch(rule.code):
        yield "code", "up to 64 of a-z, 0-9 and underscore, starting with a letter"
    if not isinstance(rule.title, str) or not rule.title.strip() or len(rule.title) > MAX_TITLE:
        yield "title", f"a text of 1 to {MAX_TITLE} characters"
    if not isinstance(rule.when, str):
        yield "when", "a condition in CEL, as a text"
    else:
        try:
            compile_condition(rule.when)
        except InvalidCondition as invalid:
            yield "when", str(invalid)
    if not isinstance(rule.then, Verdict) or rule.then not in _OUTCOMES:
        yield "then", "review or deny: a rule can hold or refuse, never allow"
    if not isinstance(rule.trigger, Trigger) or rule.trigger not in _TRIGGERS:
        yield "trigger", "policy_edge or high_risk"

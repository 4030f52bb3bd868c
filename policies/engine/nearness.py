"""How near a rule that did not match came to matching, where that can be told from its text.

It can where the whole condition is a comparison of one value with a number, or several of them joined by
``||``: since the rule did not match, none of them did, and each has a distance. Of other rules nothing is
said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from policies.engine.condition_source import Token
from policies.engine.conditions import compile_condition
from policies.engine.explanation import percent, policy_named
from policies.engine.facts import Verdict
from policies.engine.folding import number_text
from policies.engine.rules import Rule
from policies.engine.scores import is_number

_CASTS = frozenset({"double", "int"})
_WORDS = {">": "over", ">=": "from", "<": "under", "<=": "up to"}
_TURNED = {">": "<", ">=": "<=", "<": ">", "<=": ">="}


@dataclass(frozen=True, kw_only=True)
class Near:
    """One comparison that did not hold: of what, how, with which number, and what the value was.

    `distance` is a share of the larger of the two, so that amounts and scores can be set side by side.
    """

    rule: Rule
    operand: str
    comparison: str
    limit: float
    value: float
    distance: float


def nearest(rules: Sequence[Rule], variables: Mapping[str, object]) -> Near | None:
    """Return the comparison that came nearest to holding the action, None where none can be told."""
    found = [near for rule in rules for near in _comparisons(rule, variables)]
    return min(found, key=lambda near: near.distance, default=None)


def in_words(
    *,
    score: float | None,
    threshold: float | None,
    applied: bool,
    near: Near | None,
    rules: int,
    version: int | None,
) -> str:
    """Return what came nearest to holding an action that was allowed, the nearest first."""
    none_matched = f"none of its {rules} rules matched" if rules > 1 else "its rule did not match"
    if score is not None and threshold is not None:
        chance = f"The chance it is right is {percent(score, beside=threshold)}"
        asked = percent(threshold, beside=score)
        if applied:
            of_the_score = f"{chance}, {policy_named(version)} asks for {asked}"
            if near is not None and near.distance < distance_between(score, threshold):
                return f"{_of_the_rule(near, version)} {of_the_score}."
            return f"{of_the_score}{f'; {none_matched}' if rules else ''}."
        where = "under" if score < threshold else "not under"
        unasked = f"{chance}, {where} the {asked} of {policy_named(version)}, not asked at this level"
        if near is None:
            return f"{unasked}{f'; {none_matched}' if rules else ''}."
        return f"{_of_the_rule(near, version)} {unasked}."
    if near is not None:
        return _of_the_rule(near, version)
    named = policy_named(version)
    if not rules:
        return f"{named[:1].upper()}{named[1:]} has no rule that could have held it."
    return f"Of {named}, {none_matched}."


def _of_the_rule(near: Near, version: int | None) -> str:
    outcome = "refused" if near.rule.then is Verdict.DENY else "held"
    return (
        f"The rule {near.rule.code} ({near.rule.title}) of {policy_named(version)} was nearest: it would "
        f"have {outcome} {near.operand} {_WORDS[near.comparison]} {number_text(near.limit)}, and it was "
        f"{number_text(near.value)}."
    )


def distance_between(value: float, limit: float) -> float:
    """Return how far two numbers are apart, as a share of the larger."""
    larger = max(abs(value), abs(limit))
    return abs(value - limit) / larger if larger else 0.0


def _comparisons(rule: Rule, variables: Mapping[str, object]) -> Iterator[Near]:
    for path, comparison, limit in _read(rule.when):
        value = _value(path, variables)
        if value is not None:
            yield Near(
                rule=rule,
                operand=".".join(path),
                comparison=comparison,
                limit=limit,
                value=value,
                distance=distance_between(value, limit),
            )


@lru_cache(maxsize=2_048)
def _read(condition: str) -> tuple[tuple[tuple[str, ...], str, float], ...]:
    """Return the comparisons of a condition: of what, how, with which number."""
    return tuple(_read_arms(compile_condition(condition).profile.tokens))


def _read_arms(tokens: Sequence[Token]) -> Iterator[tuple[tuple[str, ...], str, float]]:
    for arm in _arms(tokens):
        at = next((place for place, token in enumerate(arm) if token.text in _TURNED), None)
        if at is None:
            continue
        left, comparison, right = arm[:at], arm[at].text, arm[at + 1 :]
        path, limit = _path(left), _number(right)
        if path is None or limit is None:
            path, limit, comparison = _path(right), _number(left), _TURNED[comparison]
        if path is not None and limit is not None:
            yield path, comparison, limit


def _arms(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """Yield what stands between the ``||`` of a text; what is in brackets is left as it is."""
    start = depth = 0
    for place, token in enumerate(tokens):
        depth += (token.text in {"(", "[", "{"}) - (token.text in {")", "]", "}"})
        if token.kind == "mark" and token.text == "||" and depth == 0:
            yield tokens[start:place]
            start = place + 1
    yield tokens[start:]


def _path(tokens: Sequence[Token]) -> tuple[str, ...] | None:
    """Return the names of ``a.b.c``, with or without a cast to a number around them."""
    if len(tokens) > 3 and tokens[0].text in _CASTS and (tokens[1].text, tokens[-1].text) == ("(", ")"):
        tokens = tokens[2:-1]
    names, dots = tokens[::2], tokens[1::2]
    if len(tokens) % 2 == 0 or any(token.kind != "name" for token in names):
        return None
    return tuple(token.text for token in names) if all(token.text == "." for token in dots) else None


def _number(tokens: Sequence[Token]) -> float | None:
    negative = len(tokens) == 2 and tokens[0].text == "-"
    if not (len(tokens) == 1 or negative) or tokens[-1].kind != "number":
        return None
    try:
        number = float(tokens[-1].text)
    except ValueError:
        return None
    return -number if negative else number


def _value(path: Sequence[str], variables: Mapping[str, object]) -> float | None:
    node: object = variables
    for name in path:
        if not isinstance(node, Mapping) or name not in node:
            return None
        node = node[name]
    return float(node) if is_number(node) else None  # type: ignore[arg-type]  # is_number was asked

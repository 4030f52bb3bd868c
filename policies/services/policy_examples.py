"""An operator's own table of example actions: what each policy is expected to say of them, and what it says.

The pure engine answers. Against files no database is asked; a table can stand beside them in git and be
checked before anybody merges.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, cast

from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.strict_yaml import Document, YamlError, parse
from policies.engine.documents import pointer_to
from policies.engine.evaluation import Evaluation, evaluate
from policies.engine.explanation import Reason
from policies.engine.facts import (
    ActionTypeFacts,
    AgentFacts,
    ConversationFacts,
    Facts,
    Level,
    Mode,
    Verdict,
)
from policies.engine.freezing import parse_instant
from policies.engine.measures import Unmeasured, measured, own_share
from policies.engine.policy import PolicyDocument
from policies.services.policy_files import FaultyFile

_KEYS: Final = (
    "title", "action_type", "arguments", "agent", "level", "confidence", "judge", "samples", "mode",
    "environment", "subject", "conversation", "context", "history", "denied_before", "now", "expect",
)  # fmt: skip
_NUMBERS: Final = ("confidence", "judge", "samples")


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What an example is judged by: an action type and its policy, None where there is none."""

    action_type: ActionTypeFacts | None
    policy: PolicyDocument | None
    version: int | None = None


@dataclass(frozen=True, kw_only=True)
class Example:
    """One row of the table. ``reasons`` None expects none in particular."""

    title: str
    file: str
    line: int
    action_type: str
    given: Mapping[str, JsonValue]
    level: Level
    verdict: Verdict
    reasons: frozenset[str] | None


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one example."""

    example: Example
    evaluation: Evaluation

    @property
    def codes(self) -> tuple[str, ...]:
        return tuple(code_of(reason) for reason in self.evaluation.reasons)

    @property
    def is_as_expected(self) -> bool:
        wanted = self.example.reasons
        return self.evaluation.verdict is self.example.verdict and (
            wanted is None or wanted == set(self.codes)
        )


def code_of(reason: Reason) -> str:
    """Return how a table names a reason: by its code, that of a rule with the rule's own."""
    return f"{reason.code}:{reason.rule}" if reason.rule else reason.code


def read(text: str, *, name: str) -> tuple[Example, ...]:
    """Return the rows of a table. Raises ``FaultyFile`` with every fault, each with file and line."""
    try:
        document = parse(text, name=name)
    except YamlError as error:
        raise FaultyFile([error]) from None
    value = document.value
    rows = value.get("examples") if isinstance(value, dict) else None
    if not isinstance(value, dict) or set(value) != {"examples"} or not isinstance(rows, list) or not rows:
        raise FaultyFile([document.error("", "a table is an object with a list of examples")])
    faults: list[YamlError] = []
    examples = []
    for index, row in enumerate(rows):
        found = list(_faults(document, f"/examples/{index}", row))
        faults += found
        if not found:
            examples.append(_example(document, index, cast(dict[str, JsonValue], row)))
    if faults:
        raise FaultyFile(faults)
    return tuple(examples)


def check(examples: tuple[Example, ...], judged_by: Callable[[str], Judged]) -> tuple[Result, ...]:
    """Return what the policies say of each example. ``judged_by`` returns those of an action type.

    Raises ``FaultyFile`` where an example states a measure that its policy does not have.
    """
    judged = [(example, judged_by(example.action_type)) for example in examples]
    faults = [
        YamlError(example.file, example.line, f"there is no measure {name} in the policy")
        for example, by in judged
        for name in cast(dict[str, JsonValue], example.given.get("history", {}))
        if by.policy is None or name not in {measure.name for measure in by.policy.measures}
    ]
    if faults:
        raise FaultyFile(faults)
    return tuple(Result(example=example, evaluation=evaluate(_facts(example, by))) for example, by in judged)


def _faults(document: Document, at: str, row: JsonValue) -> Iterator[YamlError]:
    if not isinstance(row, dict):
        yield document.error(at, "an example is an object")
        return
    for key in row:
        if key not in _KEYS:
            yield document.error(at + pointer_to((key,)), f"unknown; known are {', '.join(_KEYS)}")
    checks: dict[str, tuple[bool, str]] = {
        "action_type": (isinstance(row.get("action_type"), str), "the name of an action type"),
        "title": (isinstance(row.get("title", ""), str), "a text"),
        "arguments": (isinstance(row.get("arguments", {}), dict), "an object"),
        "agent": (_is_agent(row.get("agent", "agent")), "a name, or an object with name and version"),
        "level": (row.get("level", Level.THRESHOLD) in list(Level), f"one of {', '.join(Level)}"),
        "mode": (row.get("mode", Mode.GATED) in list(Mode), f"one of {', '.join(Mode)}"),
        "environment": (isinstance(row.get("environment", ""), str), "a text"),
        "subject": (isinstance(row.get("subject"), str | None), "a text, or null"),
        "conversation": (isinstance(row.get("conversation"), str | None), "a text, or null"),
        "context": (isinstance(row.get("context", {}), dict), "an object"),
        "denied_before": (isinstance(row.get("denied_before", False), bool), "true or false"),
        "history": (_is_history(row.get("history", {})), "an object of measures and numbers"),
        "now": (_is_instant(row.get("now", "2026-01-01T12:00:00Z")), "a time of RFC 3339, in quotes"),
        "expect": (
            _is_expectation(row.get("expect")),
            f"an object with a verdict ({', '.join(Verdict)}) and, if you like, a list of reasons",
        ),
    }
    checks |= {key: (_is_share(row.get(key)), "a number from 0 to 1") for key in _NUMBERS}
    for key, (is_good, wanted) in checks.items():
        if not is_good:
            yield document.error(f"{at}/{key}", wanted)


def _is_agent(value: JsonValue) -> bool:
    if isinstance(value, dict):
        return (
            isinstance(value.get("name"), str)
            and isinstance(value.get("version", ""), str)
            and set(value) <= {"name", "version"}
        )
    return isinstance(value, str)


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_share(value: JsonValue) -> bool:
    return value is None or (_is_number(value) and 0 <= cast(float, value) <= 1)


def _is_history(value: JsonValue) -> bool:
    return isinstance(value, dict) and all(_is_number(member) for member in value.values())


def _is_instant(value: JsonValue) -> bool:
    try:
        return isinstance(value, str) and parse_instant(value) is not None
    except ValueError:
        return False


def _is_expectation(value: JsonValue) -> bool:
    if not isinstance(value, dict) or not set(value) <= {"verdict", "reasons"}:
        return False
    reasons = value.get("reasons", [])
    return (
        value.get("verdict") in list(Verdict)
        and isinstance(reasons, list)
        and all(isinstance(each, str) for each in reasons)
    )


def _example(document: Document, index: int, row: dict[str, JsonValue]) -> Example:
    expected = cast(dict[str, JsonValue], row["expect"])
    reasons = cast("list[str] | None", expected.get("reasons"))
    return Example(
        title=cast(str, row.get("title") or f"Example {index + 1}"),
        file=document.name,
        line=document.line_of(f"/examples/{index}"),
        action_type=cast(str, row["action_type"]),
        given=row,
        level=Level(cast(str, row.get("level", Level.THRESHOLD))),
        verdict=Verdict(cast(str, expected["verdict"])),
        reasons=None if reasons is None else frozenset(reasons),
    )


def _facts(example: Example, judged: Judged) -> Facts:
    row = example.given
    agent = row.get("agent", "agent")
    name, version = (agent["name"], agent.get("version", "1")) if isinstance(agent, dict) else (agent, "1")
    context = cast(dict[str, JsonValue], row.get("context", {}))
    messages, stated = context.get("messages"), context.get("facts")
    arguments = cast(dict[str, JsonValue], row.get("arguments", {}))
    return Facts(
        action_type=judged.action_type,
        arguments=arguments,
        agent=AgentFacts(name=cast(str, name), version=cast(str, version), known_version=True),
        level=example.level if judged.action_type is not None else Level.REVIEW_ALL,
        policy=judged.policy,
        policy_version=judged.version,
        # The draws choose what is looked at afterwards, never the verdict.
        draw=0.5,
        blind_draw=0.5,
        kill_switch=False,
        agent_active=True,
        confidence=cast("float | None", row.get("confidence")),
        judge_score=cast("float | None", row.get("judge")),
        sample_agreement=cast("float | None", row.get("samples")),
        mode=Mode(cast(str, row.get("mode", Mode.GATED))),
        environment=cast(str, row.get("environment", "production")),
        subject=cast("str | None", row.get("subject")),
        conversation=ConversationFacts(
            id=cast("str | None", row.get("conversation")),
            message_count=len(messages) if isinstance(messages, list) else 0,
        ),
        platform_facts=stated if isinstance(stated, dict) else {},
        now=_now(row.get("now", "2026-01-01T12:00:00Z")),
        history=_history(judged.policy, example.action_type, arguments, row.get("history", {})),
        denied_before="an earlier action" if row.get("denied_before") else None,
        heard=row.get("context"),
    )


def _now(value: JsonValue) -> datetime:
    return parse_instant(cast(str, value))


def _history(
    policy: PolicyDocument | None, action_type: str, arguments: JsonValue, given: JsonValue
) -> dict[str, float | Unmeasured]:
    """Return each measure as the row has it; one that it leaves out counts this action alone."""
    stated = cast(dict[str, float], given)
    if policy is None:
        return {}
    return {
        measure.name: float(stated[measure.name])
        if measure.name in stated
        else measured(Decimal(0), own_share(measure, action_type=action_type, arguments=arguments))
        for measure in policy.measures
    }

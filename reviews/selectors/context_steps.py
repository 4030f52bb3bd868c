"""Reading a context into steps. Pure; every text in it is hostile.

A context is whatever the agent sent (api.md): ``messages`` in the usual chat form, ``steps`` of a run,
``input``, ``links``. What has no known form is shown as JSON: nothing is ever left out.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from django.utils.translation import gettext, gettext_noop, pgettext

from hitl_site.lib.strict_json import JsonValue
from reviews.selectors.masking import mask, mask_text

LONG_TEXT = 420
SHOWN_OF_LONG = 240
LOADED_ON_DEMAND = 4_000  # characters; longer ones come when somebody opens them

_SPEAKERS = {
    "user": ("user", gettext_noop("The user wrote")),
    "human": ("user", gettext_noop("The user wrote")),
    "customer": ("user", gettext_noop("The customer wrote")),
    "assistant": ("bot", gettext_noop("The agent wrote")),
    "agent": ("bot", gettext_noop("The agent wrote")),
    "ai": ("bot", gettext_noop("The agent wrote")),
    "system": ("scroll-text", gettext_noop("Instructions to the agent")),
    "developer": ("scroll-text", gettext_noop("Instructions to the agent")),
}
_RESULT_ROLES = frozenset({"tool", "function", "environment", "observation"})
_RESULT_NAMES = ("output", "result", "observation", "response")
TIME_NAMES = ("at", "timestamp", "time", "created_at", "ts")
_NOTHING: tuple[JsonValue, ...] = (None, "", [], {})
# What the steps of a message show already, or what only ties messages together.
_OF_MESSAGES = frozenset(
    {"role", "content", "parts", "thought", "action", "tool_calls", "tool_call_id", "name", "id", "type"}
    | {*TIME_NAMES}
)
_KNOWN = frozenset({"messages", "steps", "input", "links"})


@dataclass(frozen=True)
class Step:
    """One thing that happened. ``text`` is prose, ``observation`` what a tool gave back."""

    icon: str
    title: str
    text: str = ""
    arguments: str = ""
    observation: str = ""
    at: dt.datetime | None = None
    stop: bool = False
    kind: str = "other"  # user, agent, call, stop, other
    # Where in the context it stands ("messages/3"); a call and its answer are one step.
    places: frozenset[str] = frozenset()
    number: int = 0  # from 1, in the order of the whole timeline

    @property
    def comes_later(self) -> bool:
        """Say whether it is so long that the page does not carry it until somebody opens it."""
        return max(len(self.text), len(self.observation)) > LOADED_ON_DEMAND

    @property
    def length(self) -> int:
        """Return how many characters it has to read."""
        return len(self.text) + len(self.observation)

    @property
    def text_lead(self) -> str:
        """Return the beginning of a long text, "" when the text is short enough to stand as it is."""
        return _lead(self.text)

    @property
    def observation_lead(self) -> str:
        """Likewise for what the tool gave back."""
        return _lead(self.observation)


@dataclass(frozen=True)
class Cover:
    """Covers secrets in what is shown, unless it is told not to."""

    covered: bool

    def text(self, text: str) -> str:
        """Return prose as it may be shown."""
        return mask_text(text) if self.covered else text

    def value(self, value: JsonValue) -> JsonValue:
        """Return a document as it may be shown."""
        return mask(value) if self.covered else value


def steps_of(context: JsonValue, cover: Cover) -> Iterator[Step]:
    """Yield the steps of a context, in the order in which the agent gave them."""
    if not isinstance(context, dict):
        if context is not None:
            yield Step("file-text", gettext("Context"), observation=_document(cover, context))
        return
    if context.get("input") not in _NOTHING:
        yield _saying(
            cover, Step("user", gettext("Input"), kind="user", places=frozenset({"input"})), context["input"]
        )
    messages = context.get("messages")
    if isinstance(messages, list):
        yield from _of_messages(cover, messages)
    steps = context.get("steps")
    if isinstance(steps, list):
        yield from (
            replace(_of_step(cover, step), places=frozenset({f"steps/{number}"}))
            for number, step in enumerate(steps)
        )
    for link in _as_list(context.get("links")):
        yield _saying(cover, Step("link", gettext("Named a source")), link)
    rest: dict[str, JsonValue] = {
        name: value
        for name, value in context.items()
        if name not in _KNOWN
        or (name in {"messages", "steps"} and not isinstance(value, list) and value is not None)
    }
    if rest:
        yield Step("file-text", gettext("More from the agent"), observation=_document(cover, rest))


def _of_messages(cover: Cover, messages: list[JsonValue]) -> Iterator[Step]:
    """Turn chat messages into steps; a tool's answer joins the call that it answers."""
    waiting: list[tuple[str, Step]] = []
    for number, message in enumerate(messages):
        here = frozenset({f"messages/{number}"})
        if not isinstance(message, dict):
            yield from (step for _, step in waiting)
            waiting = []
            yield _saying(cover, Step("message-square", gettext("Message"), places=here), message)
            continue
        role = str(message.get("role", "")).lower()
        if role in _RESULT_ROLES:
            answer = replace(_step_of_result(cover, message), places=here)
            if waiting:
                at = next((n for n, (key, _) in enumerate(waiting) if key and key in _keys(message)), 0)
                _, call = waiting.pop(at)
                yield replace(
                    call,
                    observation=answer.observation,
                    at=call.at or answer.at,
                    places=call.places | here,
                )
            else:
                yield answer
            continue
        yield from (step for _, step in waiting)
        waiting = []
        icon, title = _speaker(role)
        content = message.get("content", message.get("parts"))
        kind = {"user": "user", "bot": "agent"}.get(icon, "other")
        thought = message.get("thought")
        if isinstance(thought, str) and thought.strip():
            yield Step(
                "brain", gettext("The agent noted"), text=cover.text(thought.strip()), at=_time(message)
            )
        if content not in _NOTHING:
            yield _saying(cover, Step(icon, title, at=_time(message), kind=kind, places=here), content)
        if message.get("action") not in _NOTHING:
            yield _saying(
                cover, Step("wrench", gettext("Acted"), at=_time(message), kind="call"), message["action"]
            )
        rest: dict[str, JsonValue] = {
            name: value
            for name, value in message.items()
            if name not in _OF_MESSAGES and value not in _NOTHING
        }
        if rest:
            yield Step("file-text", gettext("With it came"), observation=_document(cover, rest), places=here)
        waiting = [_call(cover, call, at=_time(message)) for call in _as_list(message.get("tool_calls"))]
    yield from (step for _, step in waiting)


def _speaker(role: str) -> tuple[str, str]:
    """Return the picture and the title of what somebody wrote."""
    if role in _SPEAKERS:
        icon, title = _SPEAKERS[role]
        return icon, gettext(title)
    return "message-square", gettext("{name} wrote").format(name=role or gettext("Somebody"))


def _call(cover: Cover, call: JsonValue, *, at: dt.datetime | None) -> tuple[str, Step]:
    if not isinstance(call, dict):
        return "", Step(
            "wrench", gettext("Called a tool"), arguments=_document(cover, call), at=at, kind="call"
        )
    inner = call.get("function")
    named: Mapping[str, JsonValue] = inner if isinstance(inner, dict) else call
    name = str(named.get("name", "") or pgettext("called", "a tool"))
    arguments = named.get("arguments", named.get("input", named.get("args")))
    key = str(call.get("id") or named.get("name") or "")
    return key, Step(
        "wrench",
        gettext("Called {name}").format(name=name),
        arguments=_arguments(cover, arguments),
        at=at,
        kind="call",
    )


def _keys(message: Mapping[str, JsonValue]) -> set[str]:
    return {str(message[name]) for name in ("tool_call_id", "name") if message.get(name)}


def _step_of_result(cover: Cover, message: Mapping[str, JsonValue]) -> Step:
    name = message.get("name")
    title = (
        gettext("{name} answered").format(name=name)
        if isinstance(name, str) and name
        else gettext("A tool answered")
    )
    return Step(
        "file-text",
        title,
        observation=_document(cover, message.get("content")),
        at=_time(message),
        kind="call",
    )


def _of_step(cover: Cover, step: JsonValue) -> Step:
    if not isinstance(step, dict):
        return _saying(cover, Step("circle-dot", gettext("Step")), step)
    name = next(
        (str(step[n]) for n in ("title", "tool", "name", "type", "kind") if step.get(n)), gettext("Step")
    )
    is_call = bool(step.get("tool")) or any(n in step for n in _RESULT_NAMES)
    text = next((step[n] for n in ("text", "content", "thought", "message") if step.get(n)), None)
    given = next((step[n] for n in ("arguments", "input", "args") if step.get(n) is not None), None)
    result = next((step[n] for n in _RESULT_NAMES if step.get(n) is not None), None)
    used = {"title", "tool", "name", "type", "kind", "text", "content", "thought", "message"}
    used |= {"arguments", "input", "args", *_RESULT_NAMES, *TIME_NAMES}
    rest: dict[str, JsonValue] = {n: value for n, value in step.items() if n not in used}
    observation = _document(cover, result) if result is not None else ""
    if rest:
        observation = "\n".join(part for part in (observation, _document(cover, rest)) if part)
    return Step(
        "wrench" if is_call else "circle-dot",
        gettext("Called {name}").format(name=name) if step.get("tool") and not step.get("title") else name,
        text=cover.text(text)
        if isinstance(text, str)
        else _document(cover, text)
        if text is not None
        else "",
        arguments=_arguments(cover, given),
        observation=observation,
        at=_time(step),
        kind="call" if is_call else "other",
    )


def _saying(cover: Cover, step: Step, content: JsonValue) -> Step:
    """Return the step with content as prose where it is prose, else as a document."""
    if isinstance(content, str):
        return replace(step, text=cover.text(content))
    parts = _as_list(content)
    texts = [part.get("text") for part in parts if isinstance(part, dict)]
    if parts and len(texts) == len(parts) and all(isinstance(text, str) for text in texts):
        return replace(step, text=cover.text("\n".join(str(text) for text in texts)))
    return replace(step, observation=_document(cover, content))


def _arguments(cover: Cover, arguments: JsonValue) -> str:
    return "" if arguments in _NOTHING else _document(cover, arguments)


def _document(cover: Cover, value: JsonValue) -> str:
    """Return a value to read: a flat object as aligned lines, text that is JSON likewise, else as it is."""
    if isinstance(value, str):
        try:
            read = json.loads(value) if value.lstrip()[:1] in {"{", "["} else None
        except (ValueError, RecursionError):
            read = None
        return _document(cover, read) if isinstance(read, dict | list) else cover.text(value)
    covered = cover.value(value)
    if isinstance(covered, dict) and covered and all(_is_line(member) for member in covered.values()):
        width = min(max(len(name) for name in covered), 20)
        return "\n".join(f"{name:<{width}}  {_line(member)}" for name, member in covered.items())
    if _is_line(covered):
        return _line(covered)
    return json.dumps(covered, indent=2, ensure_ascii=False)


def _is_line(value: JsonValue) -> bool:
    if isinstance(value, str):
        return "\n" not in value
    return not isinstance(value, dict | list)


def _line(value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _as_list(value: JsonValue) -> list[JsonValue]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _time(holder: Mapping[str, JsonValue]) -> dt.datetime | None:
    """Return when the agent says that it happened, where it says so in a form we know."""
    for name in TIME_NAMES:
        value = holder.get(name)
        try:
            if isinstance(value, str):
                moment = dt.datetime.fromisoformat(value)
            elif isinstance(value, int | float) and not isinstance(value, bool):
                moment = dt.datetime.fromtimestamp(value, tz=dt.UTC)
            else:
                continue
        except (ValueError, OverflowError, OSError):
            continue
        # Near the ends of the calendar a change of zone overflows.
        if 1 < moment.year < 9999:
            return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return None


def _lead(text: str) -> str:
    if len(text) <= LONG_TEXT and text.count("\n") <= 12:
        return ""
    return "\n".join(text[:SHOWN_OF_LONG].split("\n")[:5])

"""What led to an action, as the turns of a chat.

The context is what the agent sent, in whatever form it had. Its ``messages`` become turns; a context without
messages becomes one turn of the user with the context as text. Nothing is invented: a case without any
context has no prompt, and the formats that need one leave it out.

Tool calls in the history are given ids and are tied to the results that follow them. A result without a call
(the history was cut) and a call without a result are written as text, because chat APIs refuse both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Literal

from datasets.exporters.base import Document
from datasets.exporters.reading import Facts, compact
from datasets.exporters.tools import Tool, Tools
from hitl_site.lib import strict_json
from hitl_site.lib.strict_json import JsonValue

ROLES: Final = frozenset({"system", "user", "assistant", "tool"})
MAX_HOSTED_NAME: Final = 64
_FOREIGN_TO_HOSTED: Final = re.compile(r"[^A-Za-z0-9_-]")
# Spellings of the same four roles.
_ROLES_AS: Final = {
    "developer": "system",
    "human": "user",
    "customer": "user",
    "ai": "assistant",
    "agent": "assistant",
}

Style = Literal["object", "string"]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; ``id`` ties it to its result. ``given`` is the id that the agent sent, if any."""

    id: str
    name: str
    arguments: JsonValue
    given: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. ``answers`` is the id of the call whose result it is, for the role ``tool``."""

    role: str
    content: str
    calls: tuple[Call, ...] = ()
    answers: str = ""
    name: str = ""


def turns(facts: Facts, *, whole_context: bool = False) -> tuple[Turn, ...]:
    """Return what led to the action; empty where the agent sent nothing.

    With ``whole_context``, what stood in the context beside the messages follows as a turn of the user.
    """
    context = facts.context
    if context is None or context in ("", {}, []):
        return ()
    messages = context.get("messages") if isinstance(context, dict) else None
    if isinstance(context, dict) and isinstance(messages, list):
        history = _history(messages)
        rest = {name: value for name, value in context.items() if name != "messages"}
        if rest and (whole_context or not history):
            history = (*history, Turn("user", compact(rest)))
        return history
    if isinstance(context, list) and all(isinstance(each, dict) and "role" in each for each in context):
        return _history(context)
    return (Turn("user", context if isinstance(context, str) else compact(context)),)


def answer(facts: Facts, arguments: Document) -> Turn:
    """Return the assistant's turn that makes this call. The call's id is made of the case's."""
    call = Call(id=f"call_{facts.id.removeprefix('case_')}"[:40], name=facts.action_type, arguments=arguments)
    return Turn("assistant", "", calls=(call,))


def message(turn: Turn, style: Style) -> Document:
    """Return a turn as the chat message that trainers read (``object``) or hosted APIs take (``string``).

    They differ in what ``arguments`` is, in which names of tools they know, and in whether calls have ids.
    """
    hosted = style == "string"
    document: Document = {"role": turn.role, "content": turn.content}
    if turn.calls:
        document["tool_calls"] = [_call(call, hosted=hosted) for call in turn.calls]
        if hosted and not turn.content:
            document["content"] = None
    if turn.role == "tool":
        if hosted:
            document["tool_call_id"] = turn.answers
        elif turn.name:
            document["name"] = turn.name
    return document


def tools(facts: Facts, style: Style, known: Tools, *, every: bool) -> list[JsonValue]:
    """Return the tools that the model is told of: every known action type, or the one that is called.

    A type that nobody declared takes any arguments. By name, and each name once.
    """
    own = {facts.action_type: known.get(facts.action_type) or Tool(parameters=facts.schema)}
    chosen = {**known, **own} if every else own
    found: dict[str, Tool] = {}
    for name in sorted(chosen, key=lambda name: (name != facts.action_type, name)):
        found.setdefault(hosted_name(name) if style == "string" else name, chosen[name])
    return [_tool(name, found[name]) for name in sorted(found)]


def hosted_name(name: str) -> str:
    """Return a name that hosted APIs take: letters, digits, ``_`` and ``-``, at most 64 of them.

    ``refund.issue`` becomes ``refund_issue``; a longer one is cut and told apart by its hash.
    """
    allowed = _FOREIGN_TO_HOSTED.sub("_", name) or "_"
    if len(allowed) <= MAX_HOSTED_NAME:
        return allowed
    return f"{allowed[: MAX_HOSTED_NAME - 9]}_{sha256(name.encode()).hexdigest()[:8]}"


def transcript(history: Sequence[Turn]) -> str:
    """Return turns as plain text, for trainers without chat templates."""
    return "\n\n".join(f"{turn.role}: {_spoken(turn)}" for turn in history)


def call_text(facts: Facts, arguments: Document) -> str:
    """Return a call as one canonical JSON text."""
    return compact({"name": facts.action_type, "arguments": arguments})


def _history(messages: Sequence[JsonValue]) -> tuple[Turn, ...]:
    found = [_turn(each, place) for place, each in enumerate(messages)]
    tied: list[Turn] = []
    place = 0
    while place < len(found):
        turn = found[place]
        results: list[Turn] = []
        if turn.calls:
            while place + 1 + len(results) < len(found) and found[place + 1 + len(results)].role == "tool":
                results.append(found[place + 1 + len(results)])
        tied.extend(_tied(turn, results))
        place += 1 + len(results)
    return tuple(turn for turn in tied if turn.content or turn.calls or turn.answers)


def _tied(turn: Turn, results: list[Turn]) -> list[Turn]:
    """Return a turn with the results of its calls, each tied to its call by id or else by its place."""
    if turn.role == "tool":
        return [Turn("user", _spoken(turn))]
    waiting = list(turn.calls)
    tied: list[Turn] = []
    surplus: list[Turn] = []
    for result in results:
        call = next((call for call in waiting if call.given and call.given == result.answers), None)
        call = call or next(iter(waiting), None)
        if call is None:
            surplus.append(Turn("user", _spoken(result)))
        else:
            waiting.remove(call)
            tied.append(replace(result, answers=call.id, name=call.name))
    said = [turn.content, *(_call_text(call) for call in waiting)]
    calls = tuple(call for call in turn.calls if call not in waiting)
    return [replace(turn, content="\n\n".join(text for text in said if text), calls=calls), *tied, *surplus]


def _turn(value: JsonValue, place: int) -> Turn:
    if not isinstance(value, dict):
        return Turn("user", value if isinstance(value, str) else compact(value))
    said = str(value.get("role", "user")).lower()
    role = _ROLES_AS.get(said, said)
    calls = value.get("tool_calls") if role == "assistant" else None
    answers, name = value.get("tool_call_id"), value.get("name")
    return Turn(
        role=role if role in ROLES else "user",
        content=_content(value.get("content")),
        calls=tuple(
            _read_call(each, f"call_{place}_{number}")
            for number, each in enumerate(calls if isinstance(calls, list) else [])
            if isinstance(each, dict)
        ),
        answers=answers if isinstance(answers, str) else "",
        name=name if isinstance(name, str) else "",
    )


def _content(value: JsonValue) -> str:
    """Return what a message says: its text, or the texts of its parts."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        texts = [
            part["text"] if isinstance(part, dict) and isinstance(part.get("text"), str) else compact(part)
            for part in value
        ]
        return "\n".join(str(text) for text in texts)
    return compact(value)


def _read_call(value: Document, new_id: str) -> Call:
    """Read a call in the form of chat APIs, or in the flat one (name and arguments side by side)."""
    function = value.get("function")
    inner = function if isinstance(function, dict) else value
    arguments = inner.get("arguments", inner.get("args"))
    if isinstance(arguments, str):
        try:
            arguments = strict_json.parse(arguments.encode())
        except strict_json.DoorError:
            arguments = {"text": arguments}
    given = value.get("id")
    return Call(
        id=new_id,
        name=str(inner.get("name") or "unnamed"),
        arguments=arguments
        if isinstance(arguments, dict)
        else {}
        if arguments is None
        else {"value": arguments},
        given=given if isinstance(given, str) else "",
    )


def _call(call: Call, *, hosted: bool) -> Document:
    if hosted:
        function: Document = {"name": hosted_name(call.name), "arguments": compact(call.arguments)}
        return {"id": call.id, "type": "function", "function": function}
    return {"type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _spoken(turn: Turn) -> str:
    return "\n".join(text for text in (turn.content, *map(_call_text, turn.calls)) if text)


def _call_text(call: Call) -> str:
    return compact({"name": call.name, "arguments": call.arguments})


def _tool(name: str, described: Tool) -> Document:
    parameters: Document = {"type": "object", "properties": {}}
    if described.parameters:
        parameters = {**described.parameters}
    function: Document = {"name": name, "description": described.description, "parameters": parameters}
    return {"type": "function", "function": function}

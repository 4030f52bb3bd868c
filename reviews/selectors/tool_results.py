"""What tools gave back to the agent, with their names: out of the usual forms of a context. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_ROLES = frozenset({"tool", "function", "environment", "observation"})
_RESULTS = ("output", "result", "observation", "response")


@dataclass(frozen=True)
class ToolResult:
    """One result: where it stands in the context, of which tool ("" where nobody says), what it is."""

    place: str
    tool: str
    document: object


def tool_results(context: object) -> Iterator[ToolResult]:
    """Yield every result in the order of the context. A result that is JSON in a text is read."""
    if not isinstance(context, Mapping):
        return
    names: dict[str, str] = {}
    for number, message in enumerate(_items(context.get("messages"))):
        if isinstance(message, Mapping):
            names |= _called(message)
            yield from _of_message(f"messages/{number}", message, names)
    for number, step in enumerate(_items(context.get("steps"))):
        if isinstance(step, Mapping):
            tool = next((str(step[n]) for n in ("tool", "name", "title") if step.get(n)), "")
            for name in _RESULTS:
                if step.get(name) is not None:
                    yield ToolResult(f"steps/{number}", tool, _read(step[name]))


def _of_message(place: str, message: Mapping[str, object], names: Mapping[str, str]) -> Iterator[ToolResult]:
    content = message.get("content", message.get("parts"))
    if str(message.get("role", "")).lower() in _ROLES or message.get("tool_call_id"):
        key = str(message.get("tool_call_id", ""))
        yield ToolResult(place, str(message.get("name") or names.get(key, "")), _read(content))
        return
    for part in _items(content):
        if isinstance(part, Mapping) and str(part.get("type", "")) in {"tool_result", "tool-result"}:
            key = str(part.get("tool_use_id", part.get("toolCallId", "")))
            inner = part.get("content", part.get("result", part.get("output")))
            yield ToolResult(place, str(part.get("toolName") or names.get(key, "")), _read(inner))


def _called(message: Mapping[str, object]) -> dict[str, str]:
    """Return the names of the tools that this message calls, by the key that the answers will carry."""
    found: dict[str, str] = {}
    for call in _items(message.get("tool_calls")):
        if isinstance(call, Mapping):
            inner = call.get("function")
            named = inner if isinstance(inner, Mapping) else call
            found[str(call.get("id", ""))] = str(named.get("name", ""))
    for part in _items(message.get("content")):
        if isinstance(part, Mapping) and part.get("type") == "tool_use":
            found[str(part.get("id", ""))] = str(part.get("name", ""))
    found.pop("", None)
    return found


def _read(content: object) -> object:
    if isinstance(content, list) and content and all(_is_text(part) for part in content):
        content = "\n".join(str(part["text"]) for part in content)
    if isinstance(content, str) and content.lstrip()[:1] in {"{", "["}:
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            return content
    return content


def _is_text(part: object) -> bool:
    return isinstance(part, Mapping) and isinstance(part.get("text"), str)


def _items(value: object) -> list[object]:
    if isinstance(value, list | tuple):
        return list(value)
    return [value] if isinstance(value, Mapping) else []

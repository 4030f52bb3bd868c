"""A whole conversation as steps to read, like the context of an action. Pure; every text in it is hostile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from hitl_site.lib.strict_json import JsonValue
from reviews.selectors.context_steps import TIME_NAMES, Cover, Step, steps_of


def steps_of_conversation(messages: Sequence[Mapping[str, JsonValue]]) -> tuple[Step, ...]:
    """Return what was said, called and answered, in the order of the agent; secrets are covered."""
    told: list[JsonValue] = [_with_sure_times(message) for message in messages]
    found = steps_of({"messages": told}, Cover(covered=True))
    return tuple(replace(step, number=number) for number, step in enumerate(found, start=1))


def _with_sure_times(message: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the message without a text for a time that is none, or that names no zone.

    Nobody knows when that was; as it came it stands in the JSON.
    """
    return {
        name: value
        for name, value in message.items()
        if name not in TIME_NAMES or not isinstance(value, str) or _is_sure(value)
    }


def _is_sure(said: str) -> bool:
    try:
        return datetime.fromisoformat(said).tzinfo is not None
    except ValueError:
        return False

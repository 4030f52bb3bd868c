"""Action types as the tools of a chat: what a model is told it may call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from hitl_site.lib.strict_json import JsonValue


@dataclass(frozen=True, slots=True)
class Tool:
    """An action type's description and the JSON Schema of its arguments."""

    description: str = ""
    parameters: Mapping[str, JsonValue] | None = None


Tools: TypeAlias = Mapping[str, Tool]

NO_TOOLS: Final[Tools] = MappingProxyType({})


def tools_from_document(document: Mapping[str, JsonValue]) -> Tools:
    """Return tools from their JSON form: ``{action type: {"description": ..., "parameters": schema}}``."""
    return {name: _tool(value) for name, value in document.items()}


def _tool(value: JsonValue) -> Tool:
    if not isinstance(value, dict):
        return Tool()
    description, parameters = value.get("description"), value.get("parameters")
    return Tool(
        description=description if isinstance(description, str) else "",
        parameters=parameters if isinstance(parameters, dict) else None,
    )

"""Chat fine-tuning: what led to the action as messages, then the call that was right, and the tool it calls.

With ``arguments`` as objects: the conversational format with tools of TRL and of chat templates. As strings:
what hosted fine-tuning takes (OpenAI): arguments are JSON texts, calls have ids, and names have no dots.

Imitated are approvals, corrections and what should have been done and was not. A rejection has no right call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from datasets.exporters import options, prompts
from datasets.exporters.base import Document
from datasets.exporters.lines import JsonRows
from datasets.exporters.prompts import Style
from datasets.exporters.reading import Facts
from datasets.exporters.tools import NO_TOOLS, Tools
from hitl_site.lib.strict_json import JsonValue


def whole_context_flag() -> bool:
    """Declare whether the prompt has all of the context."""
    return options.flag(
        default=False,
        title="The whole context",
        help="Beside the messages: facts, links and whatever else the agent sent, as a last message.",
    )


def tools_choice() -> str:
    """Declare which tools the model is told of."""
    return options.choice(
        default="every",
        title="Tools",
        choices={"every": "Every action type of the version", "own": "The one that is called"},
        help="A model that is told of one tool alone does not learn to choose.",
    )


@dataclass(frozen=True, slots=True)
class Options:
    arguments: str = options.choice(
        default="object",
        title="Arguments",
        choices={"object": "Objects, for TRL and chat templates", "string": "Texts, for hosted fine-tuning"},
    )
    tools: str = tools_choice()
    whole_context: bool = whole_context_flag()


class Chat(JsonRows):
    """One row a case: ``messages`` and ``tools``."""

    def __init__(self, chosen: Options, tools: Tools = NO_TOOLS) -> None:
        self.tools = tools
        self.every_tool = chosen.tools == "every"
        self.style = cast(Style, chosen.arguments)
        self.whole_context = chosen.whole_context

    def without(self, facts: Facts) -> str | None:
        if facts.truth is None:
            return "rejected"
        return None if prompts.turns(facts) else "no_context"

    def documents(self, facts: Facts, split: str) -> Iterator[Document]:
        assert facts.truth is not None
        history = prompts.turns(facts, whole_context=self.whole_context)
        spoken = (*history, prompts.answer(facts, facts.truth))
        messages: list[JsonValue] = [prompts.message(turn, self.style) for turn in spoken]
        tools = prompts.tools(facts, self.style, self.tools, every=self.every_tool)
        row: Document = {"messages": messages, "tools": tools}
        if self.style == "string":
            row["parallel_tool_calls"] = False
        yield row

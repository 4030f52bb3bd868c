"""Preference pairs: ``prompt``, ``chosen`` (what the person made of it), ``rejected`` (what was proposed).

A correction is a pair. An approval is none: nothing stands against it. A rejection without a correction is
none either: nobody said what would have been right.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datasets.exporters import options, prompts
from datasets.exporters.base import Document
from datasets.exporters.chat import tools_choice, whole_context_flag
from datasets.exporters.lines import JsonRows
from datasets.exporters.reading import Facts
from datasets.exporters.tools import NO_TOOLS, Tools
from hitl_site.lib.strict_json import JsonValue


def form_choice() -> str:
    """Declare how prompts and answers are written."""
    return options.choice(
        default="messages",
        title="Form",
        choices={"messages": "Messages with tool calls", "text": "Plain text"},
        help="Plain text suits trainers and chat templates that know no tool calls.",
    )


@dataclass(frozen=True, slots=True)
class Options:
    form: str = form_choice()
    tools: str = tools_choice()
    whole_context: bool = whole_context_flag()


class PreferencePairs(JsonRows):
    """One row a correction."""

    def __init__(self, chosen: Options, tools: Tools = NO_TOOLS) -> None:
        self.tools = tools
        self.every_tool = chosen.tools == "every"
        self.plain = chosen.form == "text"
        self.whole_context = chosen.whole_context

    def without(self, facts: Facts) -> str | None:
        if facts.is_omission or facts.proposed is None:
            return "omission"
        if facts.truth is None:
            return "rejected"
        if facts.agrees:
            return "approved" if facts.label == "approved" else "no_difference"
        return None if prompts.turns(facts) else "no_context"

    def documents(self, facts: Facts, split: str) -> Iterator[Document]:
        assert facts.proposed is not None
        assert facts.truth is not None
        history = prompts.turns(facts, whole_context=self.whole_context)
        tools = prompts.tools(facts, "object", self.tools, every=self.every_tool)
        yield {
            **prompt(history, tools, plain=self.plain),
            "chosen": completion(facts, facts.truth, plain=self.plain),
            "rejected": completion(facts, facts.proposed, plain=self.plain),
        }


def prompt(history: tuple[prompts.Turn, ...], tools: list[JsonValue], *, plain: bool) -> Document:
    """Return the columns that ask: the prompt, and in the form of messages the tools too."""
    if plain:
        return {"prompt": f"{prompts.transcript(history)}\n\nassistant: "}
    return {
        "prompt": [prompts.message(turn, "object") for turn in history],
        "tools": tools,
    }


def completion(facts: Facts, arguments: Document, *, plain: bool) -> JsonValue:
    """Return a call as an answer."""
    if plain:
        return prompts.call_text(facts, arguments)
    return [prompts.message(prompts.answer(facts, arguments), "object")]

"""Inspect AI samples: ``input`` as chat messages, ``target`` as canonical JSON, the id of the case."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datasets.exporters import evaluation, options, reading
from datasets.exporters.base import Document
from datasets.exporters.chat import whole_context_flag
from datasets.exporters.lines import JsonRows
from datasets.exporters.prompts import Turn, hosted_name, transcript
from datasets.exporters.reading import Facts


@dataclass(frozen=True, slots=True)
class Options:
    form: str = options.choice(
        default="messages", title="Form", choices={"messages": "Messages", "text": "Plain text"}
    )
    instruction: bool = evaluation.instruction_flag()
    whole_context: bool = whole_context_flag()


class Samples(JsonRows):
    """One sample a case; the target of a rejection is ``null``."""

    def __init__(self, chosen: Options) -> None:
        self.chosen = chosen

    def without(self, facts: Facts) -> str | None:
        return evaluation.without(facts)

    def documents(self, facts: Facts, split: str) -> Iterator[Document]:
        asked = evaluation.question(facts, self.chosen)
        plain = self.chosen.form == "text"
        yield {
            "id": facts.id,
            "input": transcript(asked) if plain else [_message(turn) for turn in asked],
            "target": evaluation.expected(facts),
            "metadata": reading.metadata(facts, split),
        }


def _message(turn: Turn) -> Document:
    """Return a turn in the reader's own form, which is not that of the chat APIs."""
    document: Document = {"role": turn.role, "content": turn.content}
    if turn.calls:
        document["tool_calls"] = [
            {
                "id": call.id,
                "function": hosted_name(call.name),
                "arguments": call.arguments,
                "type": "function",
            }
            for call in turn.calls
        ]
    if turn.role == "tool":
        document["tool_call_id"] = turn.answers
        document["function"] = hosted_name(turn.name)
    return document

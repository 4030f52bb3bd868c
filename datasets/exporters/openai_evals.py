"""OpenAI evals: lines for the open-source runner (``input``, ``ideal``), or items of the hosted service.

Hosted: ``{"item": {...}}`` against ``ITEM_SCHEMA``; a string check of ``{{sample.output_text}}`` against
``{{item.expected}}`` is the exact match. ``expected`` is canonical JSON, so the order of keys cannot fail it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from datasets.exporters import evaluation, options, prompts, reading
from datasets.exporters.base import Document
from datasets.exporters.chat import whole_context_flag
from datasets.exporters.lines import JsonRows
from datasets.exporters.reading import Facts
from hitl_site.lib.strict_json import JsonValue

# The item_schema of the hosted service's data_source_config.
ITEM_SCHEMA: Final[Document] = {
    "type": "object",
    "required": ["case_id", "action_type", "label", "messages", "expected", "metadata"],
    "properties": {
        "case_id": {"type": "string"},
        "action_type": {"type": "string"},
        "label": {"enum": ["approved", "corrected", "rejected"]},
        "messages": {"type": "array", "items": {"type": "object"}},
        "expected": {"type": "string"},
        "metadata": {"type": "object"},
    },
}


@dataclass(frozen=True, slots=True)
class Options:
    form: str = options.choice(
        default="runner",
        title="For",
        choices={"runner": "The open-source runner", "hosted": "The hosted service"},
    )
    instruction: bool = evaluation.instruction_flag()
    whole_context: bool = whole_context_flag()


class Evals(JsonRows):
    """One line a case; what is right for a rejection is ``null``."""

    def __init__(self, chosen: Options) -> None:
        self.chosen = chosen

    def without(self, facts: Facts) -> str | None:
        return evaluation.without(facts)

    def documents(self, facts: Facts, split: str) -> Iterator[Document]:
        asked = evaluation.question(facts, self.chosen)
        messages: list[JsonValue] = [prompts.message(turn, "string") for turn in asked]
        if self.chosen.form == "runner":
            yield {
                "input": messages,
                "ideal": evaluation.expected(facts),
                "metadata": reading.metadata(facts, split),
            }
        else:
            item: Document = {
                "case_id": facts.id,
                "action_type": facts.action_type,
                "label": facts.label,
                "messages": messages,
                "expected": evaluation.expected(facts),
                "metadata": reading.metadata(facts, split),
            }
            yield {"item": item}

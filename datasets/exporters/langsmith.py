"""LangSmith examples: ``inputs``, ``reference_outputs``, ``metadata``, ``split``, with the case's UUID."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

from datasets.exporters import reading
from datasets.exporters.base import Document
from datasets.exporters.langfuse import call
from datasets.exporters.lines import JsonRows
from datasets.exporters.reading import Facts

UNSPLIT = "base"  # what the service calls the split of an example that says none


@dataclass(frozen=True, slots=True)
class Options:
    """None: the service takes examples in one form."""


class Examples(JsonRows):
    """One example a case, with a context or without."""

    def __init__(self, chosen: Options) -> None:
        self.chosen = chosen

    def without(self, facts: Facts) -> str | None:
        return None

    def documents(self, facts: Facts, split: str) -> Iterator[Document]:
        yield {
            "id": str(uuid.UUID(facts.id.removeprefix("case_"))),
            "inputs": {"action_type": facts.action_type, "context": facts.context},
            "reference_outputs": {"call": call(facts, facts.truth)},
            "metadata": {**reading.metadata(facts, split), "agent_output": call(facts, facts.proposed)},
            "split": split or UNSPLIT,
        }

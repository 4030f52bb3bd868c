"""Langfuse dataset items: ``id`` is the case's, so uploading twice changes an item and adds none."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datasets.exporters import options, reading
from datasets.exporters.base import Document
from datasets.exporters.lines import JsonRows
from datasets.exporters.reading import Facts


@dataclass(frozen=True, slots=True)
class Options:
    dataset: str = options.text(
        default="handrail", title="Name of the dataset", max_length=200, help="As it is called in Langfuse."
    )


class Items(JsonRows):
    """One item a case, with a context or without."""

    def __init__(self, chosen: Options) -> None:
        self.dataset = chosen.dataset

    def without(self, facts: Facts) -> str | None:
        return None

    def documents(self, facts: Facts, split: str) -> Iterator[Document]:
        yield {
            "id": facts.id,
            "datasetName": self.dataset,
            "input": {"action_type": facts.action_type, "context": facts.context},
            "expectedOutput": call(facts, facts.truth),
            "metadata": {**reading.metadata(facts, split), "agent_output": call(facts, facts.proposed)},
            "status": "ACTIVE",
        }


def call(facts: Facts, arguments: Document | None) -> Document | None:
    """Return a call as trackers of evaluations keep it; None where there is none."""
    return None if arguments is None else {"tool": facts.action_type, "args": arguments}

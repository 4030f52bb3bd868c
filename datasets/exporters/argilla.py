"""Argilla records: what was proposed as the suggestion, what the person decided as the response.

Fields and answers are texts: arguments are canonical JSON. Records (``Record.from_dict``) name the person who
answered, by a UUID made of the pseudonym. Flat rows (``dataset.records.log``) belong to whoever logs them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from datasets.exporters import options, reading
from datasets.exporters.base import Document
from datasets.exporters.lines import JsonRows
from datasets.exporters.reading import Facts, at, compact
from hitl_site.lib.strict_json import JsonValue

# The settings that a dataset needs for these records.
FIELDS: Final = ("context", "proposed")
METADATA: Final = ("action_type", "agent", "agent_version", "label_source", "label_strength", "split")

# Argilla names users by UUID: one of its own for every pseudonym, the same in all exports.
_REVIEWERS: Final = uuid.UUID("6d1c2f60-93a4-5c3c-8f6e-0c2f7a4d9b11")


@dataclass(frozen=True, slots=True)
class Options:
    form: str = options.choice(
        default="record",
        title="Form",
        choices={"record": "Records", "flat": "Flat rows, to be logged with the client"},
    )


class Records(JsonRows):
    """One record a case."""

    def __init__(self, chosen: Options) -> None:
        self.flat = chosen.form == "flat"

    def without(self, facts: Facts) -> str | None:
        return None

    def documents(self, facts: Facts, split: str) -> Iterator[Document]:
        score = at(facts.document, "proposal", "confidence")
        agent = f"{facts.agent}@{facts.agent_version}"
        fields: Document = {"context": _text(facts.context), "proposed": _text(facts.proposed)}
        answers: dict[str, str] = {"label": facts.label, "corrected_arguments": _text(facts.truth)}
        known = reading.metadata(facts, split)
        metadata: Document = {name: known[name] for name in METADATA}
        if self.flat:
            row: Document = {"id": facts.id, **fields, **metadata}
            row["corrected_arguments.suggestion"] = _text(facts.proposed)
            row["corrected_arguments.suggestion.agent"] = agent
            row["corrected_arguments.suggestion.score"] = score
            row.update({f"{name}.response": value for name, value in answers.items()})
            yield row
        else:
            suggestion: Document = {"value": _text(facts.proposed), "score": score, "agent": agent}
            responses: Document = {}
            user = str(uuid.uuid5(_REVIEWERS, str(at(facts.document, "decision", "reviewer"))))
            for name, value in answers.items():
                responses[name] = [{"value": value, "user_id": user}]
            yield {
                "id": facts.id,
                "fields": fields,
                "metadata": metadata,
                "suggestions": {"corrected_arguments": suggestion},
                "responses": responses,
            }


def _text(value: JsonValue) -> str:
    """Return a value as a field shows it: a text as it is, everything else as canonical JSON."""
    return value if isinstance(value, str) else compact(value)

"""Unpaired preferences: ``prompt``, ``completion``, ``label``.

An approval is a good answer (true), a rejection a bad one (false). A correction says both: what the agent
proposed was wrong, what the person made of it is right. It is two rows, or none where pairs are exported.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from datasets.exporters import options, prompts
from datasets.exporters.base import Document
from datasets.exporters.chat import tools_choice, whole_context_flag
from datasets.exporters.dpo import completion, form_choice, prompt
from datasets.exporters.lines import JsonRows
from datasets.exporters.reading import Facts
from datasets.exporters.tools import NO_TOOLS, Tools


@dataclass(frozen=True, slots=True)
class Options:
    form: str = form_choice()
    corrections: str = options.choice(
        default="both",
        title="Corrections",
        choices={"both": "Two rows: the proposal as bad, the correction as good", "leave_out": "Leave out"},
    )
    tools: str = tools_choice()
    whole_context: bool = whole_context_flag()


class UnpairedPreferences(JsonRows):
    """One row an approval or a rejection, two a correction."""

    def __init__(self, chosen: Options, tools: Tools = NO_TOOLS) -> None:
        self.tools = tools
        self.every_tool = chosen.tools == "every"
        self.plain = chosen.form == "text"
        self.corrections = chosen.corrections == "both"
        self.whole_context = chosen.whole_context

    def without(self, facts: Facts) -> str | None:
        if facts.is_omission or facts.proposed is None:
            return "omission"
        if facts.is_corrected and not self.corrections:
            return "corrected"
        return None if prompts.turns(facts) else "no_context"

    def documents(self, facts: Facts, split: str) -> Iterator[Document]:
        assert facts.proposed is not None
        history = prompts.turns(facts, whole_context=self.whole_context)
        tools = prompts.tools(facts, "object", self.tools, every=self.every_tool)
        asked = prompt(history, tools, plain=self.plain)
        if facts.truth is not None:
            yield {**asked, "completion": completion(facts, facts.truth, plain=self.plain), "label": True}
        if facts.truth is None or facts.is_corrected:
            yield {**asked, "completion": completion(facts, facts.proposed, plain=self.plain), "label": False}

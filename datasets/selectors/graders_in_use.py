"""Questions about graders: which is in use for an action type, and which were."""

from __future__ import annotations

import json
from dataclasses import dataclass

from datasets import graders
from datasets.models import Grader
from hitl_site.lib.jsonb import from_jsonb
from policies.models import ActionType


@dataclass(frozen=True, slots=True)
class GraderRow:
    """An action type and its grader; None where answers are compared exactly."""

    action_type: ActionType
    grader: Grader | None

    @property
    def rules(self) -> int:
        """Return how many fields have a rule of their own."""
        return len(self.grader.document["fields"]) if self.grader else 0


def rows() -> list[GraderRow]:
    """Return every action type with the grader in use."""
    newest = Grader.objects.order_by("action_type", "-number").distinct("action_type")
    by_name = {grader.action_type: grader for grader in newest}
    return [GraderRow(found, by_name.get(found.name)) for found in ActionType.objects.order_by("name")]


def history(action_type: str) -> list[Grader]:
    """Return the graders an action type had, newest first."""
    return list(Grader.objects.filter(action_type=action_type).order_by("-number"))


def text(action_type: str) -> str:
    """Return the document in use as text to edit."""
    grader = Grader.objects.filter(action_type=action_type).order_by("-number").first()
    # jsonb has an order of its own; read again, the document is in that of its declaration.
    found = graders.from_document(from_jsonb(grader.document)) if grader else graders.DEFAULT
    return json.dumps(found.document(), indent=2, ensure_ascii=False)

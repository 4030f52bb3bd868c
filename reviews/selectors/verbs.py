"""What a person did who gave an answer, in one word."""

from __future__ import annotations

from typing import Final

from django.utils.translation import pgettext_lazy

from reviews.choices import DecisionKind

_VERBS: Final = {
    DecisionKind.APPROVE: pgettext_lazy("decision", "approved"),
    DecisionKind.CORRECT: pgettext_lazy("decision", "corrected"),
    DecisionKind.REJECT: pgettext_lazy("decision", "rejected"),
}


def verb_of(kind: str) -> str:
    """Return what they did with it: "approved"."""
    return str(_VERBS[DecisionKind(kind)])

"""What a case keeps as a code, and a label within a sentence, in the reader's language."""

from __future__ import annotations

from django.utils.translation import get_language, pgettext


def of_code(code: str) -> str:
    """Return a code of labelled cases as pages write it; one that is not known stays as it is."""
    words = {
        "approved": pgettext("label", "approved"),
        "corrected": pgettext("label", "corrected"),
        "rejected": pgettext("label", "rejected"),
        "strong": pgettext("label", "strong"),
        "weak": pgettext("label", "weak"),
        "review": pgettext("label", "review"),
        "audit": pgettext("label", "audit"),
        "proposal": pgettext("label", "proposal"),
        "omission": pgettext("label", "omission"),
    }
    return words.get(code, code)


def inside(words: str) -> str:
    """Return a label as it stands within a sentence: English loses its capitals, German nouns keep theirs."""
    return words if get_language() == "de" else words.lower()

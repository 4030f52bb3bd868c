"""What is kept as a code or in English, and a label within a sentence, in the reader's language."""

from __future__ import annotations

from typing import Final

from django.utils.translation import get_language, pgettext
from django.utils.translation import gettext_noop as _

from hitl_site.lib.sentences import Sentences


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


# As services.disputes writes them.
_DISPUTES: Final = Sentences(
    _("Ground truth ({source}) says that it was wrong."),
    _("A second opinion says otherwise: {label}."),
    places={"label": (r"[a-z_]+", of_code)},
)
# As services.freezings writes it; what it was refused for is in the words of services.freezing.
_NOT_FROZEN: Final = Sentences(
    _("The worker died {times} times while freezing."), places={"times": (r"\d+", None)}
)
# As services.erasure joins them, with the reasons of selectors.reach.
_WAITS: Final = Sentences(
    _("{action} waits for a person"),
    _("{action} has an open item in the inbox"),
    _("{action} has an answer in its undo window"),
    _("{action} has a permit that can still be used"),
    _("{action} is running"),
    _("{action} is being taken in"),
    _("{action} is held ({hold})"),
    _("{count} more"),
    places={"action": (r"\S+", None), "hold": (r"\S+", None), "count": (r"\d+", None)},
)

# As services.taking_away and services.retention write them.
_ENDED: Final = Sentences(
    _("Data in it was erased ({removal}), so its files were removed."),
    _("Its time to be kept was over ({removal}), so its files were removed."),
    places={"removal": (r"\S+", None)},
)


def why_ended(error: str) -> str:
    """Return why the files of a finished export are gone, to be shown."""
    return _ENDED(error)


def why_disputed(because: str) -> str:
    """Return why a case is disputed, to be shown."""
    return _DISPUTES(because)


def why_not_frozen(error: str) -> str:
    """Return why a large version was not made, to be shown."""
    return _NOT_FROZEN(error)


def why_it_waits(note: str) -> str:
    """Return what an erasure waits for, to be shown."""
    return "; ".join(_WAITS(part) for part in note.split("; "))


def inside(words: str) -> str:
    """Return a label as it stands within a sentence: English loses its capitals, German nouns keep theirs."""
    return words if get_language() == "de" else words.lower()

"""The single keys of the console: what each does as it comes, and what a person may make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext, gettext_noop


@dataclass(frozen=True)
class Key:
    """An act and the key it comes with, which is also its name."""

    code: str
    words: str

    @property
    def label(self) -> str:
        """Return what it does, in the language in force."""
        return gettext(self.words)


INBOX: Final[Sequence[Key]] = (
    Key("j", gettext_noop("Down the list, or the next one")),
    Key("k", gettext_noop("Up the list, or the one before; on an item the check list")),
    Key("x", gettext_noop("Select the row (with Shift: up to here)")),
    Key("/", gettext_noop("Search")),
    Key("v", gettext_noop("Saved views")),
)
REVIEW: Final[Sequence[Key]] = (
    Key("a", gettext_noop("Approve")),
    Key("c", gettext_noop("Correct")),
    Key("r", gettext_noop("Reject")),
    Key("e", gettext_noop("Escalate")),
    Key("s", gettext_noop("Skip")),
    Key("u", gettext_noop("Undo the last answer")),
    Key("n", gettext_noop("Write a note")),
    Key("i", gettext_noop("First field that can be changed")),
    Key("d", gettext_noop("What will run")),
    Key("f", gettext_noop("Form or JSON")),
    Key("t", gettext_noop("What the agent did")),
    Key("[", gettext_noop("The item before")),
    Key("]", gettext_noop("The item after")),
)
ALL: Final = (*INBOX, *REVIEW)
_CODES: Final = frozenset(key.code for key in ALL)
# Digits give reasons, ? opens the sheet.
_KEPT: Final = frozenset("?0123456789 ")


def problem_with(given: Mapping[str, str]) -> str:
    """Return why these keys cannot be, "" where they can. ``given`` maps a code to the key it shall have."""
    if not given.keys() <= _CODES:
        return gettext("There is no such key to change.")
    for code, key in given.items():
        if len(key) != 1 or not key.isprintable() or key in _KEPT:
            label = next(each.label for each in ALL if each.code == code)
            return gettext("“{act}” needs one character that is no digit and no question mark.").format(
                act=label
            )
    keys = [given.get(code, code).lower() for code in _CODES]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        return gettext("“{key}” is given to two acts. Each needs a key of its own.").format(
            key=twice[0].upper()
        )
    return ""


def changed_only(given: Mapping[str, str]) -> dict[str, str]:
    """Return the keys that differ from those that acts come with."""
    return {code: key.lower() for code, key in given.items() if key.lower() != code}


def in_force(kept: object) -> dict[str, str]:
    """Return the changed keys as they were kept; what cannot be is as if it had not been changed."""
    if not isinstance(kept, dict):
        return {}
    found: dict[Any, Any] = kept
    own = {str(code): str(key) for code, key in found.items()}
    return own if not problem_with(own) else {}

"""What is wrong with a declaration, and what an edit means for an approval, in the language of the reader.

The checks say it in English, to commands and files as well. The sentences are those of
``policies.services.action_types`` and of the engine's ``binding``, ``evidence_rules`` and
``evidence_sources``; what a library says of a schema or of a path stays as it is.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_noop as _

from hitl_site.lib import wording
from hitl_site.lib.sentences import Places, Sentences

_A_NUMBER: Final = (r"[0-9.]+", wording.figures)
_PLACES: Final[Places] = {
    "number": (r"\d+", None),
    "most": _A_NUMBER,
    "low": _A_NUMBER,
    "high": _A_NUMBER,
    "name": (r"[\w.-]+", None),
    "pointer": (r"\S+", None),
}
# What is wrong with one entry of a list.
_OF_AN_ENTRY: Final = Sentences(
    _("a code starts with a letter and has up to 64 of a-z, 0-9 and underscore."),
    _("the code {code} is used twice."),
    _("a label has 1 to 120 characters."),
    _("a sentence has 1 to 300 characters."),
    _("this would leave nothing that an approval binds."),
    _("it names at least one form."),
    _("no such form: {unknown}. There are {forms}."),
    _("a JSON pointer into the arguments, as in /amount."),
    _("the argument is a JSON pointer, as in /amount."),
    _("the path has 1 to {most} characters."),
    _("the path {path} has .. more than once."),
    _("A JSON pointer such as /note or /items/*/label, of at most {most} characters."),
    places=_PLACES,
)
_OF_A_SETTING: Final = Sentences(
    _("There is no such setting."),
    _("A number."),
    _("A whole number."),
    _("From {low} to {high}."),
    _("Not under what freezes promotions."),
    _("a number from 0 to 1."),
    places=_PLACES,
)
_FAULTS: Final = Sentences(
    _("It is required."),
    _("There is an action type named {pointer} already."),
    _("1 to 120 letters, digits, dots, dashes, underscores, colons and slashes, as in refund.issue."),
    _("1 to 160 characters."),
    _("At most 300 characters."),
    _("A field stands in braces, as in {example}, and every brace has its partner."),
    _("The name of an icon: up to 40 of a-z, 0-9 and dashes."),
    _("One of {names}."),
    _("A JSON Schema is an object."),
    _("At {pointer}: {problem}."),
    _("A list of 1 to {most} codes."),
    _("Number {number} has a code and a label, and nothing else."),
    _("Number {number} has a pointer, a tool, a path and a label, and nothing else."),
    _("Number {number}: {fault}"),
    _("A list of at most {most} sentences."),
    _("A list of at most {most} pointers."),
    _("A list of at most {most} JSON pointers."),
    _("A list of at most {most} sources."),
    _("At most {most} pointers, each with its forms."),
    _("A JSON pointer such as /amount, or nothing."),
    _("A code in capital letters, such as EUR."),
    _("A number from 0, or nothing."),
    _("A JSON pointer into the arguments, as in /order_id, of at most 200 characters; or nothing."),
    _("What is irreversible, critical or widens the agent's rights goes no further than Review all."),
    _("Shadow or Review all: nobody runs alone on first contact."),
    _("A whole number of milliseconds from 0 to {most}."),
    _("A share from 0 to {most}, as in 0.05."),
    _("A whole number from 0 to {most}; 0 is each by itself."),
    _("A pointer is listed twice."),
    _("An object: reason code to a number from 0 to 1."),
    _("{name} is no reason code of this action type."),
    _("A number, or nothing to go by the risk."),
    _("From 0.05 to 50 percent."),
    _("An object: setting to number."),
    _("{name}: {setting}"),
    places={
        **_PLACES,
        "fault": (r".+", _OF_AN_ENTRY),
        "setting": (r".+", _OF_A_SETTING),
        "names": (r"\w+(?:, \w+)*", None),
        "example": (r"\{amount\}", None),
    },
)

_FORMS: Final = Sentences(
    _("in composed letters (NFC)"),
    _("whatever the case"),
    _("without spaces at its ends"),
    _("with single spaces"),
    _("without spaces"),
    _("in capitals"),
    _("in small letters"),
    _("as a number"),
)


def form_in_words(form: str) -> str:
    """Return how a text is compared, to be shown."""
    return _FORMS(form)


def declaration_fault(message: str) -> str:
    """Return what is wrong with a field of a declaration, to be shown."""
    return _FAULTS(message)

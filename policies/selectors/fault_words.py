"""What is wrong with a policy, in the language of whoever writes it: the engine says it in English.

The sentences are those of ``policies.engine`` that a policy's form can meet; a test writes such policies.
What CEL says of a condition, and of fields that a form does not have, stays as it is.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_noop as _

from hitl_site.lib import wording
from hitl_site.lib.sentences import Sentences

_A_NUMBER: Final = (r"-?[0-9.]+", wording.figures)

_FAULTS: Final = Sentences(
    # Of any part.
    _("up to 64 of a-z, 0-9 and underscore, starting with a letter"),
    _("up to 64 of a-z, 0-9, dot, dash and underscore, not starting with a mark"),
    _("a text of 1 to {most} characters"),
    _("a JSON pointer into the arguments, such as /amount"),
    _("a number from {least} to 1"),
    _("a whole number from {least} to {most}"),
    _("true or false"),
    _("{name} is listed twice"),
    _("this sentence is listed twice"),
    _("a list of up to {most} sentences"),
    # Rules.
    _("at most {most} rules"),
    _("the code {name} is used twice"),
    _("a condition in CEL, as a text"),
    # Measures.
    _("at most {most} measures"),
    _("the name {name} is used twice"),
    _("{name} is a word of CEL; take another name"),
    _("a count adds up nothing: leave the pointer out"),
    _("a list of up to {most} names of action types"),
    _("the name of an action type"),
    # Agents.
    _("a list of up to {most} agents, or nothing for all of them"),
    _("a list of up to {most} versions, empty for all"),
    _("a name of 1 to {most} characters"),
    # Freeze windows.
    _("at most {most} freeze windows"),
    _("a local time such as 18:00"),
    _("the name of a time zone, such as Europe/Berlin or UTC"),
    _("after the time at which the window begins"),
    # Calibration.
    _("the score calibrated needs a map"),
    _("a map belongs to the score calibrated alone"),
    _("a list of 2 to {most} pairs of raw and calibrated"),
    _("a pair of raw and calibrated"),
    _("above the raw score of the point before"),
    _("not below that of the point before"),
    places={"most": _A_NUMBER, "least": _A_NUMBER, "name": (r"\S+", None)},
)


def fault_in_words(message: str) -> str:
    """Return what is wrong in the language in force, to be shown."""
    return _FAULTS(message)

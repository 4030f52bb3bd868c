"""What a grader said of an answer, in the language of the reader.

It is kept, and sent to runners, in English. The sentences are those of ``datasets.graders`` and of
``datasets.services.evaluating``. What a schema library says of a value stays as it is.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_noop as _

from hitl_site.lib import wording
from hitl_site.lib.sentences import Sentences

_A_NUMBER: Final = (r"-?[0-9.]+(?:e[+-]?[0-9]+)?", wording.figures)

_SENTENCES: Final = Sentences(
    _("The answer is not JSON that can be compared."),
    _("The agent broke down."),
    _("It acted; nothing should have been done."),
    _("It did nothing."),
    _("It chose another action type."),
    _("The right answer itself does not pass this grader."),
    _("1 place is wrong."),
    _("{count} places are wrong."),
    _("The case was erased."),
    _("It is missing."),
    _("It should not be there."),
    _("It differs."),
    _("It does not fit the schema: {what}"),
    _("It is off by {value}; {most} is allowed."),
    _("Alike by {value}; {least} is needed."),
    _("{count} missing, {more} too many."),
    places={
        "count": (r"[0-9]+", None),
        "more": (r"[0-9]+", None),
        "value": _A_NUMBER,
        "least": _A_NUMBER,
        "most": _A_NUMBER,
    },
)


def in_words(why: object) -> str:
    """Return the grader's sentence, to be shown."""
    return _SENTENCES(str(why))

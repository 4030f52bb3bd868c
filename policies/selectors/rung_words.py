"""The rules of the ladder in the language of the reader: the engine says them, and the record keeps them, in
English.

The sentences are those of ``policies.engine.ladder``, of ``policies.services.ladder`` and of whatever else
takes a level away; a test draws each of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from django.utils.translation import gettext_noop as _

from hitl_site.lib import wording
from hitl_site.lib.sentences import Places, Sentences
from policies.engine.ladder import Condition, Rung


def _share(text: str) -> str:
    """Return a share as it is written here, with as many digits as it has."""
    number = text.removesuffix("%")
    digits = len(number.partition(".")[2])
    return _with_plain_spaces(wording.share_of(float(number) / 100, digits))


def _with_plain_spaces(text: str) -> str:
    # Where the sentence stands beside a person's words, hidden characters are named.
    return text.replace("\N{NO-BREAK SPACE}", " ")


_A_SHARE: Final = (r"[0-9.]+(?:e[+-]?[0-9]+)?%", _share)
_A_NUMBER: Final = (r"[0-9.,]+", wording.figures)
_PLACES: Final[Places] = {
    "share": _A_SHARE,
    "least": _A_SHARE,
    "most": _A_SHARE,
    "upper": _A_SHARE,
    "value": _A_NUMBER,
    "limit": _A_NUMBER,
    "count": _A_NUMBER,
    "done": _A_NUMBER,
    "wanted": _A_NUMBER,
    "more": _A_NUMBER,
}

_TITLES: Final = Sentences(
    _("Evidence"),
    _("Comparisons"),
    _("Error rate, upper limit"),
    _("A certified threshold lets enough through"),
    _("Checks of what ran alone"),
    _("Days at this level"),
    _("Evals"),
    _("No warning of drift"),
    _("Checks are answered in time"),
    _("Drawn actions are answered at all"),
    _("Reviewers catch planted errors"),
    _("Reviewers agree"),
    _("Scores look as before"),
    _("Enough reviews are blind"),
    _("The certificate is not too old"),
)
_SAYINGS: Final = Sentences(
    # Rungs.
    _("Evidence {done} of {wanted} needed. About {more} more clean reviews."),
    _("Evidence {done} of {wanted} needed. It does not point the right way."),
    _("Evidence {done} of {wanted} needed."),
    _("{done} of {wanted}."),
    _("{share}, at most {most}."),
    _("From {value} on, {share} would run alone."),
    _("The agent sends no score that a threshold could go by."),
    _("At least {share}, once a threshold is certified."),
    _("No eval run of this version has finished."),
    _("It does not pass 1 case that a person corrected earlier."),
    _("It does not pass {count} cases that people corrected earlier."),
    _("It passes every case that people corrected earlier."),
    # Health.
    _("Drift has been found."),
    _("Nothing points to a change for the worse."),
    _("{share} overdue ({count}), at most {most}."),
    _("{share} were never answered or do not count, at most {most}."),
    _("{share}, at least {least} as a lower limit."),
    _("No drills yet, so nothing corrects for errors that reviewers miss."),
    _("{value}, at least {limit} (Krippendorff’s alpha)."),
    _("Too few second opinions to say."),
    _("{value}, at most {limit} (population stability index)."),
    _("Too few scores to compare."),
    _("{share}, could be as high as {upper}, at least {least} needed."),
    _("No review yet."),
    _("There is none to grow old."),
    _("{count} days old, at most {limit}."),
    places=_PLACES,
)
_ACTS: Final = Sentences(
    _(
        "The drift detector passed {value}: what runs alone is wrong more often than the {share} that is "
        "tolerated."
    ),
    _("At least {share} of what runs alone is wrong, above the limit of {most}."),
    _("{count} checks are overdue, {share} of those drawn: nobody sees how it does."),
    _("It ran alone for {count} days without a single label."),
    _("{count} of {done} checks were wrong while it was being tried."),
    _("The evidence no longer speaks for it."),
    _("A person confirmed a critical error."),
    _("The policy goes by another score now; the threshold was certified for the one before."),
    places=_PLACES,
)


def in_words(rung: Rung) -> Rung:
    """Return the way to a level with its conditions in the language in force, to be shown."""
    return replace(
        rung,
        conditions=tuple(condition_in_words(each) for each in rung.conditions),
        health=tuple(condition_in_words(each) for each in rung.health),
    )


def condition_in_words(condition: Condition) -> Condition:
    """Return a condition in the language in force, to be shown."""
    return replace(condition, title=_TITLES(condition.title), says=_SAYINGS(condition.says))


def act_in_words(says: str) -> str:
    """Return why Handrail itself took a level or a proposal away, as the record keeps it, to be shown."""
    return _ACTS(says)

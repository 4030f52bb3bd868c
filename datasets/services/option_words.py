"""What export formats say of themselves in the language of the reader: they say it in English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_noop as _

from datasets.exporters import registry
from hitl_site.lib.strict_json import JsonValue

# What formats call their options and choices; a test asks each format.
WORDS: Final = frozenset(
    (
        _("Arguments"),
        _("Objects, for TRL and chat templates"),
        _("Texts, for hosted fine-tuning"),
        _("Tools"),
        _("A model that is told of one tool alone does not learn to choose."),
        _("Every action type of the version"),
        _("The one that is called"),
        _("The whole context"),
        _("Beside the messages: facts, links and whatever else the agent sent, as a last message."),
        _("Plain text suits trainers and chat templates that know no tool calls."),
        _("Messages with tool calls"),
        _("Plain text"),
        _("Corrections"),
        _("Two rows: the proposal as bad, the correction as good"),
        _("Leave out"),
        _("For"),
        _("The open-source runner"),
        _("The hosted service"),
        _("An instruction first"),
        _("A system message that says how to answer: the arguments as JSON, null for nothing."),
        _("Messages"),
        _("Name of the dataset"),
        _("As it is called in Langfuse."),
        _("Records"),
        _("Flat rows, to be logged with the client"),
        _("Compression inside the file"),
        _("Zstandard"),
        _("Snappy, for old readers"),
        _("None"),
        _("Title"),
        _("License"),
        _("As the Hub names it, cc-by-4.0 for one. Empty: none is stated."),
        _("Neutralise formulas"),
        _("Put an apostrophe before cells that a spreadsheet could run. Texts of agents are hostile."),
        _("Byte order mark"),
        _("Excel needs it to know that the file is UTF-8."),
        _("Yes"),
        _("No"),
    )
)


# Why a case makes no row, as manifests keep it (``SKIP_REASONS``).
SKIPPED: Final = frozenset(
    (
        _("approved as proposed: no better answer stands against it, so it is no pair"),
        _("rejected without a correction: nobody said what would have been right"),
        _("corrected: left to the format of preference pairs, as the options say"),
        _("the agent proposed nothing: there is no answer of its own to compare"),
        _("the proposal or the right answer was erased"),
        _("the agent sent nothing of what led to the action: there is no prompt"),
        _("labelled as corrected, but the correction is the proposal itself"),
    )
)
# Elsewhere a form is something to fill in.
_OF_ITS_OWN: Final = {"Form": pgettext_lazy("export option", "Form")}


def said(words: str) -> str:
    """Return what a format says of an option, in the language in force."""
    if words in _OF_ITS_OWN:
        return str(_OF_ITS_OWN[words])
    return gettext(words) if words in WORDS else words


def chosen(format: str, given: Mapping[str, JsonValue]) -> list[tuple[str, str]]:
    """Return the options of an export with what was chosen; a text that somebody typed is left as it is."""
    options = registry.options_of(format)
    typed = {option.title for option in options if option.kind == "text" and given.get(option.name)}
    return [
        (said(title), value if title in typed else said(value))
        for title, value in registry.options_in_words(format, given)
    ]


def skipped(because: str) -> str:
    """Return why cases made no row, as a manifest keeps it, in the language in force."""
    return gettext(because) if because in SKIPPED else because

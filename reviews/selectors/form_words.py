"""The form's own words in the language of the reader. What a schema, an agent or a person wrote stays."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from django.utils.translation import gettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_noop as _

from hitl_site.lib.sentences import Sentences
from reviews.schema_form import Choice, FieldError, FormView, Row
from reviews.schema_form.controls import ABSENT_KEY, NULL_KEY

_KEYS: Final = frozenset({ABSENT_KEY, NULL_KEY, "true", "false"})
_TYPES: Final = {
    "a text": pgettext_lazy("must be", "a text"),
    "a whole number": pgettext_lazy("must be", "a whole number"),
    "a number": pgettext_lazy("must be", "a number"),
    "yes or no": pgettext_lazy("must be", "yes or no"),
    "a list": pgettext_lazy("must be", "a list"),
    "a group of fields": pgettext_lazy("must be", "a group of fields"),
    "null": pgettext_lazy("must be", "null"),
}
_FORMATS: Final = {
    "a date such as 2026-07-01": pgettext_lazy("must be", "a date such as 2026-07-01"),
    "a date and time with its zone, such as 2026-07-01T09:30:00+02:00": pgettext_lazy(
        "must be", "a date and time with its zone, such as 2026-07-01T09:30:00+02:00"
    ),
    "a time with its zone, such as 09:30:00Z": pgettext_lazy(
        "must be", "a time with its zone, such as 09:30:00Z"
    ),
    "an e-mail address": pgettext_lazy("must be", "an e-mail address"),
    "a web address such as https://example.org/page": pgettext_lazy(
        "must be", "a web address such as https://example.org/page"
    ),
    "a UUID": pgettext_lazy("must be", "a UUID"),
    "an IPv4 address": pgettext_lazy("must be", "an IPv4 address"),
    "an IPv6 address": pgettext_lazy("must be", "an IPv6 address"),
}
_A_TYPE: Final = "|".join(re.escape(name) for name in _TYPES)
_A_FORMAT: Final = "|".join(re.escape(name) for name in _FORMATS)
_A_NUMBER: Final = (r"[-+0-9.eE]+", None)


def _types(text: str) -> str:
    return pgettext("between several", " or ").join(str(_TYPES[each]) for each in re.findall(_A_TYPE, text))


def _format(text: str) -> str:
    return str(_FORMATS[text])


_PLACES: Final = {
    "types": (rf"(?:{_A_TYPE})(?: or (?:{_A_TYPE}))*", _types),
    "format": (rf"(?:{_A_FORMAT})", _format),
    "limit": _A_NUMBER,
    "line": (r"\d+", None),
    "column": (r"\d+", None),
    "levels": (r"\d+", None),
}
_OF_A_TEXT: Final = Sentences(
    _("Choose one of the listed values."),
    _("Choose from the listed values."),
    _("Needs a number."),
    _("Holds a character that cannot be stored (U+0000)."),
    _("Needs a value; write null for none."),
    _("Write the number with a point and without separators, for example 1234.50."),
    _("This number is too large to be exact."),
    _("Write a whole number."),
    _("Write a number, for example 12 or 12.50."),
    _("The field “{name}” stands twice in one object."),
    _("The number {number} is too large to be exact; write it as text."),
    _("The number {number} is too large."),
    _("The document is nested more than {levels} levels deep."),
    _("The document is empty."),
    _("This must be one object, in { and }."),
    _("The form came back damaged. Load the page again."),
    places=_PLACES,
)
_MESSAGES: Final = Sentences(
    _("Line {line}, column {column}: this is not valid JSON ({what})."),
    _("Line {line} holds a character that cannot be stored (U+0000)."),
    _("Line {line}: {message}"),
    _("Must be at least {limit}."),
    _("Must be at most {limit}."),
    _("Must be more than {limit}."),
    _("Must be less than {limit}."),
    _("Must have at least {limit} characters."),
    _("Must have at most {limit} characters."),
    _("Must have at least {limit} entries."),
    _("Must have at most {limit} entries."),
    _("Must have at least {limit} fields."),
    _("Must have at most {limit} fields."),
    _("Must be a multiple of {limit}."),
    _("The entries must differ from each other."),
    _("Fits none of the allowed forms."),
    _("Fits more than one of the allowed forms."),
    _("Nothing is allowed here."),
    _("Lacks an entry of the kind that is needed."),
    _("This value is not allowed."),
    _("This field is needed."),
    _("This field is not declared for this action type."),
    _("No fields are declared here for this action type."),
    _("Does not fit the schema."),
    _("These arguments cannot be checked against the schema."),
    _("The schema of this action type cannot be used: {what}"),
    _("Must be {types}."),
    _("Must be {format}."),
    _("Must be of the form “{name}”."),
    _("Must have the form {pattern}"),
    _("Must be {value}."),
    places={**_PLACES, "message": (".+", _OF_A_TEXT)},
)
_LIMITS: Final = Sentences(
    _("At least {limit}."),
    _("More than {limit}."),
    _("At most {limit}."),
    _("Less than {limit}."),
    _("In steps of {limit}."),
    _("At most {limit} characters."),
    _("At least {limit} entries."),
    _("At most {limit} entries."),
    places=_PLACES,
)
# The limits stand behind what the schema says of the field.
_BEFORE_A_LIMIT: Final = re.compile(r"(?<=\S) (?=(?:At least|More than|At most|Less than|In steps of) )")
_LABELS: Final = Sentences(
    _("Yes"), _("No"), _("Value"), _("Left out"), _("None (null)"), _("Choose…"), _("Arguments")
)
_SIZES: Final = Sentences(
    _("1 entry"), _("{count} entries"), _("No fields"), places={"count": (r"\d+", None)}
)
_BUTTONS: Final = Sentences(
    _("Add to {label}"),
    _("Remove {label}"),
    _("Move {label} up"),
    _("Move {label} down"),
    _("Show its fields"),
)


def message_in_words(message: str) -> str:
    """Return a complaint of the form, to be shown."""
    said = _OF_A_TEXT(message)
    return _MESSAGES(message) if said == message else said


def errors_in_words(errors: tuple[FieldError, ...]) -> tuple[FieldError, ...]:
    """Return complaints, to be shown."""
    return tuple(replace(error, message=message_in_words(error.message)) for error in errors)


def form_in_words(form: FormView) -> FormView:
    """Return the form, to be shown: its labels, complaints and buttons."""
    return replace(
        form,
        rows=tuple(_row(row) for row in form.rows),
        unknown=tuple(_row(row) for row in form.unknown),
        errors=errors_in_words(form.errors),
    )


def _row(row: Row) -> Row:
    words = _SIZES if row.kind == "group" else _LABELS if isinstance(row.proposed, bool) else str
    return replace(
        row,
        label=gettext("Arguments") if row.pointer == "" and row.label == "Arguments" else row.label,
        help=" ".join(_LIMITS(part) for part in _BEFORE_A_LIMIT.split(row.help)),
        choices=tuple(_choice(choice) for choice in row.choices),
        presences=tuple(replace(choice, label=_LABELS(choice.label)) for choice in row.presences),
        proposed_text=words(row.proposed_text),
        value_text=words(row.value_text) if row.kind in {"group", "boolean"} else row.value_text,
        error=None if row.error is None else message_in_words(row.error),
        operations=tuple(replace(each, label=_BUTTONS(each.label)) for each in row.operations),
    )


def _choice(choice: Choice) -> Choice:
    return replace(choice, label=_LABELS(choice.label)) if choice.value in _KEYS else choice

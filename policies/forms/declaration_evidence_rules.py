"""How the rules of evidence and of the ladder are written in a declaration form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from policies.engine.ladder_settings import LadderSettings
from policies.forms.binding import read_pointers, written_pointers

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

__all__ = [
    "error_limit_field",
    "evals_field",
    "ladder_field",
    "material_field",
    "read_limit",
    "read_numbers",
    "read_pointers",
    "severities_field",
    "written_limit",
    "written_numbers",
    "written_pointers",
]

_HUNDRED: Final = Decimal(100)


def error_limit_field() -> forms.DecimalField:
    """Return the field for the error rate of what runs alone."""
    return forms.DecimalField(
        label=_("Wrong actions that are borne, percent"),
        required=False,
        min_value=Decimal("0.05"),
        max_value=Decimal(50),
        widget=forms.NumberInput(attrs={"class": "input", "step": "any", "inputmode": "decimal"}),
        help_text=_("Of what runs alone. Empty goes by the risk: 5, and 2 where an error costs much."),
    )


def evals_field() -> forms.BooleanField:
    """Return the field that asks for evals before a promotion."""
    return forms.BooleanField(
        label=_("A promotion takes a finished eval run"),
        required=False,
        widget=forms.CheckboxInput(attrs={"class": "check"}),
        help_text=_("And the version must pass every case that a person has corrected before."),
    )


def material_field() -> forms.CharField:
    """Return the field for the arguments in which an edit is an error."""
    return _lines(
        _("Fields in which an edit is an error"),
        placeholder="/amount",
        help_text=_(
            "One JSON pointer a line. An edit of nothing but other fields does not count against the"
            " agent. Empty: every field."
        ),
    )


def severities_field() -> forms.CharField:
    """Return the field for the weights of errors."""
    return _lines(
        _("How much an error weighs"),
        placeholder="wrong_arguments: 0.3",
        help_text=_(
            "One a line, reason code: number from 0 to 1. A reason without a number weighs 1; from 0.9"
            " on a named one takes autonomy away at once."
        ),
    )


def ladder_field() -> forms.CharField:
    """Return the field for what differs from the usual rules of the ladder."""
    names = ", ".join(each.name for each in fields(LadderSettings))
    return _lines(
        _("What differs from the usual rules of the ladder"),
        placeholder="threshold_days: 7",
        help_text=format_lazy(_("One a line, setting: number. Settings: {names}."), names=names),
    )


def read_limit(percent: Decimal | None) -> float | None:
    """Return a rate from 0 to 1, None for nothing."""
    return float(percent / _HUNDRED) if percent is not None else None


def written_limit(limit: float | None) -> Decimal | str:
    """Return a rate as the form has it."""
    return (Decimal(repr(limit)) * _HUNDRED).normalize() if limit is not None else ""


def read_numbers(text: str) -> dict[str, float]:
    """Return numbers by name; raise ``ValidationError`` naming each line that is none."""
    read: dict[str, float] = {}
    wrong: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        try:
            told = float(value)
        except ValueError:
            colon = ""
        if not colon or not name.strip():
            wrong.append(gettext("Line {number} is not of the form name: number.").format(number=number))
        elif name.strip() in read:
            told_twice = gettext("Line {number}: {name} is named twice.")
            wrong.append(told_twice.format(number=number, name=name.strip()))
        else:
            read[name.strip()] = int(told) if told.is_integer() else told
    if wrong:
        raise forms.ValidationError(wrong)
    return read


def written_numbers(numbers: Mapping[str, float]) -> str:
    """Return numbers as the form has them."""
    return "\n".join(f"{name}: {value:g}" for name, value in numbers.items())


def _lines(label: StrOrPromise, *, placeholder: str, help_text: StrOrPromise) -> forms.CharField:
    attributes = {
        "class": "textarea textarea-code",
        "rows": 3,
        "spellcheck": "false",
        "placeholder": placeholder,
    }
    return forms.CharField(
        label=label, required=False, widget=forms.Textarea(attrs=attributes), help_text=help_text
    )

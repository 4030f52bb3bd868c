"""What a declaration form says of reviewing: how much is looked at again, and how many go at once."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from policies.services.action_types import MOST_DRILLS, MOST_SECOND_OPINIONS, MOST_TOGETHER

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

_HUNDRED: Final = Decimal(100)


def drill_field() -> forms.DecimalField:
    """Return the field for the share of drills."""
    return _share(
        _("Drills"),
        most=MOST_DRILLS,
        help_text=_(
            "In percent of what is decided, at most 5. Items with a known answer, mixed in; none of"
            " them can run. 0 for none."
        ),
    )


def burst_field() -> forms.BooleanField:
    """Return the switch for the drills that begin a shift."""
    return forms.BooleanField(
        label=_("Begin a shift with five drills"),
        required=False,
        widget=forms.CheckboxInput(attrs={"class": "check"}),
        help_text=_(
            "To sharpen the eye: told at once what was right, and kept out of every catch rate. Urgent"
            " work goes first. Takes five drills of this type in use, three of them with an error."
        ),
    )


def second_opinion_field() -> forms.DecimalField:
    """Return the field for the share of second opinions."""
    return _share(
        _("Second opinions"),
        most=MOST_SECOND_OPINIONS,
        help_text=_(
            "In percent of what is decided, drawn at random: somebody else answers it again, blind to"
            " the first answer. Nothing waits for it. 0 for none."
        ),
    )


def bulk_field() -> forms.IntegerField:
    """Return the field for how many items one answer may be given to."""
    return forms.IntegerField(
        label=_("Items answered at once"),
        required=False,
        min_value=0,
        max_value=MOST_TOGETHER,
        initial=MOST_TOGETHER,
        widget=forms.NumberInput(attrs={"class": "input", "inputmode": "numeric"}),
        help_text=format_lazy(
            _("At most {most}, of low risk and held for the same reason. 0 or empty: each by itself."),
            most=MOST_TOGETHER,
        ),
    )


def read_share(percent: Decimal | None) -> float:
    """Return a share from 0 to 1; nothing is 0."""
    return float((percent or Decimal(0)) / _HUNDRED)


def written_share(share: float) -> Decimal:
    """Return a share as the form has it."""
    return (Decimal(repr(share)) * _HUNDRED).normalize() if share else Decimal(0)


def _share(label: StrOrPromise, *, most: float, help_text: StrOrPromise) -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=Decimal(0),
        max_value=written_share(most),
        initial=Decimal(0),
        widget=forms.NumberInput(attrs={"class": "input", "step": "any", "inputmode": "decimal"}),
        help_text=help_text,
    )

"""Shares and lengths of time as people type them: percent, and a number with its unit."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django import forms
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3_600, "days": 86_400}
UNITS: Final = [
    ("seconds", _("seconds")),
    ("minutes", _("minutes")),
    ("hours", _("hours")),
    ("days", _("days")),
]


def number(**attributes: object) -> forms.NumberInput:
    """Return the control of a number."""
    return forms.NumberInput(attrs={"class": "input", **attributes})


def select() -> forms.Select:
    """Return the control of a choice."""
    return forms.Select(attrs={"class": "select"})


def percent(
    label: StrOrPromise, *, low: float = 0, required: bool = True, help_text: StrOrPromise = ""
) -> forms.DecimalField:
    """Return the field of a share, typed in percent."""
    return forms.DecimalField(
        label=label,
        required=required,
        min_value=Decimal(str(low)),
        max_value=Decimal(100),
        decimal_places=4,
        widget=number(step="any"),
        help_text=help_text,
    )


def share_of(typed: Decimal | None) -> float | None:
    """Return the share that was typed in percent."""
    return None if typed is None else float(typed / 100)


def as_percent(share: float) -> str:
    """Return a share in percent, digit by digit: 0.145 is 14.5, not 14.499999999999998."""
    text = format(Decimal(str(share)) * 100, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def in_units(seconds: int) -> tuple[str, str]:
    """Return a time in the largest unit that comes out even: the number and the unit."""
    unit = next(name for name, size in reversed(SECONDS.items()) if seconds % size == 0)
    return str(seconds // SECONDS[unit]), unit


def lines_of(text: str) -> list[str]:
    """Return the lines that say something, without the space around them."""
    return [line.strip() for line in text.splitlines() if line.strip()]

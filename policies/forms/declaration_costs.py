"""How costs are written in a declaration form: amounts in one currency, and where the amount at stake is."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django import forms
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

_MOST: Final = Decimal("999999999999.99")


def value_field() -> forms.CharField:
    """Return the field that says which argument is the amount at stake."""
    return forms.CharField(
        label=_("What is at stake"),
        required=False,
        max_length=200,
        widget=forms.TextInput(
            attrs={"class": "input", "spellcheck": "false", "autocomplete": "off", "placeholder": "/amount"}
        ),
        help_text=_("The JSON pointer of an argument that is a number, such as /amount."),
    )


def currency_field() -> forms.CharField:
    """Return the field for the currency of all costs."""
    return forms.CharField(
        label=_("Currency"),
        required=False,
        max_length=12,
        widget=forms.TextInput(attrs={"class": "input", "spellcheck": "false", "placeholder": "EUR"}),
        help_text=_("Its code, such as EUR."),
    )


def cost_field(label: StrOrPromise, help_text: StrOrPromise) -> forms.DecimalField:
    """Return the field of one cost."""
    return forms.DecimalField(
        label=label,
        required=False,
        min_value=Decimal(0),
        max_value=_MOST,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"class": "input", "step": "0.01", "inputmode": "decimal"}),
        help_text=help_text,
    )


def read_cost(cost: Decimal | None) -> float | None:
    """Return a cost as it is declared, None for nothing."""
    return None if cost is None else float(cost)


def written_cost(cost: Decimal | None) -> str:
    """Return a cost as the form has it."""
    return "" if cost is None else format(cost, "f")

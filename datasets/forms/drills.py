"""The form that makes seeds of past cases."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from policies.models import ActionType

_NUMBER = forms.NumberInput(attrs={"class": "input", "inputmode": "numeric"})


class SeedsForm(forms.Form):
    """Of which action type, and how many of each kind."""

    action_type = forms.ModelChoiceField(
        label=_("Action type"),
        queryset=ActionType.objects.order_by("name"),
        to_field_name="name",
        empty_label=_("Choose an action type"),
        widget=forms.Select(attrs={"class": "select"}),
        error_messages={"required": _("Choose an action type.")},
    )
    wrong = forms.IntegerField(
        label=_("With an error"), min_value=0, max_value=50, initial=5, widget=_NUMBER,
        help_text=_("Made from corrections and rejections."),
    )  # fmt: skip
    right = forms.IntegerField(
        label=_("Without one"), min_value=0, max_value=50, initial=5, widget=_NUMBER,
        help_text=_("Made from considered approvals. Half of the drills should be right."),
    )  # fmt: skip

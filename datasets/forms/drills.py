"""The form that makes seeds of past cases."""

from __future__ import annotations

from django import forms

from policies.models import ActionType

_NUMBER = forms.NumberInput(attrs={"class": "input", "inputmode": "numeric"})


class SeedsForm(forms.Form):
    """Of which action type, and how many of each kind."""

    action_type = forms.ModelChoiceField(
        label="Action type",
        queryset=ActionType.objects.order_by("name"),
        to_field_name="name",
        widget=forms.Select(attrs={"class": "select"}),
        error_messages={"required": "Choose an action type."},
    )
    wrong = forms.IntegerField(
        label="With an error", min_value=0, max_value=50, initial=5, widget=_NUMBER,
        help_text="Made from corrections and rejections.",
    )  # fmt: skip
    right = forms.IntegerField(
        label="Without one", min_value=0, max_value=50, initial=5, widget=_NUMBER,
        help_text="Made from considered approvals. Half of the drills should be right.",
    )  # fmt: skip

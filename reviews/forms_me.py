"""What a person sets for themselves, beside how the console looks."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext, gettext_lazy

from reviews.choices import Mail

# What the browser asks for comes first; each language is called by its own name.
LANGUAGES = (("", gettext_lazy("As the browser asks")), *settings.LANGUAGES)
_TIME = {"class": "input", "type": "time"}
_MOST_UNDO = 3600


class MeForm(forms.Form):
    """Language, mail, quiet hours, undo window."""

    language = forms.ChoiceField(
        required=False,
        choices=LANGUAGES,
        label=gettext_lazy("Language"),
        widget=forms.Select({"class": "select"}),
    )
    mail = forms.ChoiceField(
        choices=Mail.choices, label=gettext_lazy("Mail"), widget=forms.Select({"class": "select"})
    )
    quiet_from = forms.TimeField(
        required=False, label=gettext_lazy("Quiet from"), widget=forms.TimeInput(_TIME, "%H:%M")
    )
    quiet_until = forms.TimeField(
        required=False,
        label=gettext_lazy("Quiet until"),
        help_text=gettext_lazy(
            "No mail leaves between these, by the clock of your time zone. What came up leaves after."
        ),
        widget=forms.TimeInput(_TIME, "%H:%M"),
    )
    undo_seconds = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=_MOST_UNDO,
        label=gettext_lazy("Undo window in seconds"),
        help_text=gettext_lazy("Never longer than the policy's, which is what counts when this is empty."),
        widget=forms.NumberInput({"class": "input"}),
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        begin, end = given.get("quiet_from"), given.get("quiet_until")
        if (begin is None) != (end is None):
            raise forms.ValidationError(gettext("Quiet hours have a beginning and an end."))
        if begin is not None and begin == end:
            raise forms.ValidationError(gettext("Quiet hours end at another time than they begin."))
        return given

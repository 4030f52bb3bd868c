"""Forms about autonomy: a proposal, its answer, and a level that rests on a person's word alone."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.utils.translation import gettext_lazy as _

from policies.choices import AutonomyLevel
from policies.models import ActionType
from policies.selectors import autonomy

_REASON = {"class": "input", "autocomplete": "off"}


class NoteForm(forms.Form):
    """What somebody adds to a proposal of their own."""

    note = forms.CharField(
        label=_("What you add"),
        required=False,
        max_length=2_000,
        widget=forms.TextInput(attrs=_REASON),
    )


class AnswerForm(forms.Form):
    """Why somebody says yes or no."""

    reason = forms.CharField(
        label=_("Reason"),
        max_length=2_000,
        widget=forms.TextInput(attrs=_REASON),
        help_text=_("Others will read it."),
    )


class OverrideForm(forms.Form):
    """A level without evidence: shown as not certified for as long as it lasts."""

    level = forms.ChoiceField(label=_("Level"), widget=forms.Select(attrs={"class": "select"}))
    days = forms.IntegerField(
        label=_("Days until it ends"),
        required=False,
        min_value=1,
        max_value=365,
        widget=forms.NumberInput(attrs={"class": "input num", "inputmode": "numeric"}),
        help_text=_("Empty: until somebody ends it."),
    )
    reason = forms.CharField(
        label=_("Reason"),
        max_length=2_000,
        widget=forms.TextInput(attrs=_REASON),
        help_text=_("Others will read it."),
    )

    def __init__(self, *args: object, action_type: ActionType, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        cap = autonomy.rank(autonomy.cap_of(action_type))
        level = self.fields["level"]
        assert isinstance(level, forms.ChoiceField)
        level.choices = [(each.value, each.label) for each in AutonomyLevel if autonomy.rank(each) <= cap]

    def expires_at(self, now: datetime) -> datetime | None:
        """Return when the grant ends, None where nobody said."""
        days = self.cleaned_data["days"]
        return now + timedelta(days=days) if days else None

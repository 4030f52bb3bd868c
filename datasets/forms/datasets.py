"""Forms of datasets: they parse; services act."""

from __future__ import annotations

from datetime import datetime, time

from django import forms
from django.utils import timezone

from datasets.choices import Label, LabelStrength
from datasets.selectors.selection import Selection
from datasets.services.datasets import MAX_NAME_LENGTH


class DatasetForm(forms.Form):
    """A new dataset: its name, and which cases it takes. Nothing chosen means all."""

    name = forms.CharField(
        max_length=MAX_NAME_LENGTH,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
        help_text="What people will look for, such as “Refunds, corrected”.",
    )
    description = forms.CharField(
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"class": "textarea", "rows": 2}),
    )
    action_types = forms.MultipleChoiceField(
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "check"}),
        help_text="None chosen: all of them, also those to come.",
    )
    labels = forms.MultipleChoiceField(
        required=False,
        choices=Label.choices,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "check"}),
    )
    strengths = forms.MultipleChoiceField(
        required=False,
        choices=LabelStrength.choices,
        label="Strength of the label",
        widget=forms.CheckboxSelectMultiple(attrs={"class": "check"}),
        help_text="A weak label is an approval in bulk, or faster than one can read.",
    )
    since = forms.DateField(
        required=False,
        label="Decided since",
        widget=forms.DateInput(attrs={"class": "input", "type": "date"}),
    )

    def __init__(self, *args: object, action_types: list[str], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed through
        field = self.fields["action_types"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(name, name) for name in action_types]

    def selection(self) -> Selection:
        """Return what was chosen; a day begins at midnight in the viewer's zone."""
        since = self.cleaned_data["since"]
        return Selection(
            action_types=tuple(self.cleaned_data["action_types"]),
            labels=tuple(self.cleaned_data["labels"]),
            strengths=tuple(self.cleaned_data["strengths"]),
            since=since and datetime.combine(since, time.min, tzinfo=timezone.get_current_timezone()),
        )

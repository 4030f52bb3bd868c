"""Forms of the pages of labelled cases."""

from __future__ import annotations

from django import forms

from datasets.choices import CaseStanding, Label, LabelSource, LabelStrength
from datasets.selectors.cases import CaseFilter


class CaseFilterForm(forms.Form):
    """The filters of the list of cases, as they stand in its address."""

    action_type = forms.CharField(required=False, max_length=120)
    agent = forms.CharField(required=False, max_length=120)
    label = forms.ChoiceField(required=False, choices=[("", "Any"), *Label.choices])
    source = forms.ChoiceField(required=False, choices=[("", "Any"), *LabelSource.choices])
    strength = forms.ChoiceField(required=False, choices=[("", "Any"), *LabelStrength.choices])

    standing = forms.ChoiceField(required=False, choices=[("", "Any"), *CaseStanding.choices])

    def filters(self) -> CaseFilter:
        """Return what the list shows."""
        return CaseFilter(**self.cleaned_data)

"""Forms of the pages of labelled cases."""

from __future__ import annotations

from typing import Any

from django import forms

from datasets.choices import CaseStanding, Label, LabelSource, LabelStrength
from datasets.selectors.cases import CaseFilter
from hitl_site.lib import strict_json
from hitl_site.lib.strict_json import MAX_BYTES


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


class SettleForm(forms.Form):
    """A person's answer to a disputed case."""

    label = forms.ChoiceField(label="What was right", choices=Label.choices, widget=forms.RadioSelect)
    arguments = forms.CharField(
        label="What it should have been",
        required=False,
        max_length=MAX_BYTES,
        widget=forms.Textarea(attrs={"rows": 10, "class": "mono", "spellcheck": "false"}),
        help_text="A JSON object. Only read with “Right after correction”.",
    )
    note = forms.CharField(
        label="How you came to this", max_length=4_000, widget=forms.Textarea(attrs={"rows": 3})
    )

    def clean(self) -> dict[str, Any]:
        """Read the arguments through the same door as the API's."""
        data = super().clean() or {}
        data["right"] = None
        if data.get("label") == Label.CORRECTED:
            try:
                value = strict_json.parse(data.get("arguments", "").encode())
            except strict_json.DoorError as error:
                self.add_error("arguments", error.detail)
            else:
                if isinstance(value, dict):
                    data["right"] = value
                else:
                    self.add_error("arguments", "The arguments are a JSON object.")
        return data

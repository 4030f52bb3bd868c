"""Forms of the pages of labelled cases."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from datasets.choices import CaseKind, CaseStanding, Label, LabelSource, LabelStrength
from datasets.selectors.cases import CaseFilter
from datasets.services.curating import MAX_CASES, MAX_REASON_LENGTH, MAX_TAG_LENGTH
from hitl_site.lib import ids, strict_json
from hitl_site.lib.strict_json import MAX_BYTES

_INPUT: Final = {"class": "input", "autocomplete": "off"}


class CaseFilterForm(forms.Form):
    """The filters of the list of cases, as they stand in its address."""

    q = forms.CharField(required=False, max_length=200)
    kind = forms.ChoiceField(required=False, choices=[("", _("Any")), *CaseKind.choices])
    action_type = forms.CharField(required=False, max_length=120)
    agent = forms.CharField(required=False, max_length=120)
    agent_version = forms.CharField(required=False, max_length=120)
    label = forms.ChoiceField(required=False, choices=[("", _("Any")), *Label.choices])
    reason = forms.CharField(required=False, max_length=60)
    source = forms.ChoiceField(required=False, choices=[("", _("Any")), *LabelSource.choices])
    strength = forms.ChoiceField(required=False, choices=[("", _("Any")), *LabelStrength.choices])
    tag = forms.CharField(required=False, max_length=MAX_TAG_LENGTH)
    standing = forms.ChoiceField(required=False, choices=[("", _("Any")), *CaseStanding.choices])
    group = forms.CharField(required=False, max_length=ids.MAX_LENGTH)

    def filters(self) -> CaseFilter:
        """Return what the list shows."""
        return CaseFilter(**self.cleaned_data)


class AnswerForm(forms.Form):
    """A person's answer to a case: their edit of a label, or what settles a dispute."""

    label = forms.ChoiceField(label=_("What was right"), choices=Label.choices, widget=forms.RadioSelect)
    arguments = forms.CharField(
        label=_("What it should have been"),
        required=False,
        max_length=MAX_BYTES,
        widget=forms.Textarea(attrs={"rows": 10, "class": "textarea textarea-code", "spellcheck": "false"}),
        help_text=_("A JSON object. Only read with “Right after correction”."),
    )
    note = forms.CharField(
        label=_("How you came to this"),
        max_length=4_000,
        widget=forms.Textarea(attrs={"rows": 3, "class": "textarea"}),
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
                    self.add_error("arguments", _("The arguments are a JSON object."))
        return data


class EditForm(AnswerForm):
    """An edit of a label. ``seen`` is how many answers came after the first when the page was made."""

    seen = forms.IntegerField(min_value=0, max_value=2**31 - 1, widget=forms.HiddenInput)
    reasons = forms.MultipleChoiceField(
        label=_("Reasons"), required=False, widget=forms.CheckboxSelectMultiple(attrs={"class": "check"})
    )
    field_order = ("seen", "label", "arguments", "reasons", "note")

    def __init__(self, *args: Any, reasons: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reasons"].choices = reasons  # type: ignore[attr-defined]  # a field of choices


class CurationForm(forms.Form):
    """What is to be done with the chosen cases: one of three acts, each with its own field."""

    TAG, LEAVE_OUT, TAKE_IN, UNTAG = "tag", "leave_out", "take_in", "untag"

    act = forms.ChoiceField(choices=[(act, act) for act in (TAG, UNTAG, LEAVE_OUT, TAKE_IN)])
    cases = forms.MultipleChoiceField()
    tag = forms.CharField(
        label=_("Tag"), required=False, max_length=MAX_TAG_LENGTH, widget=forms.TextInput(attrs=_INPUT)
    )
    because = forms.CharField(
        label=_("Why they are left out"),
        required=False,
        max_length=MAX_REASON_LENGTH,
        widget=forms.TextInput(attrs=_INPUT),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        given = self.data.getlist("cases")[: MAX_CASES + 1] if hasattr(self.data, "getlist") else []
        self.fields["cases"].choices = [(case, case) for case in given if ids.is_valid(case, "case")]  # type: ignore[attr-defined]  # a field of choices
        self.fields["cases"].error_messages = {
            "required": _("Choose at least one case."),
            "invalid_choice": _("There is no such case."),
        }

    def clean(self) -> dict[str, Any]:
        """Ask for the field that the act needs."""
        data = super().clean() or {}
        act = data.get("act")
        if act in (self.TAG, self.UNTAG) and not data.get("tag", "").strip():
            self.add_error("tag", _("Say which tag."))
        if act == self.LEAVE_OUT and not data.get("because", "").strip():
            self.add_error("because", _("Say why: whoever misses the cases will ask."))
        return data

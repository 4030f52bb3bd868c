"""The form of a redaction profile: a name, detectors as boxes, field rules as rows.

It only carries what was written; ``Profile.from_document`` says what may stand, each fault goes to its row.
"""

from __future__ import annotations

from typing import Final

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from datasets.models import RedactionProfile
from datasets.redaction import Detector, FieldRule, InvalidProfile, Profile, Treatment
from datasets.redaction.profile import FORMAT, MAX_POINTER_LENGTH, MAX_RULES
from datasets.selectors.redaction import DETECTORS, TREATMENTS, detectors_of, rules_of
from datasets.services.redaction import MAX_NAME_LENGTH
from hitl_site.lib.strict_json import JsonValue

SPARE_ROWS: Final = 3
ADDED_ROWS: Final = 5
PREFIX: Final = "rules"
# What a profile may be refused for (datasets.redaction, which knows no languages), where it has no values.
_FAULTS: Final = (
    gettext_noop("A profile needs a detector or a rule."),
    gettext_noop("It is a pointer, such as /arguments/customer/name."),
    gettext_noop("After ~ comes 0 or 1 (~0 is ~, ~1 is /)."),
    gettext_noop("Write /arguments/...: that covers every place where a case repeats them."),
    gettext_noop("Only what is inside of arguments, context and details can be dropped."),
    gettext_noop("It is the name of an action type."),
    gettext_noop("It is named twice."),
)


class ProfileForm(forms.Form):
    """The name of a new profile, and what is looked for in any text."""

    name = forms.CharField(
        label=_("Name"),
        max_length=MAX_NAME_LENGTH,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
        help_text=_("It stays: datasets choose a profile by its name."),
    )
    detectors = forms.MultipleChoiceField(
        required=False,
        label=_("Replace wherever they stand"),
        choices=[(str(detector), _(words)) for detector, words in DETECTORS.items()],
        widget=forms.CheckboxSelectMultiple(attrs={"class": "check"}),
    )
    based_on = forms.IntegerField(min_value=0, widget=forms.HiddenInput)


class RuleForm(forms.Form):
    """One field rule; a row without a place is no rule."""

    pointer = forms.CharField(
        required=False,
        label=_("Place"),
        max_length=MAX_POINTER_LENGTH,
        widget=forms.TextInput(
            attrs={"class": "input mono", "placeholder": "/arguments/customer/name", "spellcheck": "false"}
        ),
    )
    treatment = forms.ChoiceField(
        label=_("What is done there"),
        choices=[(str(treatment), _(words)) for treatment, words in TREATMENTS.items()],
        initial=str(Treatment.PSEUDONYM),
        widget=forms.Select(attrs={"class": "select"}),
    )
    action_types = forms.CharField(
        required=False,
        label=_("Only for these action types"),
        max_length=4000,
        widget=forms.TextInput(
            attrs={"class": "input mono", "placeholder": _("all of them"), "spellcheck": "false"}
        ),
    )

    def document(self) -> dict[str, JsonValue] | None:
        """Return the rule as a profile has it; None when the row has no place."""
        if not self.cleaned_data.get("pointer"):
            return None
        names = (name.strip() for name in self.cleaned_data["action_types"].split(","))
        return {
            "pointer": self.cleaned_data["pointer"],
            "treatment": self.cleaned_data["treatment"],
            "action_types": [name for name in names if name],
        }


RuleRows = forms.formset_factory(RuleForm, max_num=MAX_RULES, absolute_max=MAX_RULES + 50)


class ProfileEditor:
    """Both parts of the page: the profile's own fields, and the rows of its rules."""

    def __init__(self, *, stored: RedactionProfile | None, data: QueryDict | None = None) -> None:
        self.stored = stored
        if data is None:
            self._show(_initial(stored), [] if stored is None else _rows(rules_of(stored)), SPARE_ROWS)
        else:
            self.form = ProfileForm(data)
            self.rows = RuleRows(data, prefix=PREFIX)
        if stored is not None:
            del self.form.fields["name"]

    @classmethod
    def with_more_rows(cls, *, stored: RedactionProfile | None, data: QueryDict) -> ProfileEditor:
        """Return what was written, with more empty rows; nothing is checked yet."""
        editor = cls(stored=stored)
        initial: dict[str, object] = {name: data.get(name, "") for name in ("name", "based_on")}
        count = data.get(f"{PREFIX}-TOTAL_FORMS", "")
        # Python reads no number of more than 4300 digits.
        told = min(int(count), MAX_RULES) if count.isascii() and count.isdigit() and len(count) < 7 else 0
        written = [
            {name: data.get(f"{PREFIX}-{number}-{name}", "") for name in RuleForm.base_fields}
            for number in range(told)
        ]
        filled: list[dict[str, object]] = [{**row} for row in written if row["pointer"]]
        editor._show({**initial, "detectors": data.getlist("detectors")}, filled, ADDED_ROWS)
        if stored is not None:
            del editor.form.fields["name"]
        return editor

    def _show(self, initial: dict[str, object], rows: list[dict[str, object]], spare: int) -> None:
        self.form = ProfileForm(initial=initial)
        self.rows = RuleRows(prefix=PREFIX, initial=rows)
        self.rows.extra = spare

    def profile(self) -> Profile | None:
        """Return the profile as written; None when something is wrong, and the fields say what."""
        # Both are asked, so that all faults show at once.
        valid = [self.form.is_valid(), self.rows.is_valid()]
        if not all(valid):
            return None
        written = [(row, rule) for row in self.rows if (rule := row.document()) is not None]
        document: dict[str, JsonValue] = {
            "format": FORMAT,
            "detectors": [*self.form.cleaned_data["detectors"]],
            "rules": [rule for _, rule in written],
        }
        try:
            return Profile.from_document(document)
        except InvalidProfile as exc:
            for fault in exc.faults:
                told = gettext(fault.message) if fault.message in _FAULTS else fault.message
                self._tell(fault.pointer, told, [row for row, _ in written])
        return None

    def _tell(self, pointer: str, message: str, rows: list[RuleForm]) -> None:
        part, _, rest = pointer.removeprefix("/").partition("/")
        number, _, member = rest.partition("/")
        if part == "rules" and number.isdigit():
            name = member.partition("/")[0]
            rows[int(number)].add_error(name if name in rows[int(number)].fields else None, message)
        else:
            self.form.add_error("detectors" if part == "detectors" else None, message)

    @property
    def errors(self) -> list[dict[str, str]]:
        """Return every fault with the place to mend it, for the summary."""
        found = _errors(self.form, "")
        for number, row in enumerate(self.rows, 1):
            found += _errors(row, gettext("Rule {number}").format(number=number))
        found += [
            {"anchor": "", "label": gettext("Rules"), "message": str(one)}
            for one in self.rows.non_form_errors()
        ]
        return found


def _errors(form: forms.Form, title: str) -> list[dict[str, str]]:
    found = []
    for name, faults in form.errors.items():
        words = str(form[name].label) if name in form.fields else ("" if title else gettext("Profile"))
        anchor = form[name].id_for_label or form[name].auto_id if name in form.fields else ""
        label = " · ".join(part for part in (title, words) if part)
        found += [{"anchor": anchor, "label": label, "message": str(fault)} for fault in faults]
    return found


def _initial(stored: RedactionProfile | None) -> dict[str, object]:
    if stored is None:
        return {"detectors": [str(detector) for detector in Detector], "based_on": 0}
    return {"detectors": [str(detector) for detector in detectors_of(stored)], "based_on": stored.number}


def _rows(rules: tuple[FieldRule, ...]) -> list[dict[str, object]]:
    return [
        {
            "pointer": rule.pointer,
            "treatment": str(rule.treatment),
            "action_types": ", ".join(rule.action_types),
        }
        for rule in rules
    ]

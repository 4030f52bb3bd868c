"""The form of a policy but for its rows: shares as percent, times with their unit, lists a line each.

``PolicyDocument`` says what may stand; its faults come with JSON pointers and go to the field of that place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from policies.engine.facts import ScoreSource
from policies.engine.policy import AUDIT_FLOOR, MAX_CHECKLIST
from policies.forms.amounts import (
    SECONDS,
    UNITS,
    as_percent,
    in_units,
    lines_of,
    number,
    percent,
    select,
    share_of,
)

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

_SOURCES: Final = [
    (ScoreSource.AGENT.value, _("The agent’s own")),
    (ScoreSource.JUDGE.value, _("The judge’s")),
    (ScoreSource.SAMPLES.value, _("How many of its samples agree")),
    (ScoreSource.LOWEST.value, _("The lowest of those given")),
]
EVERY, LISTED = "every", "listed"
# Times, and the longest that each may be.
_TIMES: Final = {"deadline": 30 * 86_400, "permit_ttl": 86_400, "denial_memory": 30 * 86_400}

_OTHER_NAMES: Final = {"/agents": "agents_scope", "/calibration/of": "calibration_of"}


def _slug(label: StrOrPromise, *, required: bool = True, help_text: StrOrPromise) -> forms.CharField:
    widget = forms.TextInput(attrs={"class": "input", "spellcheck": "false", "autocomplete": "off"})
    return forms.CharField(label=label, required=required, widget=widget, help_text=help_text)


class DraftForm(forms.Form):
    """What goes with a draft in either view: why, and which text the person began from."""

    reason = forms.CharField(
        label=_("Reason of the change"),
        required=False,
        max_length=2_000,
        widget=forms.Textarea(attrs={"class": "textarea", "rows": 2}),
        help_text=_("Kept in the ledger. It can still be given when the draft is published."),
    )
    seen = forms.CharField(required=False, widget=forms.HiddenInput)


class PolicyForm(forms.Form):
    """Everything of a policy but its rows."""

    threshold = percent(
        _("Hold when the chance it is right is under"),
        required=False,
        help_text=_("In percent, such as 86. Empty: no score is high enough, all are held."),
    )
    score = forms.ChoiceField(
        label=_("Which score is asked"),
        choices=[*_SOURCES, (ScoreSource.CALIBRATED.value, _("One of these, calibrated"))],
        widget=select(),
    )
    calibration_of = forms.ChoiceField(
        label=_("Which score is calibrated"), required=False, choices=_SOURCES, widget=select()
    )
    audit_rate = percent(
        _("Check at random, of what runs alone"),
        low=AUDIT_FLOOR * 100,
        help_text=format_lazy(
            _("In percent, at least {least}: without checks nothing is learnt of what runs alone."),
            least=f"{AUDIT_FLOOR * 100:g}",
        ),
    )
    blind_share = percent(
        _("Show no score on, of held items"),
        help_text=_("In percent. A reviewer who sees the score agrees more; routine checks never show it."),
    )
    agents_scope = forms.ChoiceField(
        label=_("Which agents may run alone"),
        choices=[(EVERY, _("Every agent")), (LISTED, _("Only those listed"))],
        widget=select(),
        help_text=_("What comes from any other agent or version is held."),
    )
    denial_memory = forms.IntegerField(label=_("Know a refused act again for"), min_value=0, widget=number())
    denial_memory_unit = forms.ChoiceField(label=_("Unit of the memory"), choices=UNITS, widget=select())
    deadline = forms.IntegerField(label=_("Decide within"), min_value=1, widget=number())
    deadline_unit = forms.ChoiceField(label=_("Unit of the deadline"), choices=UNITS, widget=select())
    reminder = forms.BooleanField(
        label=_("Call it to mind at half that time"),
        required=False,
        widget=forms.CheckboxInput(attrs={"class": "check"}),
    )
    queue = _slug(
        _("Queue"),
        help_text=_("Where held items wait, such as refunds. An unknown queue means the default one."),
    )
    second_queue = _slug(
        _("Second queue"),
        required=False,
        help_text=_(
            "Where they stand as well from half the time on, such as team-leads. Empty: nowhere else."
        ),
    )
    approvals_required = forms.IntegerField(
        label=_("Approvals required"),
        min_value=1,
        max_value=5,
        widget=number(),
        help_text=_("By different people, never the agent’s owner. Critical types always need two."),
    )
    checklist = forms.CharField(
        label=_("What must be ticked before it may run"),
        required=False,
        widget=forms.Textarea(attrs={"class": "textarea", "rows": 3}),
        help_text=format_lazy(
            _("One sentence a line, up to {most}: The order belongs to this customer."), most=MAX_CHECKLIST
        ),
    )
    small_screens = forms.BooleanField(
        label=_("Let what is critical run from a telephone too"),
        required=False,
        widget=forms.CheckboxInput(attrs={"class": "check"}),
        help_text=_("Rejecting and escalating always work there."),
    )
    undo_seconds = forms.IntegerField(
        label=_("Time to undo, seconds"),
        min_value=0,
        max_value=60,
        widget=number(),
        help_text=_("A decision goes out after this."),
    )
    permit_ttl = forms.IntegerField(label=_("A permit is good for"), min_value=1, widget=number())
    permit_ttl_unit = forms.ChoiceField(
        label=_("Unit of the permit’s lifetime"), choices=UNITS, widget=select()
    )

    def clean(self) -> dict[str, Any]:
        """Turn the times into seconds."""
        data = self.cleaned_data
        for name, longest in _TIMES.items():
            count, unit = data.get(name), data.get(f"{name}_unit")
            if not isinstance(count, int) or not isinstance(unit, str):
                continue
            data[f"{name}_seconds"] = count * SECONDS[unit]
            if count * SECONDS[unit] > longest:
                days = longest // 86_400
                told = ngettext("At most {days} day.", "At most {days} days.", days)
                self.add_error(name, told.format(days=days))
        return data

    def document(self) -> dict[str, object]:
        """Return the parts of the document that stand here. To be called on a form that is valid."""
        data = self.cleaned_data
        return {
            "threshold": share_of(data["threshold"]),
            "score": data["score"],
            "denial_memory_seconds": data["denial_memory_seconds"],
            "audit_rate": share_of(data["audit_rate"]),
            "deadline_seconds": data["deadline_seconds"],
            "undo_seconds": data["undo_seconds"],
            "approvals_required": data["approvals_required"],
            "checklist": lines_of(data["checklist"]),
            "small_screens": data["small_screens"],
            "permit_ttl_seconds": data["permit_ttl_seconds"],
            "queue": data["queue"],
            "reminder": data["reminder"],
            "second_queue": data["second_queue"],
            "blind_share": share_of(data["blind_share"]),
        }

    def field_at(self, pointer: str) -> str | None:
        """Return the control of a place of the document."""
        name = pointer.removeprefix("/").partition("/")[0].removesuffix("_seconds")
        # The one time that is typed in seconds keeps its whole name.
        for known in (_OTHER_NAMES.get(pointer, ""), name, f"{name}_seconds"):
            if known in self.fields:
                return known
        return None


def typed_of(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return what stands in the form's controls for a whole document."""
    threshold, calibration = document["threshold"], document["calibration"]
    typed = {
        "threshold": "" if threshold is None else as_percent(threshold),
        "score": document["score"],
        "calibration_of": ScoreSource.AGENT.value if calibration is None else calibration["of"],
        "audit_rate": as_percent(document["audit_rate"]),
        "blind_share": as_percent(document["blind_share"]),
        "agents_scope": EVERY if document["agents"] is None else LISTED,
        "queue": document["queue"],
        "second_queue": document["second_queue"],
        "approvals_required": str(document["approvals_required"]),
        "checklist": "\n".join(document["checklist"]),
        "undo_seconds": str(document["undo_seconds"]),
    }
    for name in _TIMES:
        typed[name], typed[f"{name}_unit"] = in_units(document[f"{name}_seconds"])
    for name in ("small_screens", "reminder"):
        if document[name]:
            typed[name] = "on"
    return {name: [text] for name, text in typed.items()}

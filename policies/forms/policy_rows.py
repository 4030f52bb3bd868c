"""The rows of a policy's form: rules, measures, freeze windows, listed agents, points of a calibration.

The engine checks what they say; here nothing is required, so that no text is ever refused a place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final
from zoneinfo import ZoneInfo

from django import forms
from django.forms.boundfield import BoundField
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from policies.engine.agent_list import MAX_AGENTS
from policies.engine.calibration import MAX_POINTS
from policies.engine.facts import Trigger, Verdict
from policies.engine.freezing import MAX_WINDOWS, WEEKDAYS
from policies.engine.measures import MAX_MEASURES, WHOSE, MeasureFunction
from policies.engine.rules import MAX_RULES
from policies.forms.amounts import SECONDS, UNITS, as_percent, in_units, lines_of, number, percent, share_of

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

Entry = Mapping[str, Any]
Typed = dict[str, list[str]]

_PLACE: Final = re.compile(r"line (\d+), column (\d+)", re.IGNORECASE)
_LOCAL: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?")
_OUTCOMES: Final = [(Verdict.REVIEW.value, _("Hold it for a person")), (Verdict.DENY.value, _("Deny it"))]
_DAYS: Final = (
    _("Mondays"),
    _("Tuesdays"),
    _("Wednesdays"),
    _("Thursdays"),
    _("Fridays"),
    _("Saturdays"),
    _("Sundays"),
)


def _text(label: StrOrPromise, help_text: StrOrPromise = "") -> forms.CharField:
    widget = forms.TextInput(
        attrs={"class": "input", "spellcheck": "false", "autocapitalize": "none", "autocomplete": "off"}
    )
    return forms.CharField(label=label, required=False, widget=widget, help_text=help_text)


def _lines(label: StrOrPromise, help_text: StrOrPromise) -> forms.CharField:
    widget = forms.Textarea(attrs={"class": "textarea", "rows": 2, "spellcheck": "false"})
    return forms.CharField(label=label, required=False, widget=widget, help_text=help_text)


def _choice(
    label: StrOrPromise, choices: Sequence[tuple[str, StrOrPromise]], help_text: StrOrPromise = ""
) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label,
        required=False,
        choices=list(choices),
        widget=forms.Select(attrs={"class": "select"}),
        help_text=help_text,
    )


@dataclass(frozen=True)
class Marked:
    """One line of a text, and the place in it that is meant."""

    number: int
    before: str
    at: str
    after: str


class RowForm(forms.Form):
    """One row. ``group`` names its list in the form, ``place`` the list in the document."""

    group: ClassVar[str]
    place: ClassVar[str]
    noun: ClassVar[StrOrPromise]
    nouns: ClassVar[StrOrPromise]
    called: ClassVar[StrOrPromise]
    most: ClassVar[int]
    layout: ClassVar[tuple[tuple[str, ...], ...]]

    @classmethod
    def prefix_of(cls, row: str) -> str:
        """Return what the names of a row's controls begin with."""
        return f"{cls.group.removesuffix('s')}-{row}"

    @property
    def row(self) -> str:
        """Return the number that tells this row from the others."""
        return str(self.prefix).rpartition("-")[2]

    @property
    def anchor(self) -> str:
        """Return the id of the row on the page."""
        return f"{self.prefix}"

    @property
    def lines(self) -> Iterator[list[BoundField]]:
        """Return the controls, line by line."""
        return ([self[name] for name in names] for names in self.layout)

    @property
    def marked(self) -> Marked | None:
        """Return the place in the row's code that an error points at, if one does."""
        return None

    def entry(self) -> object:
        """Return the row as an entry of the document. To be called on a row that is valid."""
        raise NotImplementedError

    @classmethod
    def typed(cls, entry: Any) -> Typed:
        """Return what stands in the controls for an entry of a document."""
        raise NotImplementedError

    def field_at(self, place: str) -> str | None:
        """Return the control of a place below the entry, such as ``when`` or ``versions/2``."""
        name = place.partition("/")[0]
        return name if name in self.fields else None


class RuleForm(RowForm):
    """One rule."""

    group, place, most = "rules", "/rules", MAX_RULES
    noun, nouns, called = _("Rule"), _("Rules"), pgettext_lazy("row", "rule")
    layout = (("code", "title"), ("when",), ("then", "trigger"))

    code = _text(_("Code"), _("Small letters and underscores: large_amount."))
    title = _text(_("What reviewers read"), _("The amount is large."))
    when = forms.CharField(
        label=_("When"),
        required=False,
        strip=False,
        widget=forms.Textarea(
            attrs={
                "class": "textarea textarea-code",
                "rows": 2,
                "spellcheck": "false",
                "autocapitalize": "none",
            }
        ),
        help_text=_('A condition in CEL, such as args.amount > 150 && environment == "production".'),
    )
    then = _choice(_("Then"), _OUTCOMES)
    trigger = _choice(
        _("Counts as"),
        [(Trigger.POLICY_EDGE.value, _("Policy edge case")), (Trigger.HIGH_RISK.value, _("High risk"))],
    )

    @property
    def marked(self) -> Marked | None:
        """Return the line of the condition that its error names, cut at the column."""
        found = next((place for text in self["when"].errors if (place := _PLACE.search(str(text)))), None)
        lines = str(self["when"].value() or "").replace("\r\n", "\n").split("\n")
        if found is None or int(found[1]) > len(lines):
            return None
        line, column = lines[int(found[1]) - 1], int(found[2]) - 1
        return Marked(int(found[1]), line[:column], line[column : column + 1] or "␣", line[column + 1 :])

    def entry(self) -> object:
        """Return the rule as the document has it; a browser's line ends are not part of it."""
        data = self.cleaned_data
        return {
            "code": data["code"],
            "title": data["title"],
            "when": data["when"].replace("\r\n", "\n"),
            "then": data["then"],
            "trigger": data["trigger"],
        }

    @classmethod
    def typed(cls, entry: Entry) -> Typed:
        """Return the rule's texts as they are."""
        return {name: [str(entry[name])] for name in ("code", "title", "when", "then", "trigger")}


class MeasureForm(RowForm):
    """One measure of the past."""

    group, place, most = "measures", "/measures", MAX_MEASURES
    noun, nouns, called = _("Measure"), _("Measures"), pgettext_lazy("row", "measure")
    layout = (("name",), ("function", "pointer"), ("of", "of_pointer"), ("window", "unit"), ("action_types",))

    name = _text(_("Name"), _("A rule reads it as history.refunded_today."))
    function = _choice(
        _("What"),
        [
            (MeasureFunction.COUNT.value, _("Count the actions")),
            (MeasureFunction.SUM.value, _("Add up a number")),
        ],
    )
    pointer = _text(_("Of which number"), _("For a sum: its place in the arguments, such as /amount."))
    of = _choice(
        _("Of all actions by the same"),
        [
            ("agent", _("Agent")),
            ("subject", _("Subject, such as a customer")),
            ("conversation", _("Conversation")),
            ("value", _("Value in the arguments")),
        ],
    )
    of_pointer = _text(_("Which value"), _("For a value: its place, such as /iban."))
    window = forms.IntegerField(label=_("Over the last"), required=False, widget=number(min=1))
    unit = _choice(_("Unit"), UNITS)
    action_types = _lines(_("Of these action types"), _("One a line. Empty: of this action type alone."))

    def entry(self) -> object:
        """Return the measure as the document has it."""
        data = self.cleaned_data
        window = data["window"]
        return {
            "name": data["name"],
            "of": data["of_pointer"] if data["of"] == "value" else data["of"],
            "function": data["function"],
            "pointer": data["pointer"],
            "window_seconds": 0 if window is None else window * SECONDS.get(data["unit"], 1),
            "action_types": lines_of(data["action_types"]),
        }

    @classmethod
    def typed(cls, entry: Entry) -> Typed:
        """Return the measure with its window in the largest unit that comes out even."""
        window, unit = in_units(entry["window_seconds"])
        known = entry["of"] in WHOSE
        return {
            "name": [entry["name"]],
            "function": [entry["function"]],
            "pointer": [entry["pointer"]],
            "of": [entry["of"] if known else "value"],
            "of_pointer": ["" if known else entry["of"]],
            "window": [window],
            "unit": [unit],
            "action_types": ["\n".join(entry["action_types"])],
        }

    def field_at(self, place: str) -> str | None:
        """Return the control; a value's place and the window have names of their own here."""
        if place == "of" and self["of"].value() == "value":
            return "of_pointer"
        return "window" if place == "window_seconds" else super().field_at(place)


class WindowForm(RowForm):
    """One freeze window: once, or every week."""

    group, place, most = "windows", "/freeze_windows", MAX_WINDOWS
    noun, nouns, called = _("Freeze window"), _("Freeze windows"), pgettext_lazy("row", "freeze window")
    layout = (("title", "then"), ("repeats", "zone"), ("starts", "ends"), ("weekdays",))

    title = _text(_("What reviewers read"), _("Stocktaking. Reviewers and agents see it."))
    then = _choice(_("Meanwhile"), _OUTCOMES)
    repeats = _choice(_("How often"), [("once", _("Once")), ("weekly", _("Every week"))])
    zone = _text(_("Time zone"), _("Europe/Berlin, or UTC."))
    starts = _text(_("From"), _("2026-12-24 18:00; every week: 18:00."))
    ends = _text(_("Until"), _("2026-12-27 08:00; every week: 08:00, on the next day if it is earlier."))
    weekdays = forms.MultipleChoiceField(
        label=_("Every week, beginning on"),
        required=False,
        choices=list(zip(WEEKDAYS, _DAYS, strict=True)),
        widget=forms.CheckboxSelectMultiple(attrs={"class": "check"}),
    )

    def entry(self) -> object:
        """Return the window as the document has it: once with its offset from UTC, weekly with its zone."""
        data = self.cleaned_data
        common = {"title": data["title"], "then": data["then"]}
        if data["repeats"] == "weekly":
            return common | {
                "weekdays": data["weekdays"],
                "from": data["starts"],
                "until": data["ends"],
                "zone": data["zone"],
            }
        return common | {
            "from": _with_offset(data["starts"], data["zone"]),
            "until": _with_offset(data["ends"], data["zone"]),
        }

    @classmethod
    def typed(cls, entry: Entry) -> Typed:
        """Return the window's texts as they are."""
        return {
            "title": [entry["title"]],
            "then": [entry["then"]],
            "repeats": ["weekly" if entry.get("weekdays") else "once"],
            "zone": [entry.get("zone", "")],
            "starts": [entry["from"]],
            "ends": [entry["until"]],
            "weekdays": list(entry.get("weekdays", ())),
        }

    def clean(self) -> dict[str, Any]:
        """Ask for the days of a window that comes round: without any it would be one that does not."""
        data = self.cleaned_data
        if data.get("repeats") == "weekly" and data.get("weekdays") == []:
            self.add_error("weekdays", _("Choose at least one day."))
        return data

    def field_at(self, place: str) -> str | None:
        """Return the control; "from" and "until" have names of their own here."""
        return {"from": "starts", "until": "ends"}.get(place) or super().field_at(place)


class AgentForm(RowForm):
    """One agent of the allow list."""

    group, place, most = "agents", "/agents", MAX_AGENTS
    noun, nouns, called = _("Agent"), _("Agents"), pgettext_lazy("row", "agent")
    layout = (("name", "versions"),)

    name = _text(_("Agent"), _("Its name, such as support-bot."))
    versions = _lines(_("Versions"), _("One a line, such as 3.2. Empty: every version."))

    def entry(self) -> object:
        """Return the agent as the document has it."""
        return {"name": self.cleaned_data["name"], "versions": lines_of(self.cleaned_data["versions"])}

    @classmethod
    def typed(cls, entry: Entry) -> Typed:
        """Return the agent, a version a line."""
        return {"name": [entry["name"]], "versions": ["\n".join(entry["versions"])]}


class PointForm(RowForm):
    """One point of a calibration."""

    group, place, most = "points", "/calibration/points", MAX_POINTS
    noun, nouns, called = _("Point"), _("Points"), pgettext_lazy("row", "point")
    layout = (("raw", "calibrated"),)

    raw = percent(_("When the score says"), required=False, help_text=_("In percent, such as 90."))
    calibrated = percent(
        _("it is right in"), required=False, help_text=_("In percent of such cases, such as 72.")
    )

    def entry(self) -> object:
        """Return the pair of shares."""
        return [share_of(self.cleaned_data["raw"]), share_of(self.cleaned_data["calibrated"])]

    @classmethod
    def typed(cls, entry: Any) -> Typed:
        """Return the pair in percent."""
        raw, calibrated = entry
        return {"raw": [as_percent(raw)], "calibrated": [as_percent(calibrated)]}

    def field_at(self, place: str) -> str | None:
        """Return the control of either half."""
        return {"0": "raw", "1": "calibrated"}.get(place)


ROW_FORMS: Final[tuple[type[RowForm], ...]] = (RuleForm, MeasureForm, WindowForm, AgentForm, PointForm)


def _with_offset(text: str, zone: str) -> str:
    """Return a local time of a zone as an instant; anything else as it is, for the engine to judge."""
    if not _LOCAL.fullmatch(text) or not zone:
        return text
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).isoformat()
    except (ValueError, OSError, KeyError):
        return text

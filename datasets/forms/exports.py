"""Forms of exports and their schedules: they parse; services act."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from datasets.choices import Cadence, ExportFormat, Split
from datasets.exporters import registry
from datasets.exporters.options import Option
from datasets.models import DatasetVersion
from datasets.selectors.exports import WEEKDAYS
from datasets.services import compression, destinations, option_words
from datasets.services.destinations import UnusableDestination
from datasets.services.exporting import Order
from datasets.services.schedules import Plan
from hitl_site.lib.strict_json import JsonValue

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

OPTION_PREFIX: Final = "option_"
_HERE: Final = _("Handrail’s own folder, to download from here")


class OrderForm(forms.Form):
    """What to make of a version: the options of one format, and where the file goes.

    A place is one of those that the operator allows, and a folder below it: never an address that was typed.
    """

    split = forms.ChoiceField(
        required=False,
        label=_("Split"),
        choices=[("", _("All of them")), *((split.value, split.label) for split in Split if split.value)],
        widget=forms.Select(attrs={"class": "select"}),
    )
    compression = forms.ChoiceField(
        required=False, label=_("Compression"), widget=forms.Select(attrs={"class": "select"})
    )
    destination = forms.ChoiceField(
        required=False, label=_("Where it goes"), widget=forms.Select(attrs={"class": "select"})
    )
    folder = forms.CharField(
        required=False,
        max_length=200,
        label=_("Folder there"),
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
        help_text=_("Made when it is not there. Letters, digits, . _ = - and /."),
    )

    def __init__(self, *args: Any, format: ExportFormat, splits: Mapping[str, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.format = format
        self.options = registry.options_of(format)
        for option in self.options:
            self.fields[OPTION_PREFIX + option.name] = _option_field(option)
        _choose(self, "compression", compression.choices())
        allowed = destinations.allowed()
        _choose(self, "destination", [("", _HERE), *((prefix, prefix) for prefix in allowed)])
        if not allowed:
            del self.fields["destination"], self.fields["folder"]
        if not splits:
            del self.fields["split"]
        if format in {ExportFormat.PARQUET, ExportFormat.HUGGING_FACE}:
            del self.fields["compression"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if cleaned.get("destination"):
            try:
                cleaned["address"] = destinations.address(cleaned["destination"], cleaned.get("folder", ""))
            except UnusableDestination as exc:
                self.add_error("folder", str(exc))
        return cleaned

    def order(self, *, since: DatasetVersion | None = None) -> Order:
        """Return what was chosen."""
        cleaned = self.cleaned_data
        chosen: dict[str, JsonValue] = {
            option.name: cleaned[OPTION_PREFIX + option.name] for option in self.options
        }
        return Order(
            format=self.format,
            options=chosen,
            split=cleaned.get("split", ""),
            compression=cleaned.get("compression", ""),
            destination=cleaned.get("address", ""),
            since=since,
        )


class ExportForm(OrderForm):
    """An export of one version; it may leave out what an earlier version had."""

    since = forms.ChoiceField(
        required=False,
        label=_("Only what is new since"),
        widget=forms.Select(attrs={"class": "select"}),
        help_text=_("Cases that version did not have, and cases that have changed since."),
    )

    def __init__(self, *args: Any, version: DatasetVersion, **kwargs: Any) -> None:
        super().__init__(*args, splits=version.split_counts, **kwargs)
        earlier = version.dataset.versions.filter(number__lt=version.number).order_by("-number")
        self._earlier = {str(one.number): one for one in earlier}
        versions = [(number, gettext("Version {number}").format(number=number)) for number in self._earlier]
        _choose(self, "since", [("", gettext("Everything")), *versions])
        if not self._earlier:
            del self.fields["since"]

    def export_order(self) -> Order:
        """Return what was chosen, the earlier version among it."""
        return self.order(since=self._earlier.get(self.cleaned_data.get("since", "")))


class ScheduleForm(OrderForm):
    """When to freeze and export a dataset, and as what."""

    cadence = forms.ChoiceField(
        choices=Cadence.choices, label=_("How often"), widget=forms.Select(attrs={"class": "select"})
    )
    weekday = forms.TypedChoiceField(
        required=False,
        label=_("Weekday"),
        coerce=int,
        choices=list(enumerate(WEEKDAYS)),
        initial=0,
        widget=forms.Select(attrs={"class": "select"}),
        help_text=_("For weekly ones."),
    )
    hour = forms.IntegerField(
        min_value=0,
        max_value=23,
        initial=3,
        label=_("Hour (UTC)"),
        widget=forms.NumberInput(attrs={"class": "input"}),
    )
    only_new = forms.BooleanField(
        required=False,
        label=_("Only what the last finished export did not have"),
        widget=forms.CheckboxInput(attrs={"class": "check"}),
    )

    def plan(self) -> Plan:
        """Return what was chosen."""
        cleaned = self.cleaned_data
        return Plan(
            order=self.order(),
            cadence=Cadence(cleaned["cadence"]),
            weekday=cleaned["weekday"] or 0,
            hour=cleaned["hour"],
            only_new=cleaned["only_new"],
        )


def parse_format(name: str | None) -> ExportFormat | None:
    """Return the format of this name, the canonical one for no name, None where there is none such."""
    if not name:
        return ExportFormat.JSONL
    return ExportFormat(name) if name in registry.formats() else None


def _choose(form: forms.Form, name: str, choices: Sequence[tuple[str, StrOrPromise]]) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    field.choices = list(choices)


def _option_field(option: Option) -> forms.Field:
    """Return the field of a format's option. What is left out of a request counts as its default."""
    given: dict[str, Any] = {
        "label": option_words.said(option.title),
        "help_text": option_words.said(option.help),
        "required": False,
    }
    if option.kind == "flag":
        return forms.BooleanField(
            **given, initial=option.default, widget=forms.CheckboxInput(attrs={"class": "check"})
        )
    if option.kind == "choice":
        return _Choice(
            **given,
            initial=option.default,
            choices=[(value, option_words.said(words)) for value, words in option.choices],
            widget=forms.Select(attrs={"class": "select"}),
        )
    return forms.CharField(
        **given,
        initial=option.default,
        max_length=option.max_length,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )


class _Choice(forms.ChoiceField):
    def clean(self, value: Any) -> Any:
        return super().clean(value or self.initial)

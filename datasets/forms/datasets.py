"""Forms of datasets: they parse; services act."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.db.models import TextChoices
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from datasets.choices import CaseKind, Label, LabelSource, LabelStrength
from datasets.models import Dataset
from datasets.selectors.choices import (
    DEFAULT_SALT,
    DEFAULT_SHARES,
    MAX_SALT_LENGTH,
    Choices,
    InvalidChoices,
    NearDuplicates,
    Shares,
    SplitBy,
    SplitRule,
    WeakLabels,
)
from datasets.selectors.facets import Facets
from datasets.selectors.selection import MAX_TEXT_LENGTH, EndsTooSoon, InvalidSelection, Selection
from datasets.services.datasets import MAX_NAME_LENGTH
from hitl_site.lib import wording

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

# The lists of a selection, and the words for their values where there are some.
_LISTS: Final[dict[str, type[TextChoices] | None]] = {
    "action_types": None,
    "labels": Label,
    "reasons": None,
    "strengths": LabelStrength,
    "sources": LabelSource,
    "kinds": CaseKind,
    "agents": None,
    "agent_versions": None,
    "tags": None,
}


def _boxes(label: StrOrPromise, help_text: StrOrPromise = "") -> forms.MultipleChoiceField:
    return forms.MultipleChoiceField(
        required=False,
        label=label,
        help_text=help_text,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "check"}),
    )


def _share(label: StrOrPromise) -> forms.IntegerField:
    return forms.IntegerField(
        required=False,
        label=label,
        min_value=0,
        max_value=100,
        widget=forms.NumberInput(attrs={"class": "input", "min": 0, "max": 100, "inputmode": "numeric"}),
    )


def _day(label: StrOrPromise, help_text: StrOrPromise = "") -> forms.DateField:
    widget = forms.DateInput(attrs={"class": "input", "type": "date"}, format="%Y-%m-%d")
    return forms.DateField(required=False, label=label, help_text=help_text, widget=widget)


class DatasetForm(forms.Form):
    """A dataset: its name, which cases it takes, and what is made of them. Nothing chosen means all."""

    name = forms.CharField(
        label=_("Name"),
        max_length=MAX_NAME_LENGTH,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
        help_text=_("What people will look for, such as “Refunds, corrected”."),
    )
    description = forms.CharField(
        label=_("Description"),
        required=False,
        max_length=2000,
        widget=forms.Textarea(attrs={"class": "textarea", "rows": 2}),
    )
    action_types = _boxes(_("Action types"), _("None chosen: all of them, also those to come."))
    labels = _boxes(_("Labels"), _("The newest answer to a case counts."))
    reasons = _boxes(_("Reasons"), _("One that the reviewer gave is enough."))
    strengths = _boxes(
        _("Strength of the label"), _("A weak label is an approval in bulk, or faster than one can read.")
    )
    sources = _boxes(_("What asked for the label"))
    kinds = _boxes(_("Kind of case"))
    agents = _boxes(_("Agents"))
    agent_versions = _boxes(_("Versions of agents"))
    tags = _boxes(_("Tags"), _("One that it has is enough."))
    blind_only = forms.BooleanField(
        required=False,
        label=_("Only cases decided before the reviewer saw the agent's score"),
        widget=forms.CheckboxInput(attrs={"class": "check"}),
    )
    since = _day(_("Decided since"))
    until = _day(_("Decided until"), _("That day included."))
    text = forms.CharField(
        required=False,
        max_length=MAX_TEXT_LENGTH,
        strip=False,
        label=_("With this text"),
        help_text=_("Anywhere in the case, in any case of letters."),
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )
    split = forms.ChoiceField(
        required=False,
        label=_("Split into training, validation and test"),
        choices=[("", _("Not split")), *SplitBy.choices],
        widget=forms.Select(attrs={"class": "select"}),
        help_text=_(
            "A group is a customer, else a conversation, else a cluster of like cases. None is ever in two "
            "splits, and none moves when more cases come."
        ),
    )
    train = _share(_("Training, %"))
    validation = _share(_("Validation, %"))
    test = _share(_("Test, %"))
    salt = forms.CharField(
        required=False,
        max_length=MAX_SALT_LENGTH,
        label=_("Seed of the split"),
        help_text=_("Datasets with the same seed and shares put the same group into the same split."),
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )
    near_duplicates = forms.ChoiceField(
        required=False,
        label=_("Cases that say nearly the same"),
        choices=NearDuplicates.choices,
        widget=forms.Select(attrs={"class": "select"}),
    )
    weak = forms.ChoiceField(
        required=False,
        label=_("Weak labels"),
        choices=WeakLabels.choices,
        widget=forms.Select(attrs={"class": "select"}),
    )
    redaction = forms.ChoiceField(
        required=False,
        label=_("Redaction"),
        help_text=_("The newest profile of the name replaces personal data in what is exported."),
        widget=forms.Select(attrs={"class": "select"}),
    )

    def __init__(
        self,
        *args: Any,
        facets: Facets,
        profiles: Iterable[str] = (),
        dataset: Dataset | None = None,
        **kwargs: Any,
    ) -> None:
        self.before = Selection() if dataset is None else Selection.from_document(dataset.selection)
        kwargs["initial"] = _initial(dataset, self.before)
        super().__init__(*args, **kwargs)
        if dataset is not None:
            # People and files refer to a dataset by its name: it stays.
            del self.fields["name"]
        for name, kind in _LISTS.items():
            self._choices(name, _options(facets.of(name), kind, getattr(self.before, name)))
        known = [*profiles]
        self._choices("redaction", [("", gettext("Nothing is replaced")), *((name, name) for name in known)])
        if not known:
            del self.fields["redaction"]
        if facets.blind:
            blind = self.fields["blind_only"]
            blind.label = f"{blind.label} · {wording.number(facets.blind)}"

    def clean(self) -> dict[str, Any]:
        """Let selection and choices say what cannot stand together."""
        if not self.errors:
            try:
                self.selection()
            except InvalidSelection as exc:
                self.add_error("until" if isinstance(exc, EndsTooSoon) else None, str(exc))
            try:
                self.choices()
            except InvalidChoices as exc:
                self.add_error("train", str(exc))
        return self.cleaned_data

    def selection(self) -> Selection:
        """Return what was chosen; a day begins and ends at midnight in the viewer's zone."""
        given = self.cleaned_data
        since, until = self.before.since, self.before.until
        if "since" in self.changed_data:
            since = given["since"] and _midnight(given["since"])
        if "until" in self.changed_data:
            until = given["until"] and _midnight(given["until"] + timedelta(days=1))
        return Selection(
            **{name: tuple(given[name]) for name in _LISTS},
            blind_only=given["blind_only"],
            since=since,
            until=until,
            text=given["text"],
        )

    def choices(self) -> Choices:
        """Return what is made of the cases. What was left empty is as usual."""
        given = self.cleaned_data
        split = None
        if given["split"]:
            shares = [given[name] for name in ("train", "validation", "test")]
            if any(share is not None for share in shares):
                train, validation, test = (share or 0 for share in shares)
                chosen = Shares(train=train, validation=validation, test=test)
            else:
                chosen = DEFAULT_SHARES
            split = SplitRule(by=SplitBy(given["split"]), shares=chosen, salt=given["salt"] or DEFAULT_SALT)
        return Choices(
            split=split,
            near_duplicates=NearDuplicates(given["near_duplicates"] or NearDuplicates.KEEP),
            weak=WeakLabels(given["weak"] or WeakLabels.KEEP),
        )

    def redaction_name(self) -> str:
        """Return the name of the chosen profile, "" for none."""
        name: str = self.cleaned_data.get("redaction", "")
        return name

    def _choices(self, name: str, options: list[tuple[str, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = options


def _initial(dataset: Dataset | None, selection: Selection) -> dict[str, Any]:
    choices = Choices() if dataset is None else Choices.from_document(dataset.choices)
    shares = DEFAULT_SHARES if choices.split is None else choices.split.shares
    zone = timezone.get_current_timezone()
    last_moment = None if selection.until is None else selection.until - timedelta(microseconds=1)
    return {
        "description": "" if dataset is None else dataset.description,
        **{name: getattr(selection, name) for name in _LISTS},
        "blind_only": selection.blind_only,
        "since": selection.since and selection.since.astimezone(zone).date(),
        "until": last_moment and last_moment.astimezone(zone).date(),
        "text": selection.text,
        "split": "" if choices.split is None else choices.split.by.value,
        "train": shares.train,
        "validation": shares.validation,
        "test": shares.test,
        "salt": DEFAULT_SALT if choices.split is None else choices.split.salt,
        "near_duplicates": choices.near_duplicates.value,
        "weak": choices.weak.value,
        "redaction": "" if dataset is None or dataset.redaction is None else dataset.redaction.name,
    }


def _midnight(day: Any) -> datetime:
    return datetime.combine(day, time.min, tzinfo=timezone.get_current_timezone())


def _options(
    counts: Mapping[str, int], kind: type[TextChoices] | None, chosen: Iterable[str]
) -> list[tuple[str, str]]:
    """Return the values with their numbers; what is chosen already stays, also where no case has it now."""
    named = (
        [(str(value), str(label)) for value, label in kind.choices]
        if kind is not None
        else [(value, value) for value in sorted({*counts, *chosen})]
    )
    return [(value, f"{words} · {wording.number(counts.get(value, 0))}") for value, words in named]

"""Questions about datasets: what each takes, what is frozen, what has come since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.utils.translation import gettext

from datasets.choices import FreezingState, Label, Split
from datasets.models import Dataset, DatasetVersion, Export, Freezing, RedactionProfile
from datasets.selectors import differences, exports, taking, words
from datasets.selectors.choices import Choices, NearDuplicates
from datasets.selectors.exports import Progress
from datasets.selectors.selection import Selection

# The list of datasets counts what is new up to here: more is more, and costs every reader of the page.
MANY: Final = 10_000


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A dataset in the list: its last version and how many cases came since, at most ``MANY``."""

    dataset: Dataset
    last_version: DatasetVersion | None
    new: int

    @property
    def labels(self) -> tuple[tuple[Label, int], ...]:
        """Return the labels of the last version."""
        return () if self.last_version is None else _by_label(self.last_version.label_counts)

    @property
    def more_than_counted(self) -> bool:
        return self.new >= MANY


@dataclass(frozen=True, slots=True)
class Taken:
    """What a selection and choices take now: by label what is in, by reason what stays out."""

    labels: tuple[tuple[Label, int], ...]
    left_out: tuple[tuple[str, int], ...]

    @property
    def total(self) -> int:
        return sum(count for _, count in self.labels)


@dataclass(frozen=True, slots=True)
class Growth:
    """What a dataset takes now, and how many cases came since its last version."""

    dataset: Dataset
    selection: Selection
    choices: Choices
    taken: Taken
    last_version: DatasetVersion | None
    new: int


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version with its exports, newest first."""

    version: DatasetVersion
    labels: tuple[tuple[Label, int], ...]
    exports: tuple[Progress, ...]

    @property
    def splits(self) -> tuple[tuple[str, int], ...]:
        counts = self.version.split_counts
        return tuple((str(split.label), counts[split]) for split in Split if split in counts)

    @property
    def differences(self) -> tuple[tuple[str, int], ...]:
        """Return what is different since the version before, in words."""
        counts = self.version.difference
        titles = differences.TITLES.items()
        return tuple((gettext(title), counts[kind]) for kind, title in titles if kind in counts)


@dataclass(frozen=True, slots=True)
class FreezingView:
    """How far the making of a large version is; its failure until the next attempt."""

    freezing: Freezing
    under_way: bool

    @property
    def why(self) -> str:
        """Return why it could not be made."""
        return words.why_not_frozen(self.freezing.error)


def index() -> list[DatasetRow]:
    """Return every dataset by name."""
    last: dict[int, DatasetVersion] = {}
    for version in DatasetVersion.objects.order_by("dataset_id", "-number").distinct("dataset_id"):
        last[version.dataset_id] = version
    return [
        DatasetRow(dataset, last.get(dataset.pk), _new(dataset, last.get(dataset.pk), at_most=MANY))
        for dataset in Dataset.objects.order_by("name")
    ]


def growth(dataset: Dataset) -> Growth:
    """Return what one dataset takes now."""
    last_version = dataset.versions.order_by("-number").first()
    selection, choices = Selection.from_document(dataset.selection), Choices.from_document(dataset.choices)
    return Growth(
        dataset=dataset,
        selection=selection,
        choices=choices,
        taken=taken_now(selection, choices),
        last_version=last_version,
        new=_new(dataset, last_version),
    )


def taken_now(selection: Selection, choices: Choices) -> Taken:
    """Return what would be in a version that is frozen now, and what would stay out."""
    found = taking.taken(selection, up_to_seq=taking.labelled_up_to())
    counts = taking.standings(taking.with_standing(found, choices))
    left_out = taking.left_out(counts)
    return Taken(
        labels=_by_label(taking.label_counts(counts)),
        left_out=tuple((gettext(taking.REASONS[reason]), count) for reason, count in left_out.items()),
    )


def versions(dataset: Dataset, *, now: datetime) -> list[VersionView]:
    """Return a dataset's versions, newest first, with their exports."""
    found = list(dataset.versions.order_by("-number"))
    by_version: dict[int, list[Progress]] = defaultdict(list)
    for export in Export.objects.filter(version__in=found).order_by("-id"):
        by_version[export.version_id].append(exports.progress(export, now=now))
    return [
        VersionView(
            version=version, labels=_by_label(version.label_counts), exports=tuple(by_version[version.pk])
        )
        for version in found
    ]


def freezing(dataset: Dataset) -> FreezingView | None:
    """Return the large version that is being made, or the failure of the last attempt at one."""
    last = dataset.freezings.order_by("-pk").first()
    if last is None or last.state == FreezingState.DONE:
        return None
    return FreezingView(freezing=last, under_way=last.state == FreezingState.REQUESTED)


def profile_names() -> list[str]:
    """Return the names of the redaction profiles."""
    return sorted(RedactionProfile.objects.order_by().values_list("name", flat=True).distinct())


def _new(dataset: Dataset, last_version: DatasetVersion | None, *, at_most: int | None = None) -> int:
    """Return how many cases that would be in came since the version; near duplicates are not looked for."""
    choices = replace(Choices.from_document(dataset.choices), near_duplicates=NearDuplicates.KEEP)
    found = taking.taken(Selection.from_document(dataset.selection), up_to_seq=taking.labelled_up_to())
    if last_version is not None:
        found = found.filter(ledger_seq__gt=last_version.ledger_seq)
    new = taking.with_standing(found, choices).filter(standing="")  # type: ignore[misc]  # standing is annotated
    return new.count() if at_most is None else new[:at_most].count()


def _by_label(counts: Mapping[str, int]) -> tuple[tuple[Label, int], ...]:
    return tuple((label, counts.get(label, 0)) for label in Label)

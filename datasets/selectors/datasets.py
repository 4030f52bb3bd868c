"""Questions about datasets: what each takes, what is frozen, what has come since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from datasets.choices import Label
from datasets.models import Dataset, DatasetVersion, Export
from datasets.selectors import cases, exports
from datasets.selectors.exports import Progress
from datasets.selectors.selection import Selection


@dataclass(frozen=True, slots=True)
class Growth:
    """What a dataset takes now, by label, and how much of that no version has."""

    dataset: Dataset
    selection: Selection
    labels: tuple[tuple[Label, int], ...]
    total: int
    last_version: DatasetVersion | None

    @property
    def new(self) -> int:
        """Return how many cases came since the last version: what a dataset takes never shrinks."""
        return self.total - (self.last_version.case_count if self.last_version else 0)


@dataclass(frozen=True, slots=True)
class VersionView:
    """A version with its exports, newest first."""

    version: DatasetVersion
    labels: tuple[tuple[Label, int], ...]
    exports: tuple[Progress, ...]


def index() -> list[Growth]:
    """Return every dataset by name, with what it takes now."""
    last: dict[int, DatasetVersion] = {}
    for version in DatasetVersion.objects.order_by("dataset_id", "-number").distinct("dataset_id"):
        last[version.dataset_id] = version
    return [_growth(dataset, last.get(dataset.pk)) for dataset in Dataset.objects.order_by("name")]


def growth(dataset: Dataset) -> Growth:
    """Return what one dataset takes now."""
    return _growth(dataset, dataset.versions.order_by("-number").first())


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


def all_labels() -> tuple[tuple[Label, int], ...]:
    """Return how many cases there are at all, by label."""
    return _by_label(cases.label_counts(cases.matching(Selection())))


def _growth(dataset: Dataset, last_version: DatasetVersion | None) -> Growth:
    selection = Selection.from_document(dataset.selection)
    counts = cases.label_counts(cases.matching(selection, up_to_seq=cases.labelled_up_to()))
    return Growth(
        dataset=dataset,
        selection=selection,
        labels=_by_label(counts),
        total=sum(counts.values()),
        last_version=last_version,
    )


def _by_label(counts: Mapping[str, int]) -> tuple[tuple[Label, int], ...]:
    return tuple((label, counts.get(label, 0)) for label in Label)

"""The balance of a version: how its labels are spread over action types and splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, F
from django.db.models.functions import Coalesce
from django.utils.translation import gettext

from datasets.choices import Label, Split
from datasets.models import DatasetMember, DatasetVersion

# Rows that the page shows; the rest is one row.
MOST_ROWS: Final = 40


@dataclass(frozen=True, slots=True)
class Segment:
    """One label's part of a bar from 0 to 100, as an SVG takes it."""

    label: str
    start: str
    width: str


@dataclass(frozen=True, slots=True)
class BalanceRow:
    """One row: what it is about, how many of each label, and the bar that shows the same."""

    name: str
    labels: tuple[tuple[Label, int], ...]

    @property
    def total(self) -> int:
        return sum(count for _, count in self.labels)

    @property
    def percent(self) -> tuple[tuple[Label, int], ...]:
        """Return the labels in whole per cent."""
        return tuple((label, round(100 * count / max(self.total, 1))) for label, count in self.labels)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Return the parts of the bar. Not localised: an SVG attribute never has a decimal comma."""
        found, before = [], 0
        for label, count in self.labels:
            start, width = (100 * n / max(self.total, 1) for n in (before, count))
            found.append(Segment(label=label.value, start=f"{start:.2f}", width=f"{width:.2f}"))
            before += count
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Balance:
    """Both tables; ``by_split`` is empty where a version is not split."""

    by_action_type: tuple[BalanceRow, ...]
    by_split: tuple[BalanceRow, ...]


def balance(version: DatasetVersion) -> Balance:
    """Return the balance of a version, by the answers that it was frozen with."""
    rows = (
        DatasetMember.objects.filter(version=version)
        .order_by()
        .annotate(answer=Coalesce(F("revision__label"), F("case__label")))
        .values_list("split", "case__action_type", "answer")
        .annotate(number=Count("pk"))
    )
    by_type: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    by_split: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for split, action_type, answer, number in rows:
        by_type[action_type][answer] += number
        by_split[split][answer] += number
    asked_for = [split for split in Split if split in version.split_counts]
    return Balance(
        by_action_type=_shortened(by_type),
        by_split=tuple(_row(str(split.label), by_split[split.value]) for split in asked_for),
    )


def _shortened(counts: Mapping[str, Mapping[str, int]]) -> tuple[BalanceRow, ...]:
    rows = sorted((_row(name, of) for name, of in counts.items()), key=lambda row: (-row.total, row.name))
    if len(rows) <= MOST_ROWS:
        return tuple(rows)
    return (*rows[: MOST_ROWS - 1], _together(rows[MOST_ROWS - 1 :]))


def _together(rows: Iterable[BalanceRow]) -> BalanceRow:
    total: dict[str, int] = defaultdict(int)
    names = 0
    for row in rows:
        names += 1
        for label, count in row.labels:
            total[label] += count
    return _row(gettext("{n} more action types").format(n=names), total)


def _row(name: str, counts: Mapping[str, int]) -> BalanceRow:
    return BalanceRow(name=name, labels=tuple((label, counts.get(label, 0)) for label in Label))

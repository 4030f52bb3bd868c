"""One frozen version as its page shows it: its facts, its balance, and what is different since the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext, gettext_noop

from datasets.choices import Label, Split
from datasets.models import DatasetMember, DatasetVersion
from datasets.selectors import balance, differences, taking
from datasets.selectors.balance import Balance
from datasets.selectors.choices import Choices
from datasets.selectors.selection import Selection
from hitl_site.lib import pagination
from hitl_site.lib.pagination import Page
from reviews.models import ActionRequest

PAGE_SIZE: Final = 50
ALL: Final = "all"
TITLES: Final = {
    ALL: gettext_noop("All cases"),
    differences.ADDED: gettext_noop("Added"),
    differences.REMOVED: gettext_noop("Removed"),
    differences.RELABELLED: gettext_noop("Relabelled"),
    differences.UPDATED: gettext_noop("Updated"),
}


@dataclass(frozen=True, slots=True)
class ListChoice:
    """One of the lists of cases, and how many it has."""

    kind: str
    title: str
    count: int
    current: bool


@dataclass(frozen=True, slots=True)
class VersionPage:
    """Everything but the list."""

    version: DatasetVersion
    before: DatasetVersion | None
    selection: Selection
    choices: Choices
    labels: tuple[tuple[Label, int], ...]
    splits: tuple[tuple[str, int], ...]
    left_out: tuple[tuple[str, int], ...]
    balance: Balance
    lists: tuple[ListChoice, ...]
    title: str
    erased: int


def view(version: DatasetVersion, *, kind: str) -> VersionPage:
    """Return what the page of a version shows beside its list of cases."""
    before = differences.previous(version)
    counts = {ALL: version.case_count, **(version.difference if before is not None else {})}
    return VersionPage(
        version=version,
        before=before,
        selection=Selection.from_document(version.selection),
        choices=Choices.from_document(version.choices),
        labels=tuple((label, version.label_counts.get(label, 0)) for label in Label),
        splits=tuple(
            (str(split.label), version.split_counts[split])
            for split in Split
            if split in version.split_counts
        ),
        left_out=tuple(
            (gettext(title), version.left_out[reason])
            for reason, title in taking.REASONS.items()
            if version.left_out.get(reason)
        ),
        balance=balance.balance(version),
        lists=tuple(
            ListChoice(kind=name, title=gettext(TITLES[name]), count=counts[name], current=name == kind)
            for name in TITLES
            if name in counts
        ),
        title=gettext(TITLES[kind]),
        erased=sum(version.marks.values_list("cases", flat=True)),
    )


def members(version: DatasetVersion, *, kind: str, cursor: str | None) -> Page[DatasetMember]:
    """Return a page of one of the lists, in the order of the version. Raises ``pagination.InvalidCursor``.

    Each has ``answer``, the label it was frozen with, and its action's ``title``: an omission has none.
    """
    if kind == ALL:
        found = version.members.all()
    else:
        before = differences.previous(version)
        if before is None:
            return Page((), None, None)
        found = differences.members(kind, of=version.pk, since=before.pk)
    found = found.select_related("case").defer("case__content", "later")
    titles = ActionRequest.objects.filter(public_id=OuterRef("case__action_id")).values("title")
    found = found.annotate(
        answer=Coalesce(F("revision__label"), F("case__label")), title=Subquery(titles[:1])
    )
    scope = f"version?{version.public_id}&{kind}"
    return pagination.page(found, order_by=["position"], limit=PAGE_SIZE, scope=scope, cursor=cursor)

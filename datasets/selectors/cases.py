"""Questions about labelled cases."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final
from urllib.parse import urlencode

from django.db.models import Count, Exists, OuterRef, Q, QuerySet

from datasets.choices import CaseStanding, Label
from datasets.models import DatasetMember, GroundTruth, LabelledCase
from datasets.selectors.selection import Selection
from hitl_site.lib import pagination
from hitl_site.lib.pagination import Page
from policies.models import ActionType, LedgerCursor

PAGE_SIZE: Final = 50
LABELLING_READER: Final = "labelling"


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """What the list of cases shows; empty fields ask nothing."""

    action_type: str = ""
    label: str = ""
    source: str = ""
    strength: str = ""
    agent: str = ""
    standing: str = ""

    def conditions(self) -> dict[str, str]:
        """Return the filters that ask something."""
        return {name: value for name, value in asdict(self).items() if value}


_STANDINGS: Final[dict[str, Q]] = {
    CaseStanding.DISPUTED: Q(curation__disputed_at__isnull=False),
    CaseStanding.GROUND_TRUTH: Q(Exists(GroundTruth.objects.filter(action_id=OuterRef("action_id")))),
}


def matching(selection: Selection, *, up_to_seq: int | None = None) -> QuerySet[LabelledCase]:
    """Return the cases that a selection takes; with ``up_to_seq`` a set that can no longer grow."""
    cases = LabelledCase.objects.all()
    if selection.action_types:
        cases = cases.filter(action_type__in=selection.action_types)
    if selection.labels:
        cases = cases.filter(label__in=selection.labels)
    if selection.strengths:
        cases = cases.filter(strength__in=selection.strengths)
    if selection.since is not None:
        cases = cases.filter(decided_at__gte=selection.since)
    return cases if up_to_seq is None else cases.filter(ledger_seq__lte=up_to_seq)


def labelled_up_to() -> int:
    """Return the ledger's seq up to which every case has been made."""
    cursor = LedgerCursor.objects.filter(reader=LABELLING_READER).first()
    return 0 if cursor is None else cursor.seq


def label_counts(cases: QuerySet[LabelledCase]) -> dict[str, int]:
    """Return how many cases there are of each label, labels without any included."""
    counts = dict(cases.values_list("label").annotate(n=Count("id")).values_list("label", "n"))
    return {label: counts.get(label, 0) for label in Label.values}


def page(*, where: CaseFilter, cursor: str | None = None, size: int = PAGE_SIZE) -> Page[LabelledCase]:
    """Return a page of cases without their content, newest first. Raises ``pagination.InvalidCursor``."""
    named = {name: value for name, value in where.conditions().items() if name != "standing"}
    cases = LabelledCase.objects.defer("content").select_related("curation").filter(**named)
    if where.standing:
        cases = cases.filter(_STANDINGS[where.standing])
    scope = "cases?" + urlencode(where.conditions())
    return pagination.page(cases, order_by=["-id"], limit=size, scope=scope, cursor=cursor)


def action_type_names() -> list[str]:
    """Return every action type that is declared or has a case."""
    declared = ActionType.objects.values_list("name", flat=True)
    seen = LabelledCase.objects.order_by().values_list("action_type", flat=True).distinct()
    return sorted({*declared, *seen})


def agent_names() -> list[str]:
    """Return every agent that has a case."""
    return sorted(LabelledCase.objects.order_by().values_list("agent", flat=True).distinct())


def members_after(*, version_id: int, position: int, size: int) -> list[DatasetMember]:
    """Return the next members of a version with their cases, in order.

    Pages by position instead of a server-side cursor: a version's membership never changes, so the pages fit
    together without a transaction that stays open as long as the export does.
    """
    return list(
        DatasetMember.objects.filter(version_id=version_id, position__gt=position)
        .select_related("case")
        .order_by("position")[:size]
    )

"""Questions about labelled cases: the list that people browse and curate."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final
from urllib.parse import urlencode

from django.contrib.postgres.search import SearchQuery
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from datasets.choices import CaseStanding
from datasets.models import CaseIndex, GroundTruth, LabelledCase, LabelRevision
from datasets.selectors.taking import gives_one_of
from hitl_site.lib import pagination
from hitl_site.lib.pagination import Page
from policies.models import ActionType
from reviews.models import ActionRequest

PAGE_SIZE: Final = 50
# Of a group of near duplicates the page of a case shows so many.
MOST_ALIKE: Final = 20


@dataclass(frozen=True, slots=True)
class CaseFilter:
    """What the list of cases shows; empty fields ask nothing. ``label`` and ``reason`` are the newest."""

    q: str = ""
    kind: str = ""
    action_type: str = ""
    label: str = ""
    reason: str = ""
    source: str = ""
    strength: str = ""
    agent: str = ""
    agent_version: str = ""
    tag: str = ""
    standing: str = ""
    group: str = ""

    def conditions(self) -> dict[str, str]:
        """Return the filters that ask something."""
        return {name: value for name, value in asdict(self).items() if value}


_REVISED: Final = Q(Exists(LabelRevision.objects.filter(case=OuterRef("pk"))))
_STANDINGS: Final[dict[str, Q]] = {
    CaseStanding.DISPUTED: Q(curation__disputed_at__isnull=False),
    CaseStanding.LEFT_OUT: Q(curation__excluded_at__isnull=False),
    CaseStanding.ANSWERED_AGAIN: _REVISED,
    CaseStanding.ALIKE: Q(index__near_group__gt=""),
    CaseStanding.GROUND_TRUTH: Q(Exists(GroundTruth.objects.filter(action_id=OuterRef("action_id")))),
}
_SAME_NAME: Final = ("kind", "action_type", "source", "strength", "agent", "agent_version")


def page(*, where: CaseFilter, cursor: str | None = None, size: int = PAGE_SIZE) -> Page[LabelledCase]:
    """Return a page of cases without their content, newest first. Raises ``pagination.InvalidCursor``.

    Each has ``label_now``, the label of the newest answer to it, and its action's ``title``: an omission has
    none.
    """
    scope = "cases?" + urlencode(where.conditions())
    titles = ActionRequest.objects.filter(public_id=OuterRef("action_id")).values("title")
    found = with_label_now(_matching(where)).annotate(title=Subquery(titles[:1])).defer("content")
    found = found.select_related("curation", "index")
    return pagination.page(found, order_by=["-id"], limit=size, scope=scope, cursor=cursor)


def with_label_now(cases: QuerySet[LabelledCase]) -> QuerySet[LabelledCase]:
    """Give each of the cases its ``label_now``."""
    newest = LabelRevision.objects.filter(case=OuterRef("pk")).order_by("-number")
    return cases.annotate(label_now=Coalesce(Subquery(newest.values("label")[:1]), F("label")))


def alike(case: LabelledCase) -> list[LabelledCase]:
    """Return the other cases that say nearly the same, oldest first, each with its ``label_now``."""
    group = CaseIndex.objects.filter(case=case).values_list("near_group", flat=True).first()
    if not group:
        return []
    others = LabelledCase.objects.filter(index__near_group=group).exclude(pk=case.pk)
    return list(
        with_label_now(others).defer("content").select_related("curation").order_by("pk")[:MOST_ALIKE]
    )


def action_type_names() -> list[str]:
    """Return every action type that is declared or has a case."""
    declared = ActionType.objects.values_list("name", flat=True)
    seen = LabelledCase.objects.order_by().values_list("action_type", flat=True).distinct()
    return sorted({*declared, *seen})


def agent_names() -> list[str]:
    """Return every agent that has a case."""
    return sorted(LabelledCase.objects.order_by().values_list("agent", flat=True).distinct())


def _matching(where: CaseFilter) -> QuerySet[LabelledCase]:
    asked = where.conditions()
    cases = LabelledCase.objects.filter(**{name: asked[name] for name in _SAME_NAME if name in asked})
    if where.label:
        # Few cases have been answered again: theirs are looked up, the others' labels stand in the row.
        later = LabelRevision.objects.filter(case=OuterRef("case"), number__gt=OuterRef("number"))
        newest = LabelRevision.objects.filter(~Exists(later), label=where.label).values("case")
        cases = cases.filter(Q(pk__in=newest) | (Q(label=where.label) & ~_REVISED))
    if where.reason:
        cases = cases.filter(gives_one_of((where.reason,)))
    if where.tag:
        cases = cases.filter(curation__tags__contains=[where.tag])
    if where.standing:
        cases = cases.filter(_STANDINGS[where.standing])
    if where.group:
        cases = cases.filter(index__near_group=where.group)
    if where.q:
        query = SearchQuery(where.q, config="simple", search_type="websearch")
        cases = cases.filter(index__words=query)
    return cases

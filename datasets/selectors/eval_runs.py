"""Questions about eval runs: the list, one run's results, who ran what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext_lazy, pgettext_lazy

from datasets.models import DatasetVersion, EvalResult, EvalRun
from hitl_site.lib.pagination import Page, page
from policies.models import Agent
from policies.statistics.intervals import clopper_pearson

OUTCOMES: Final = {
    "passed": pgettext_lazy("answer", "Right"),
    "failed": pgettext_lazy("answer", "Wrong"),
    "ungraded": gettext_lazy("Could not be graded"),
}
PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class TypeRate:
    """How a run did on the cases of one action type; ``low`` and ``high`` bound the share of wrong ones."""

    action_type: str
    passed: int
    failed: int
    ungraded: int
    low: float
    high: float

    @property
    def graded(self) -> int:
        """Return how many could be graded."""
        return self.passed + self.failed

    @property
    def error_rate(self) -> float | None:
        """Return the share of wrong ones among those that could be graded, None without any."""
        return self.failed / self.graded if self.graded else None


@dataclass(frozen=True, slots=True)
class ResultFilter:
    """Which results of a run are asked for: an empty field asks nothing."""

    outcome: str = ""
    action_type: str = ""
    field: str = ""

    def conditions(self) -> dict[str, str]:
        """Return what is asked, for addresses."""
        said = {"outcome": self.outcome, "action_type": self.action_type, "field": self.field}
        return {name: value for name, value in said.items() if value}


def of_agent(agent: Agent) -> QuerySet[EvalRun]:
    """Return the runs that an agent's keys began."""
    return EvalRun.objects.filter(agent=agent).select_related("version")


def listed(*, version: DatasetVersion | None = None, agent_name: str = "") -> QuerySet[EvalRun]:
    """Return the runs, newest first, of one dataset version and one agent where those are named."""
    runs = EvalRun.objects.select_related("version__dataset").order_by("-id")
    if version is not None:
        runs = runs.filter(version=version)
    return runs.filter(agent_name=agent_name) if agent_name else runs


def page_of_runs(runs: QuerySet[EvalRun], *, cursor: str | None, scope: str) -> Page[EvalRun]:
    """Return a page of the list."""
    return page(runs, order_by=("-id",), limit=PAGE, cursor=cursor, scope=f"eval-runs?{scope}")


def agent_names() -> list[str]:
    """Return the agents that were ever tested."""
    return list(EvalRun.objects.order_by("agent_name").values_list("agent_name", flat=True).distinct())


def rates(run: EvalRun) -> list[TypeRate]:
    """Return how the run did by action type, with exact limits (Clopper and Pearson)."""
    rows = (
        run.results.order_by("case__action_type")
        .values("case__action_type")
        .annotate(
            right=Count("id", filter=Q(passed=True)),
            wrong=Count("id", filter=Q(passed=False)),
            neither=Count("id", filter=Q(passed=None)),
        )
    )
    return [
        TypeRate(
            row["case__action_type"],
            row["right"],
            row["wrong"],
            row["neither"],
            *clopper_pearson(row["wrong"], row["right"] + row["wrong"]),
        )
        for row in rows
    ]


def matching(run: EvalRun, where: ResultFilter) -> QuerySet[EvalResult]:
    """Return the results that the filter asks for. A field is a place that was judged and found wrong."""
    results = run.results.select_related("case")
    if where.outcome:
        verdict = {"passed": True, "failed": False, "ungraded": None}[where.outcome]
        results = results.filter(passed=verdict)
    if where.action_type:
        results = results.filter(case__action_type=where.action_type)
    if where.field:
        wrong = {"places": [{"pointer": where.field, "passed": False}]}
        results = results.filter(detail__contains=wrong)
    return results


def results_page(
    run: EvalRun, *, cursor: str | None, limit: int = PAGE, where: ResultFilter | None = None, scope: str
) -> Page[EvalResult]:
    """Return a page of a run's results, in the order in which they came."""
    where = where or ResultFilter()
    asked = "&".join(f"{name}={value}" for name, value in sorted(where.conditions().items()))
    return page(
        matching(run, where),
        order_by=("id",),
        limit=limit,
        cursor=cursor,
        scope=f"{scope}/{run.public_id}?{asked}",
    )


def wrong_fields(run: EvalRun) -> list[tuple[str, int]]:
    """Return the places that were found wrong, most often first."""
    counts: dict[str, int] = {}
    details = run.results.filter(passed=False).values_list("detail", flat=True)
    for detail in details.iterator(chunk_size=500):
        for place in detail.get("places", []):
            if not place["passed"]:
                counts[place["pointer"]] = counts.get(place["pointer"], 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:30]

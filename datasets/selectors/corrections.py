"""Corrections as tests: which of them a version of an agent has not passed.

What is asked is nobody's choice: neither what a run was about, nor what a dataset takes. A run on a few easy
cases, on one split or on an old version answers what it answers, and a selection that was narrowed takes no
correction out of the way: what no run could cover has not been passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, Max, OuterRef, Q, Subquery

from datasets.choices import EvalState, Label
from datasets.models import DatasetMember, DatasetVersion, EvalResult, EvalRun, LabelledCase, LabelRevision
from policies.models import AgentVersion

# So long a correction may wait to be frozen, counted back from a run: whoever freezes nothing evades nothing.
GRACE: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class InTheWay:
    """A corrected case that a version does not pass; ``asked`` is False where no run of it covered that."""

    case_id: str
    asked: bool


@dataclass(frozen=True, slots=True)
class _Asked:
    """A case with the answer to it that counts, 0 for the first one, and what that says."""

    case_id: str
    answer: int
    label: str


def not_passed(*, agent_version: AgentVersion) -> list[str] | None:
    """Return the ids of the corrected cases that a version does not pass, in order; None without a run."""
    found = in_the_way(agent_version=agent_version)
    return None if found is None else [each.case_id for each in found]


def in_the_way(*, agent_version: AgentVersion) -> list[InTheWay] | None:
    """Return the corrected cases that a version does not pass, in order; None without a finished run of it.

    Asked are all corrections of its agent that were there when a dataset, any of them, was frozen last, and
    those a day older than its newest finished run; and what that run was about. The newest answer to a case
    counts, if it was measured by the label that the case has by then. Not asked is what was erased, what a
    person left out for a reason, and what is disputed and was never frozen. Where none of this is a
    correction, all there are stand in the way.
    """
    run = EvalRun.objects.filter(tested=agent_version, state=EvalState.DONE).order_by("-id").first()
    if run is None:
        return None
    asked = {
        **dict(_of_the_run(run)),
        **dict(_of_the_agent(agent_version.agent.name, run)),
    }
    asked = {key: each for key, each in asked.items() if each.label == Label.CORRECTED}
    if not asked:
        return [InTheWay(case_id, asked=False) for case_id in _fresh(agent_version.agent.name)]
    passed = _passed(agent_version)
    return [
        InTheWay(each.case_id, asked=(key, each.answer) in passed)
        for key, each in sorted(asked.items())
        if not passed.get((key, each.answer))
    ]


def _of_the_agent(agent: str, run: EvalRun) -> Iterator[tuple[int, _Asked]]:
    last = DatasetVersion.objects.aggregate(seq=Max("ledger_seq"), at=Max("frozen_at"))
    cases = LabelledCase.objects.filter(
        Q(ledger_seq__lte=last["seq"]) | Q(created_at__lt=run.created_at - GRACE),
        agent=agent,
        erased_at=None,
        curation__excluded_at=None,
    )
    frozen = DatasetMember.objects.filter(case=OuterRef("pk"))
    cases = cases.filter(Q(curation__disputed_at=None) | Exists(frozen))
    until: datetime = max(last["at"], run.created_at - GRACE)
    later = LabelRevision.objects.filter(case=OuterRef("pk"), created_at__lte=until).order_by("-number")
    rows = (
        cases.filter(Q(label=Label.CORRECTED) | Exists(later))
        .annotate(answer=Subquery(later.values("pk")[:1]), says=Subquery(later.values("label")[:1]))
        .values_list("pk", "public_id", "answer", "says", "label")
    )
    for key, case_id, answer, says, first in rows.iterator():
        yield key, _Asked(case_id, answer or 0, says or first)


def _of_the_run(run: EvalRun) -> Iterator[tuple[int, _Asked]]:
    """Return the cases of others too: a version may be tested with what another agent got wrong."""
    members = DatasetMember.objects.filter(version=run.version_id, case__erased_at=None)
    rows = (
        (members.filter(split=run.split) if run.split else members)
        .exclude(case__agent=run.agent_name)
        .filter(Q(case__label=Label.CORRECTED) | Q(revision__isnull=False))
        .values_list("case_id", "case__public_id", "revision_id", "revision__label", "case__label")
    )
    for key, case_id, answer, says, first in rows.iterator():
        yield key, _Asked(case_id, answer or 0, says or first)


def _passed(agent_version: AgentVersion) -> dict[tuple[int, int], bool]:
    """Return by case and label whether the newest answer of the version to it, so measured, passed."""
    frozen = DatasetMember.objects.filter(version=OuterRef("run__version"), case=OuterRef("case"))
    rows = (
        EvalResult.objects.filter(run__tested=agent_version, run__state=EvalState.DONE)
        .annotate(measured_by=Subquery(frozen.values("revision_id")[:1]))
        .order_by("id")
        .values_list("case_id", "measured_by", "passed")
    )
    return {(case, measured_by or 0): passed is True for case, measured_by, passed in rows.iterator()}


def _fresh(agent: str) -> list[str]:
    cases = LabelledCase.objects.filter(agent=agent, label=Label.CORRECTED, erased_at=None)
    return list(cases.order_by("pk").values_list("public_id", flat=True))

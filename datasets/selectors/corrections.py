"""Corrections as tests: which of them a version of an agent has not passed.

What is asked is no run's own choice. A run on a few easy cases, on one split or on an old version answers
what it answers; every other correction that is frozen still stands in the way.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import F, OuterRef, Q, Subquery

from datasets.choices import EvalState, Label
from datasets.models import DatasetMember, DatasetVersion, EvalResult, EvalRun, LabelledCase
from policies.models import AgentVersion


@dataclass(frozen=True, slots=True)
class _Asked:
    """A case as it was last frozen: by which later answer, 0 for the first one, and what that says."""

    case_id: str
    answer: int
    label: str


def not_passed(*, agent_version: AgentVersion) -> list[str] | None:
    """Return the ids of the corrected cases that a version does not pass, in order; None without a run.

    Asked are the corrections of its agent in the newest version of each dataset, and those that its newest
    finished run was about. The newest answer to a case counts, if it was measured by the label that the case
    has there. What was erased cannot be asked any more. Where no correction of the agent was ever frozen, all
    of them stand in the way: no run can have tested one.
    """
    run = EvalRun.objects.filter(tested=agent_version, state=EvalState.DONE).order_by("-id").first()
    if run is None:
        return None
    asked = _asked(agent_version.agent.name, run)
    if not asked:
        return _unfrozen(agent_version.agent.name)
    passed = _passed(agent_version)
    return [each.case_id for key, each in sorted(asked.items()) if not passed.get((key, each.answer))]


def _asked(agent: str, run: EvalRun) -> dict[int, _Asked]:
    newest = DatasetVersion.objects.order_by("dataset", "-number").distinct("dataset").values("pk")
    own = Q(version__in=newest, case__agent=agent)
    answered = Q(version=run.version_id, split=run.split) if run.split else Q(version=run.version_id)
    rows = (
        DatasetMember.objects.filter(
            own | answered, Q(case__label=Label.CORRECTED) | Q(revision__isnull=False), case__erased_at=None
        )
        # Of two versions that have a case, the one with the later answer to it is read last and stays.
        .order_by(F("revision_id").asc(nulls_first=True))
        .values_list("case_id", "case__public_id", "revision_id", "revision__label", "case__label")
    )
    found = {
        key: _Asked(case_id, answer or 0, later or first)
        for key, case_id, answer, later, first in rows.iterator()
    }
    return {key: each for key, each in found.items() if each.label == Label.CORRECTED}


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


def _unfrozen(agent: str) -> list[str]:
    cases = LabelledCase.objects.filter(agent=agent, label=Label.CORRECTED, erased_at=None)
    return list(cases.order_by("pk").values_list("public_id", flat=True))

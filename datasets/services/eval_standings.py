"""How versions do in evals, said anew whenever what they are asked changes: a promotion may rest on it.

A version is asked every correction that was there when a dataset was frozen last (``selectors.corrections``),
so that freezing changes the answer as well as a run does. One at a time says it, so that a run which ends
while a version is being frozen is either seen by the freezing or sees it.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db import connection
from django.db.models import Exists, OuterRef

from datasets.choices import EvalState, Label
from datasets.models import DatasetMember, EvalRun
from datasets.selectors import corrections
from policies.models import AgentVersion, EvalStanding
from policies.services import eval_standing

_LOCK: Final = 0x68725F6576616C73  # "hr_evals"


def run_ended(*, tested: AgentVersion, now: datetime) -> None:
    """Tell the ladder how a version does, by all of its finished runs, in the transaction that ends one."""
    _alone()
    newest = EvalRun.objects.filter(tested=tested, state=EvalState.DONE).latest("id")
    eval_standing.report(
        agent_version=tested,
        run_id=newest.public_id,
        cases=newest.cases_total,
        failed_corrections=len(corrections.not_passed(agent_version=tested) or ()),
        now=now,
    )


def version_frozen(*, now: datetime) -> None:
    """Say anew how every version that was tested does, in the transaction that freezes what it is asked."""
    _restate_all(now=now)


def taken_in(*, now: datetime) -> None:
    """The same when cases that were left out are asked again."""
    _restate_all(now=now)


def corrected(agents: Collection[str], *, now: datetime) -> None:
    """Let new corrections count against versions that passed all: those of agents with none frozen yet.

    Where some are frozen, a new one is asked as soon as any dataset is frozen.
    """
    frozen = DatasetMember.objects.filter(case__agent=OuterRef("agent_version__agent__name"))
    frozen = frozen.filter(case__label=Label.CORRECTED)
    spotless = EvalStanding.objects.filter(
        ~Exists(frozen), agent_version__agent__name__in=agents, failed_corrections=0
    )
    if not agents or not spotless.exists():
        return
    _alone()
    for standing in spotless.select_related("agent_version__agent").order_by("pk"):
        _restate(standing, now=now)


def _restate_all(*, now: datetime) -> None:
    _alone()
    for standing in EvalStanding.objects.select_related("agent_version__agent").order_by("pk"):
        _restate(standing, now=now)


def _alone() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _restate(standing: EvalStanding, *, now: datetime) -> None:
    failed = corrections.not_passed(agent_version=standing.agent_version)
    if failed is not None and len(failed) != standing.failed_corrections:
        eval_standing.restate(standing=standing, failed_corrections=len(failed), now=now)

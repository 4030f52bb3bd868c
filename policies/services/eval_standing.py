"""How versions do in evals, as the learning app reports it: what a promotion may be made to rest on."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from policies.models import AgentVersion, EvalStanding
from policies.services import ledger
from policies.services.ledger.writing import require_transaction


def report(
    *, agent_version: AgentVersion, run_id: str, cases: int, failed_corrections: int, now: datetime
) -> None:
    """Keep how the version's newest finished run went, in the transaction that ends and records the run."""
    require_transaction()
    EvalStanding.objects.bulk_create(
        [
            EvalStanding(
                agent_version=agent_version,
                run_id=run_id,
                cases=cases,
                failed_corrections=failed_corrections,
                finished_at=now,
            )
        ],
        update_conflicts=True,
        unique_fields=["agent_version"],
        update_fields=["run_id", "cases", "failed_corrections", "finished_at"],
    )


@transaction.atomic
def restate(*, standing: EvalStanding, failed_corrections: int, now: datetime) -> None:
    """Say anew how many corrections the version does not pass: others are asked than when its run ended."""
    EvalStanding.objects.filter(pk=standing.pk).update(failed_corrections=failed_corrections)
    ledger.record(
        actor=ledger.Actor.system(),
        verb="eval_standing.changed",
        object_kind="agent_version",
        object_id=standing.agent_version.public_id,
        now=now,
        payload={
            "run_id": standing.run_id,
            "before": {"failed_corrections": standing.failed_corrections},
            "after": {"failed_corrections": failed_corrections},
        },
    )

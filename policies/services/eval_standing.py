"""How versions do in evals, as the learning app reports it: what a promotion may be made to rest on."""

from __future__ import annotations

from datetime import datetime

from policies.models import AgentVersion, EvalStanding
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

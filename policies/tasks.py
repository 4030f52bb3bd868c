"""Background work of the governing app: each task looks at rows, and may run twice at once."""

from __future__ import annotations

from celery import shared_task

from hitl_site.lib.clock import database_now
from policies.services import ledger

BATCH = 5000


@shared_task(name="policies.link_ledger", ignore_result=True)
def link_ledger(**_future: object) -> None:
    """Give every committed entry its place in the chain, unless another process is at it."""
    while ledger.link_entries(now=database_now(), limit=BATCH) == BATCH:
        pass

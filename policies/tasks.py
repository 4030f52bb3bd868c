"""Background work of the governing app: each task looks at rows, and may run twice at once."""

from __future__ import annotations

import logging

from celery import shared_task

from hitl_site.lib.clock import database_now
from hitl_site.lib.jobs import hint
from policies.services import accounts, checkpoints, ladder, ledger, verifications
from policies.services.verifications import Ran

BATCH = 5000
VERIFY = "policies.verify_ledger"

logger = logging.getLogger(__name__)


@shared_task(name="policies.link_ledger", ignore_result=True)
def link_ledger(**_future: object) -> None:
    """Give every committed entry its place in the chain, unless another process is at it."""
    while ledger.link_entries(now=database_now(), limit=BATCH) == BATCH:
        pass
    try:
        checkpoints.sign_due(now=database_now())
        checkpoints.copy_out()
    except OSError:
        # A folder that cannot be written to holds up no entry; the next round tries again.
        logger.exception("the checkpoint could not be signed or copied out")


@shared_task(name="policies.keep_evidence", ignore_result=True)
def keep_evidence(**_future: object) -> None:
    """Take what the ledger says into the evidence, and act on it where it takes autonomy away."""
    ladder.keep(now=database_now())


@shared_task(name="policies.forget_sessions", ignore_result=True)
def forget_sessions(**_future: object) -> None:
    """Keep no session that is over."""
    accounts.forget_sessions(now=database_now())


@shared_task(name="policies.tend_autonomy", ignore_result=True)
def tend_autonomy(**_future: object) -> None:
    """Look at everything about autonomy that time alone changes."""
    ladder.tend(now=database_now())


@shared_task(name=VERIFY, ignore_result=True)
def verify_ledger(*, verification_id: str, **_future: object) -> None:
    """Recompute the chain for one slice of time."""
    ran = verifications.run(verification_id=verification_id, clock=database_now)
    if ran == Ran.TO_BE_CONTINUED:
        hint(VERIFY, verification_id=verification_id)


@shared_task(name="policies.sweep_verifications", ignore_result=True)
def sweep_verifications(**_future: object) -> None:
    """Go on with the verification whose hint was lost, or whose worker died."""
    for verification_id in verifications.to_do(now=database_now()):
        verify_ledger(verification_id=verification_id)

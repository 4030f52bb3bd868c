"""Shadow: a version is asked about live traffic beside the one in force. It holds nothing.

Whatever goes wrong here is logged and forgotten: the answer to the action was given before, by the policy in
force, and stands.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from policies.engine.evaluation import Evaluation, evaluate
from policies.engine.facts import Facts
from policies.engine.policy import PolicyDocument
from policies.models import Agent, PolicyVersion, ShadowCheck
from policies.selectors import policies
from policies.services.reasons import reason_document

__all__ = ["record", "would_say"]

logger = logging.getLogger(__name__)

FactsUnder = Callable[[PolicyVersion, PolicyDocument], Facts]


def record(
    *,
    version: PolicyVersion,
    action_id: str,
    facts: Facts,
    agent: Agent,
    live: Evaluation,
    now: datetime,
    facts_under: FactsUnder | None = None,
) -> ShadowCheck | None:
    """Ask a version in shadow about an action, and keep its answer; return None where that failed.

    ``facts_under`` returns the facts as another version needs them: what it measures of the past, and how
    long it remembers a refusal. Without it these are what the policy in force asked for.
    """
    try:
        # A savepoint: a statement that fails must not take the transaction of the answer with it.
        with transaction.atomic():
            found = would_say(version=version, facts=facts, facts_under=facts_under)
            return ShadowCheck.objects.create(
                policy_version=version,
                action_id=action_id,
                agent=agent,
                verdict=found.verdict.value,
                live_verdict=live.verdict.value,
                differs=found.verdict is not live.verdict,
                reasons=[reason_document(reason) for reason in found.reasons],
                score=found.score,
                evaluated_at=now,
            )
    except Exception:
        logger.exception("The shadow of %s failed on %s.", version, action_id)
        return None


def would_say(*, version: PolicyVersion, facts: Facts, facts_under: FactsUnder | None = None) -> Evaluation:
    """Return what a version would say of these facts, whichever policy they were loaded for."""
    document = policies.live_document(version)
    known = facts_under(version, document) if facts_under is not None else facts
    return evaluate(replace(known, policy=document, policy_version=version.number))

"""Acting a story out, by the services and at any time of the month: propose, decide, release, run."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User

from datasets.demo.setting_up import Stage
from datasets.demo.story import RIGHT, Document, Story, Verdict
from hitl_site.lib.clock import database_now
from reviews.adapters import submission as wire
from reviews.choices import ActionState, DecisionKind, ItemKind, ItemStatus, Outcome
from reviews.models import ActionRequest, Permit, ReviewItem
from reviews.selectors.attention import is_to_be_read
from reviews.services import attention, deadlines, decisions, ingest, permits

UNDO: Final = timedelta(seconds=10)
_READING_SECONDS: Final = (9, 140)
# Right verdicts are now and then given in a hurry, which makes them weak labels.
_HURRIED_SHARE: Final = 0.05


def propose(
    stage: Stage, story: Story, *, key: str, now: datetime, timeout: str | None = None
) -> ActionRequest:
    """Have the story's agent propose it."""
    return ingest.submit(
        key=stage.keys[story.agent],
        body=wire.read(story.body(timeout=timeout)),
        idempotency_key=key,
        request_id="",
        now=now,
    ).action


def exists(key: str) -> bool:
    """Say whether the story of this key was proposed before."""
    return ActionRequest.objects.filter(idempotency_key=key).exists()


def settle(stage: Stage, story: Story, action: ActionRequest, rng: random.Random) -> datetime:
    """Have people decide all that waits of an action, and release it; return when the last did."""
    last = action.created_at
    waiting = action.items.filter(status=ItemStatus.OPEN).order_by("id")
    for item in waiting:
        wait = timedelta(minutes=rng.randint(2, 90))
        if item.kind == ItemKind.AUDIT:
            wait += timedelta(hours=rng.randint(1, 20))
        last = action.created_at + wait
        for person in rng.sample(list(stage.reviewers.values()), item.approvals_required):
            answer(item, person, _verdict(story.verdict, item), now=last, rng=rng)
            last += timedelta(minutes=rng.randint(1, 20))
        deadlines.release_due(now=last + UNDO)
    return last


def answer(
    item: ReviewItem, person: User, verdict: Verdict, *, now: datetime, rng: random.Random
) -> decisions.Decided:
    """Have a person read an item for a while and answer it."""
    # Whoever answered it before changed nothing else that is asked for here.
    item.refresh_from_db(fields=["version"])
    hurried = verdict.kind == DecisionKind.APPROVE and rng.random() < _HURRIED_SHARE
    # What is risky runs on nothing that cannot have been read.
    hurried = hurried and not is_to_be_read(item)
    opened = now - timedelta(seconds=1 if hurried else rng.randint(*_READING_SECONDS))
    token = attention.view_token(item=item, reviewer=person, now=opened)
    opening = attention.opening(token=token, item_id=item.public_id, reviewer=person)
    return decisions.decide(
        item_id=item.public_id,
        reviewer=person,
        answer=decisions.Answer(
            kind=verdict.kind, arguments=verdict.arguments, reasons=verdict.reasons, note=verdict.note
        ),
        shown_digest=item.action.digest,
        item_version=item.version,
        opening=replace(opening, arguments_seen=not hurried),
        now=now,
    )


def run(action: ActionRequest, rng: random.Random) -> None:
    """Have the agent run what it may, while its permit lasts.

    A permit is used up by the database's own clock alone, so only what was decided within the last day can be
    run now: of the weeks before, the permits have run out.
    """
    now = database_now()
    permit = Permit.objects.filter(action=action, consumed_at=None, expires_at__gt=now).first()
    if permit is None:
        return
    used = permits.consume(
        permit_id=permit.public_id,
        agent=action.agent,
        digest=permit.digest,
        consume_key=f"demo-{action.idempotency_key}",
        now=now,
    )
    failed = rng.random() < 0.04
    permits.report_outcome(
        execution_id=used.execution.public_id,
        agent=action.agent,
        outcome=Outcome.FAILED if failed else Outcome.SUCCEEDED,
        detail=_FAILURE if failed else None,
        executed_digest=permit.digest,
        now=database_now(),
    )


def _verdict(deserved: Verdict, item: ReviewItem) -> Verdict:
    """Return the verdict for an item: what ran alone can no longer be corrected, only be called wrong."""
    if item.kind == ItemKind.GATE and item.action.state != ActionState.PENDING_REVIEW:
        return RIGHT
    return deserved


_FAILURE: Final[Document] = {"message": "The payment provider did not answer."}

"""Gatekeeping: what follows from a verdict. An item for a person, or a permit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from hitl_site.lib import ids
from hitl_site.lib.instances import made
from policies.choices import Risk, Trigger
from policies.engine.policy import PolicyDocument
from policies.models import GateCheck
from policies.selectors.policies import live_document
from policies.services.gate import Proposal
from reviews.choices import ItemKind, ItemStatus
from reviews.models import DEFAULT_QUEUE, ActionRequest, Queue, ReviewItem
from reviews.selectors.history import History
from reviews.services import wakeups

# What holds where no policy says otherwise: an unknown action type, or one without a published policy.
FALLBACK = PolicyDocument.from_document({})
# Nothing waits for a routine check; it should be done while the case is still fresh.
AUDIT_TIME = timedelta(days=3)
RISK_RANK = {Risk.CRITICAL: 0, Risk.HIGH: 1, Risk.MEDIUM: 2, Risk.LOW: 3}


def document_of(check: GateCheck) -> PolicyDocument:
    """Return the policy text that the verdict rests on, or the fallback where there was none."""
    return live_document(check.policy_version) if check.policy_version is not None else FALLBACK


def proposal_of(action: ActionRequest, *, arguments: JsonValue) -> Proposal:
    """Return the action as the gate sees it, with other arguments where a person edited them.

    Its past ends before it: it is judged again on its own place in the row.
    """
    return Proposal(
        action_id=action.public_id,
        agent=action.agent,
        agent_version=action.agent_version,
        action_type_name=action.action_type_name,
        arguments=arguments,
        mode=action.mode,
        confidence=action.confidence,
        judge_score=action.judge_score,
        sample_agreement=action.sample_agreement,
        environment=action.environment,
        subject=action.subject,
        conversation_id=action.conversation_id,
        context=action.context.context,
        past=History(before=action.pk, waits=False),
        canary_key=canary_key(likeness=action.likeness, created_at=action.created_at),
    )


def canary_key(*, likeness: str, created_at: datetime) -> str:
    """Return what a canary draws by: acts that look the same draw once a day (UTC) together.

    So nobody asks until the draw is kind, and an act that is proposed every day is not always in or out. ""
    where nothing says what the act looks like.
    """
    return f"{likeness} {created_at.astimezone(UTC).date()}" if likeness else ""


def open_item(*, action: ActionRequest, check: GateCheck, kind: ItemKind, now: datetime) -> ReviewItem:
    """Put one question about ``action`` into the inbox. The caller's transaction holds the action."""
    item = draw_up_item(action=action, check=check, kind=kind, queue_id=None, now=now)
    item.save(force_insert=True)
    wakeups.inbox_changed(item.public_id)
    return item


def draw_up_item(
    *, action: ActionRequest, check: GateCheck, kind: ItemKind, queue_id: int | None, now: datetime
) -> ReviewItem:
    """Return the question for a caller who writes it together with the action; None reads the queue."""
    document = document_of(check)
    # Where nobody declared the act, nobody can say that it is harmless.
    risk = Risk(check.action_type.risk) if check.action_type is not None else Risk.HIGH
    blind = check.blind or kind != ItemKind.GATE
    due_at = action.expires_at if kind == ItemKind.GATE else now + AUDIT_TIME
    return made(
        ReviewItem,
        public_id=ids.new("itm"),
        action=action,
        kind=kind,
        status=ItemStatus.OPEN,
        queue_id=queue_id or queue_of(document.queue, now=now).pk,
        blind=blind,
        approvals_required=check.approvals_required if kind == ItemKind.GATE else 1,
        action_type_name=action.action_type_name,
        agent=action.agent,
        risk=risk,
        risk_rank=RISK_RANK[risk],
        trigger=check.trigger if kind == ItemKind.GATE and check.trigger else Trigger.AUDIT,
        title=action.title,
        due_at=due_at,
        # An agent waits for a held one alone; of a routine check nobody needs to be reminded.
        remind_at=now + (due_at - now) / 2 if kind == ItemKind.GATE and document.reminder else None,
        created_at=now,
    )


def queue_of(slug: str, *, now: datetime) -> Queue:
    """Return the queue of this slug, or the default one where nobody made it: no item is left outside."""
    found = Queue.objects.filter(slug=slug).first() or Queue.objects.filter(slug=DEFAULT_QUEUE).first()
    if found is not None:
        return found
    queue, _ = Queue.objects.get_or_create(
        slug=DEFAULT_QUEUE,
        defaults={"public_id": ids.new("que"), "name": "General", "created_at": now},
    )
    return queue

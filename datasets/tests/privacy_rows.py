"""A row of every kind that privacy and conversations have, for the tests of the administration."""

from __future__ import annotations

from datasets.choices import CheckFinding, DataKind
from datasets.models import (
    Conversation,
    ConversationCheck,
    ConversationShare,
    LegalHold,
    Omission,
    RetentionRule,
)
from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from policies.models import AgentVersion, Removal, RemovalTarget
from reviews.tests.cast import Cast


def fill_privacy(cast: Cast, *, round_number: int) -> None:
    """Make them."""
    now = database_now()
    ConversationShare.objects.get_or_create(
        agent=cast.clerk, defaults={"share": 0.5, "updated_by_name": "Olga", "updated_at": now}
    )
    talk = Conversation.objects.create(
        public_id=ids.new("cnv"),
        agent=cast.clerk,
        agent_version=AgentVersion.objects.filter(agent=cast.clerk).earliest("id"),
        conversation_id=f"talk-{round_number}",
        environment="production",
        messages=[{"role": "user", "content": "hello"}],
        message_count=1,
        action_count=0,
        body_digest="sha256:0",
        propensity=0.5,
        drawn=True,
        closed_at=now,
    )
    check = ConversationCheck.objects.create(
        public_id=ids.new("cck"),
        conversation=talk,
        finding=CheckFinding.MISSING,
        reviewer=cast.alice,
        reviewer_name="Alice",
        asked_at=now,
        answered_at=now,
    )
    Omission.objects.create(
        public_id=ids.new("omi"),
        conversation_check=check,
        action_type=cast.refund,
        arguments_canonical=b"{}",
        reviewer=cast.alice,
        found_at=now,
    )
    RetentionRule.objects.get_or_create(
        kind=DataKind.CONTEXT, action_type="", defaults={"updated_by_name": "Olga", "updated_at": now}
    )
    LegalHold.objects.create(
        public_id=ids.new("hld"), subject="somebody", reason="?", placed_by_name="Olga", placed_at=now
    )
    removal = Removal.objects.create(
        public_id=ids.new("ers"),
        kind="erasure",
        criterion="subject",
        value="somebody",
        value_digest=f"{round_number:064x}",
        reason="?",
        asked_by_name="Olga",
        asked_at=now,
    )
    RemovalTarget.objects.create(removal=removal, kind="action", object_id=ids.new("act"))

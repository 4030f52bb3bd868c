"""Conversations of the demo that are over: one was read, and a few wait for whoever looks at it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, cast

from datasets.demo.setting_up import Stage
from datasets.models import Conversation, ConversationCheck
from datasets.services import conversations
from datasets.services.conversations import Closing
from hitl_site.lib.clock import database_now
from hitl_site.lib.strict_json import JsonValue
from policies.models import Agent
from policies.services.agents import VersionClaim
from reviews.models import ActionRequest

_CLOSED: Final = 12
_SHARE: Final = 0.5


def leave_some(stage: Stage) -> None:
    """Close conversations in which something was proposed, and answer the first one drawn; once."""
    if Conversation.objects.exists():
        return
    now = database_now() - timedelta(hours=2)
    rows = ActionRequest.objects.exclude(conversation_id="").filter(context__context__has_key="messages")
    for action in rows.select_related("agent", "agent_version", "context").order_by("-id")[:_CLOSED]:
        _share(action.agent, stage)
        told = cast(list[dict[str, JsonValue]], (action.context.context or {})["messages"])
        closing = Closing(
            conversation_id=action.conversation_id,
            messages=told,
            version=VersionClaim(label=action.agent_version.label),
            environment=action.environment,
            subject=action.subject,
        )
        try:
            conversations.close(agent=action.agent, closing=closing, now=now)
        except conversations.ClosedOtherwise:
            # Two actions of one conversation: the newer one's messages were the longer ones.
            continue
    check = ConversationCheck.objects.filter(conversation__agent__isnull=False).order_by("id").first()
    if check is not None:
        reader = stage.reviewers["mira"]
        conversations.find_complete(check_id=check.public_id, reviewer=reader, note="", now=now)


def _share(agent: Agent, stage: Stage) -> None:
    if conversations.share_of(agent) != _SHARE:
        conversations.set_share(agent=agent, share=_SHARE, by=stage.operator, now=database_now())

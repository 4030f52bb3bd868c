"""Conversations of the demo that are over: most were read, some lacked something, and a few wait."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Final, cast

from django.db import transaction

from datasets.demo.setting_up import Stage
from datasets.demo.story import Document, Talk, customer, order
from datasets.models import Conversation, ConversationCheck
from datasets.services import conversations
from datasets.services.conversations import Closing
from hitl_site.lib.clock import database_now
from hitl_site.lib.strict_json import JsonValue
from policies.models import Agent
from policies.services.agents import VersionClaim
from reviews.models import ActionRequest

_CLOSED: Final = 30
_LEFT_TO_READ: Final = 3
_LACKING: Final = 3
_SHARE: Final = 0.5
_AGENT: Final = "support-agent"


@transaction.atomic
def leave_some(stage: Stage) -> None:
    """Close conversations, have people read most of those that are drawn, and leave a few; once."""
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
    drawn = ConversationCheck.objects.filter(conversation__agent__isnull=False).order_by("id")
    readers = (stage.reviewers["mira"], stage.reviewers["sam"])
    for place, check in enumerate(list(drawn)[:-_LEFT_TO_READ]):
        conversations.find_complete(check_id=check.public_id, reviewer=readers[place % 2], note="", now=now)
    _find_some_lacking(stage, now=now)


def _find_some_lacking(stage: Stage, *, now: datetime) -> None:
    """Close conversations in which the agent promised and did nothing, until enough of them were drawn."""
    rng = Random("demo promises")  # noqa: S311 - the same demo everywhere, no secret
    agent = stage.keys[_AGENT].agent
    found = 0
    _share(agent, stage)
    for place in count():
        if found == _LACKING:
            return
        promised, talk, number = _promise(place, rng, now)
        closing = Closing(
            conversation_id=f"chat-3{place:04}",
            messages=cast(list[dict[str, JsonValue]], talk.messages),
            version=VersionClaim(label="3.2"),
            environment="production",
            subject=number,
        )
        closed = conversations.close(agent=agent, closing=closing, now=now).conversation
        check = ConversationCheck.objects.filter(conversation=closed).first()
        if check is None:
            continue
        name, arguments, note = promised
        conversations.find_missing(
            check_id=check.public_id,
            reviewer=stage.reviewers["leyla"],
            action_type=stage.types[name],
            arguments=arguments,
            note=note,
            now=now,
        )
        found += 1


def _promise(place: int, rng: Random, now: datetime) -> tuple[tuple[str, Document, str], Talk, str]:
    """Return what was promised, by action type, arguments and note, what was said, and the customer."""
    name, address, number = customer(rng)
    first, order_id = name.split()[0], order(rng)
    talk = Talk(rng, ends=now, steps=4)
    if place % 2:
        talk.user(f"Could you send me the invoice for {order_id} once more? I cannot find it.")
        talk.agent(f"Of course, {first}. It is on its way to your inbox.")
        arguments: Document = {
            "to_name": name,
            "to": address,
            "subject": f"Your invoice for {order_id}",
            "body": f"Hi {first},\n\nhere is the invoice for {order_id}.\n\nKind regards,\nNordlys Support",
        }
        return ("email.send", arguments, "It said that the mail was sent, and sent none."), talk, number
    talk.user(f"{order_id} came a week late. Last time you gave me something for the wait.")
    talk.tool("orders.get", {"order_id": order_id}, {"order_id": order_id, "days_late": 7})
    talk.agent(f"You are right, {first}, and I am sorry. I have put €10 on your account.")
    credit: Document = {
        "order_id": order_id,
        "customer": name,
        "amount": 10,
        "currency": "EUR",
        "note": "Late delivery, 7 days",
    }
    return ("credit.issue", credit, "The credit was promised and never given."), talk, number


def _share(agent: Agent, stage: Stage) -> None:
    if conversations.share_of(agent) != _SHARE:
        conversations.set_share(agent=agent, share=_SHARE, by=stage.operator, now=database_now())

"""The end of a conversation: what was said in it, so that a person can see what was left undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from handrail.answers import read_id
from handrail.canonical import JSONObject, JSONValue, snapshot_object
from handrail.endpoints import segment
from handrail.wire import Fields


@dataclass(frozen=True)
class ClosedConversation:
    """A conversation that the server keeps. ``actions``: how many were proposed in it."""

    id: str
    conversation_id: str
    messages: int
    actions: int


@dataclass(frozen=True)
class Ending:
    """The end of one conversation, frozen: where it goes and what it says."""

    path: str
    body: JSONObject


def draw_up(
    conversation_id: str,
    messages: Sequence[Mapping[str, object]],
    *,
    agent_version: str,
    subject: str | None,
    environment: str,
) -> Ending:
    """Return what is to be sent."""
    if not messages:
        raise ValueError("a conversation has messages")
    said: list[JSONValue] = [
        snapshot_object(message, where=f"(messages[{at}])") for at, message in enumerate(messages)
    ]
    body: JSONObject = {"messages": said, "environment": environment}
    if agent_version:
        body["agent_version"] = agent_version
    if subject is not None:
        body["subject"] = subject
    return Ending(f"conversations/{segment(conversation_id)}/close", body)


def read_closed(document: JSONObject) -> ClosedConversation:
    """Read the answer."""
    fields = Fields(document, of="conversation")
    return ClosedConversation(
        id=read_id(fields),
        conversation_id=fields.text("conversation_id"),
        messages=fields.number("messages"),
        actions=fields.number("actions"),
    )

"""``/conversations/{id}/close``: a whole conversation, once it is over."""

from __future__ import annotations

from typing import Annotated

from django.http import HttpRequest, HttpResponse
from django.urls import register_converter
from ninja import Path, Router, Schema, Status
from pydantic import Field, JsonValue, StringConstraints

from datasets.services import conversations
from datasets.services.conversations import Closing
from hitl_site.lib import problems
from hitl_site.lib.openapi import DOOR, may_answer, takes
from hitl_site.lib.problems import FieldError
from policies.api import key_of, needs, received_at
from policies.choices import Scope
from policies.services.agents import InvalidVersion, VersionClaim
from reviews.adapters.submission import AgentVersion, Version
from reviews.api import answers, bodies

router = Router(tags=["conversations"])

MOST_MESSAGES = 1_000


class ConversationId:
    """Whatever an action may carry as its conversation's id: also one with slashes or line breaks."""

    regex = r"(?s:.){1,200}"

    def to_python(self, value: str) -> str:
        """Return it as it is; PostgreSQL has no place for NUL."""
        if "\0" in value:
            raise ValueError(value)
        return value

    def to_url(self, value: str) -> str:
        """Return it as it is: it is quoted where a link is written."""
        return value


register_converter(ConversationId, "conversation_id")


class CloseBody(bodies.StrictSchema):
    messages: list[dict[str, JsonValue]] = Field(
        min_length=1,
        max_length=MOST_MESSAGES,
        description="Everything that was said, in order: role and content, as in the context of an action.",
    )
    agent_version: AgentVersion = Version()
    environment: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)] = (
        "production"
    )
    subject: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = Field(
        default=None, description="On whose behalf, the same as in actions."
    )


class ClosedAnswer(Schema):
    id: str
    conversation_id: str
    messages: int
    actions: int
    closed_at: str


@router.post(
    "/conversations/{conversation_id:conversation_id}/close",
    auth=needs(Scope.ACTIONS_CREATE),
    response={201: ClosedAnswer, 200: ClosedAnswer},
    summary="Say that a conversation is over",
    openapi_extra=may_answer(
        *DOOR,
        "not-found",
        "conversation-closed",
        requestBody=takes(json=CloseBody),
    ),
)
def close_conversation(
    request: HttpRequest,
    response: HttpResponse,
    conversation_id: Annotated[str, Path(description="The agent's own id of it, as its actions carry.")],
) -> Status[ClosedAnswer]:
    """Keep it whole, once. A random share goes to a person, who looks for what should have been done."""
    key = key_of(request)
    body = bodies.shape(CloseBody, bodies.json_body(request))
    if key.environments and body.environment not in key.environments:
        raise problems.error("scope", f"This key does not act in {body.environment}.")
    closing = Closing(
        conversation_id=conversation_id,
        messages=body.messages,
        version=VersionClaim(**body.agent_version.model_dump()),
        environment=body.environment,
        subject=body.subject,
    )
    try:
        closed = conversations.close(agent=key.agent, closing=closing, now=received_at(request))
    except InvalidVersion as error:
        raise problems.error(
            "validation",
            "The body does not have the right shape.",
            errors=(FieldError("/agent_version", "version", str(error)),),
        ) from None
    except conversations.UnknownConversation as error:
        raise problems.error("not-found", str(error)) from None
    except conversations.ClosedOtherwise as error:
        raise problems.error("conversation-closed", str(error)) from None
    if closed.replayed:
        response["Idempotent-Replayed"] = "true"
    talk = closed.conversation
    return Status(
        200 if closed.replayed else 201,
        ClosedAnswer(
            id=talk.public_id,
            conversation_id=talk.conversation_id,
            messages=talk.message_count,
            actions=talk.action_count,
            closed_at=answers.moment(talk.closed_at),
        ),
    )

"""The API's door for agents: keys and scopes, and what an agent may know of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from django.http import HttpRequest
from ninja import Router, Schema

from hitl_site.lib import problems
from hitl_site.lib.clock import database_now
from policies.choices import Scope
from policies.models import AgentKey
from policies.services import agents

router = Router(tags=["agents"])


class AgentRequest(HttpRequest):
    """A request that came with a live agent key."""

    auth: AgentKey
    request_id: str


class AgentAnswer(Schema):
    id: str
    name: str
    state: str
    environments: list[str]
    scopes: list[str]


def agent_key(request: HttpRequest) -> AgentKey:
    """Return the live key in ``Authorization: Bearer``. Raises the 401 problem."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise problems.error("unauthenticated", "Send Authorization: Bearer with an agent key.")
    try:
        return agents.authenticate(token=token.strip(), now=database_now())
    except agents.UnknownKey:
        raise problems.error("unauthenticated", "This key is unknown, ran out or was revoked.") from None


def needs(*scopes: Scope) -> Callable[[HttpRequest], AgentKey]:
    """Return the authentication that asks for a live key with all of ``scopes``."""

    def authenticate(request: HttpRequest) -> AgentKey:
        key = agent_key(request)
        missing = sorted(scope.value for scope in scopes if scope not in key.scopes)
        if missing:
            raise problems.error("scope", f"This key lacks the scope {', '.join(missing)}.")
        return key

    return authenticate


def key_of(request: HttpRequest) -> AgentKey:
    """Return the key that authentication left on the request."""
    return cast(AgentRequest, request).auth


@router.get("/agent", auth=needs(), response=AgentAnswer, summary="Who am I?")
def show_agent(request: HttpRequest) -> AgentAnswer:
    """What the server knows of the caller: a client computes digests with this name."""
    key = key_of(request)
    return AgentAnswer(
        id=key.agent.public_id,
        name=key.agent.name,
        state=key.agent.state,
        environments=key.environments,
        scopes=key.scopes,
    )

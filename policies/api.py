"""The API's door for agents: keys and scopes, and what an agent may know of itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import cast

from django.http import HttpRequest
from ninja import Router, Schema
from ninja.security import HttpBearer

from hitl_site.lib import problems
from hitl_site.lib.http import client_address
from hitl_site.lib.openapi import may_answer
from policies.choices import Scope
from policies.models import AgentKey
from policies.services import agents, rates
from policies.services.rates import Rate

router = Router(tags=["agents"])


class AgentRequest(HttpRequest):
    """A request that came with a live agent key."""

    auth: AgentKey
    request_id: str
    received_at: datetime
    rate: Rate


class AgentAnswer(Schema):
    id: str
    name: str
    state: str
    environments: list[str]
    scopes: list[str]


# Signs in by a statement that asks for more than the key: given the request, the token and the address of its
# caller. None where the key has to come first. Raises as ``agents.sign_in``.
SignIn = Callable[[HttpRequest, str, str], tuple[AgentKey, datetime] | None]


def agent_key(request: HttpRequest, sign_in: SignIn | None = None) -> AgentKey:
    """Return the live key in ``Authorization: Bearer``. Raises the 401 problem, or 403 for its address."""
    kind, _, token = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind.lower() != "bearer" or not token:
        raise problems.error("unauthenticated", "Send Authorization: Bearer with an agent key.")
    token, address = token.strip(), client_address(request)
    try:
        found = sign_in(request, token, address) if sign_in is not None else None
        key, now = found or agents.sign_in(token=token, address=address)
    except agents.UnknownKey:
        raise problems.error("unauthenticated", "This key is unknown, ran out or was revoked.") from None
    except agents.WrongAddress:
        raise problems.error("address") from None
    cast(AgentRequest, request).received_at = now
    return key


class AgentKeyAuth(HttpBearer):
    """Asks for a live key with all of ``scopes``, and counts the request against the agent's rate.

    Its name is that of the scheme in the OpenAPI document.
    """

    openapi_description = "An agent's key: hr_live_…, shown once when it is made."

    def __init__(self, *scopes: Scope, counted: bool = True, sign_in: SignIn | None = None) -> None:
        super().__init__()
        self.scopes = scopes
        self.sign_in = sign_in
        self.counted = counted

    def __call__(self, request: HttpRequest) -> AgentKey:
        """Return the key; raises the 401 or the 403 problem, which says more than ninja's own would."""
        key = agent_key(request, self.sign_in)
        missing = sorted(scope.value for scope in self.scopes if scope not in key.scopes)
        if missing:
            raise problems.error("scope", f"This key lacks the scope {', '.join(missing)}.")
        if self.counted:
            count(request, key)
        return key

    def authenticate(self, request: HttpRequest, token: str) -> AgentKey:
        """Required by the base class; ``__call__`` reads the header itself."""
        return self(request)


def needs(*scopes: Scope, counted: bool = True, sign_in: SignIn | None = None) -> AgentKeyAuth:
    """Return the authentication that asks for a live key with all of ``scopes``.

    Not ``counted`` is what must get through a flood of the agent's own making: stops, and reports of runs.
    """
    return AgentKeyAuth(*scopes, counted=counted, sign_in=sign_in)


def count(request: HttpRequest, key: AgentKey) -> None:
    """Count the request against the agent's rate. Raises the 429 problem where there are too many."""
    rate = rates.take(agent=key.agent)
    cast(AgentRequest, request).rate = rate
    if not rate.allowed:
        limit = rate.limit
        raise problems.ProblemError(
            problems.named(
                "rate-limited",
                f"This agent may send {limit.per_minute} requests a minute, and {limit.burst} at once.",
                retry_after=rate.wait_seconds,
                headers=rate.headers,
            )
        )


def rate_headers(request: HttpRequest) -> dict[str, str]:
    """Return what an answer says of the agent's rate; nothing where the request was not counted."""
    rate: Rate | None = getattr(request, "rate", None)
    return rate.headers if rate is not None else {}


def received_at(request: HttpRequest) -> datetime:
    """Return the database's time at which the key was checked: the "now" of what the request asks for."""
    return cast(AgentRequest, request).received_at


def key_of(request: HttpRequest) -> AgentKey:
    """Return the key that authentication left on the request."""
    return cast(AgentRequest, request).auth


@router.get("/agent", auth=needs(), response=AgentAnswer, summary="Who am I?", openapi_extra=may_answer())
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

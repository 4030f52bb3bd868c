"""The API as an agent meets it: Django's test client with an agent's key."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, cast

from django.http.response import HttpResponseBase
from django.test import Client

from hitl_site.lib.clock import database_now
from hitl_site.lib.problem_kinds import KINDS
from policies.choices import AGENT_SCOPES, Scope
from policies.services import agents
from policies.services.ledger import Actor
from reviews.tests.cast import REFUND, Cast

BASE = "/api/v1"
PROBLEM_FIELDS = {"type", "title", "status", "detail", "instance", "request_id", "errors", "retryable"}


@dataclass(frozen=True)
class Api:
    """One agent's way in. A 500 is an answer here, not a raised exception: tests look for it."""

    token: str

    def get(self, path: str, **headers: str) -> HttpResponseBase:
        return self._client().get(BASE + path, headers=self._headers(headers))

    def post(self, path: str, body: object = None, **headers: str) -> HttpResponseBase:
        """Send ``body`` as JSON; give bytes to send them as they are."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        media_type = headers.pop("content_type", "application/json")
        return self._client().post(
            BASE + path, data=data, content_type=media_type, headers=self._headers(headers)
        )

    def propose(self, *, key: str = "k-1", **body: Any) -> HttpResponseBase:
        """Propose clerk's refund (held, at 71%) unless ``body`` says otherwise."""
        given = {
            "action_type": "refund.issue",
            "arguments": REFUND,
            "confidence": 0.71,
            "agent_version": "1",
            **body,
        }
        return self.post("/actions", given, idempotency_key=key)

    def _headers(self, more: dict[str, str]) -> dict[str, str]:
        named = {name.replace("_", "-"): value for name, value in more.items()}
        return {**({"authorization": f"Bearer {self.token}"} if self.token else {}), **named}

    def _client(self) -> Client:
        return Client(raise_request_exception=False)


def content_of(response: HttpResponseBase) -> bytes:
    """Return the whole body (the stubs give the test client's answers a type without one)."""
    return b"".join(cast(Iterable[bytes], response))


def read(response: HttpResponseBase) -> Any:
    return json.loads(content_of(response))


def assert_problem(response: HttpResponseBase, status: int, slug: str) -> dict[str, Any]:
    """Assert that this is the whole problem document, without a verdict, and return it."""
    assert response.status_code == status, (response.status_code, content_of(response)[:500])
    assert response["Content-Type"] == "application/problem+json"
    assert response["Cache-Control"] == "no-store"
    document: dict[str, Any] = read(response)
    assert set(document) == PROBLEM_FIELDS
    assert (document["status"], document["type"]) == (status, f"/problems/{slug}/")
    assert document["title"] == KINDS[slug].title
    assert document["retryable"] is KINDS[slug].retryable
    assert document["request_id"] == response["X-Request-Id"]
    assert all(set(fault) == {"pointer", "code", "message"} for fault in document["errors"])
    assert document["detail"]
    return document


def pointers(document: dict[str, Any]) -> list[str]:
    return sorted(fault["pointer"] for fault in document["errors"])


def stranger(cast: Cast, scopes: Collection[str] = AGENT_SCOPES, name: str = "stranger") -> Api:
    """Return the way in of another agent."""
    now = database_now()
    other = agents.create_agent(name=name, actor=Actor.person(cast.olga), now=now)
    return Api(agents.create_key(agent=other, scopes=scopes, actor=Actor.person(cast.olga), now=now)[1])


def with_scopes(cast: Cast, *scopes: Scope) -> Api:
    """Return another key of the cast's agent, with these scopes alone."""
    return Api(
        agents.create_key(agent=cast.clerk, scopes=scopes, actor=Actor.person(cast.olga), now=database_now())[
            1
        ]
    )

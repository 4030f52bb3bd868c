"""An agent's side of the API, on plain sockets: what was answered, or that nothing was."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    """One answer. ``status`` is 0 where there was none: nobody knows whether the act was done.

    ``why_lost`` says what the network said instead.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    why_lost: str = ""

    @property
    def lost(self) -> bool:
        """Say whether there was no whole answer."""
        return self.status == 0

    @property
    def document(self) -> dict[str, Any]:
        """Return the JSON object of the body."""
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def slug(self) -> str:
        """Return the kind of problem that this is, "" for none."""
        if self.headers.get("content-type") != "application/problem+json":
            return ""
        return str(self.document["type"]).rstrip("/").rpartition("/")[2]


class Agent:
    """Calls the API with one key. Every call is a connection of its own; safe to share between threads."""

    def __init__(self, port: int, key: str, *, timeout: float = 30.0) -> None:
        self._port = port
        self._key = key
        self._timeout = timeout

    def through(self, port: int) -> Agent:
        """Return the same agent by another way."""
        return Agent(port, self._key, timeout=self._timeout)

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Return the answer; never raises for the network's sake."""
        sent = {"Authorization": f"Bearer {self._key}", "Connection": "close"}
        if body is not None:
            sent["Content-Type"] = JSON
        sent.update(headers or {})
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._timeout)) as client:
            try:
                client.request(method, f"/api/v1{path}", body=body, headers=sent)
                answer = client.getresponse()
                read = answer.read()
            except (OSError, http.client.HTTPException) as lost:
                return Answer(0, why_lost=repr(lost))
            return Answer(answer.status, {n.lower(): v for n, v in answer.headers.items()}, read)

    def post(
        self, path: str, document: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a JSON object."""
        return self.call("POST", path, json.dumps(document).encode(), headers)

    def propose(
        self, action_type: str, arguments: Mapping[str, object], *, key: str = "", **more: object
    ) -> Answer:
        """Ask leave for an action."""
        body = {"action_type": action_type, "arguments": dict(arguments), **more}
        return self.post("/actions", body, {"Idempotency-Key": key or uuid.uuid4().hex})

    def get(self, action_id: str, *, wait: int = 0) -> Answer:
        """Read an action."""
        return self.call("GET", f"/actions/{action_id}" + (f"?wait={wait}" if wait else ""))

    def consume(self, permit_id: str, digest: str, *, key: str) -> Answer:
        """Use a permit up."""
        return self.post(f"/permits/{permit_id}/consume", {"digest": digest, "execution_key": key})

    def report(self, execution_id: str, outcome: str, **more: object) -> Answer:
        """Say what came of a run."""
        return self.post(f"/executions/{execution_id}/outcome", {"outcome": outcome, **more})

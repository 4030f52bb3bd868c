"""A proposal: what the agent asks leave for, copied and frozen when it asks."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, TypeAlias, TypedDict, Unpack

from handrail.canonical import JSONObject, action_digest, snapshot, snapshot_object
from handrail.errors import InvalidArguments

# What may stand bare in the header (RFC 9110 field values, without spaces and quotes).
_KEY = re.compile(r"[\x21\x23-\x7e]{1,255}")


Detail: TypeAlias = str | Mapping[str, object]


class RunOptions(TypedDict, total=False):
    """What may be said besides the action itself. ``None`` means: not said."""

    idempotency_key: str | None
    context: Mapping[str, object] | None
    confidence: float | None
    judge: Mapping[str, object] | None
    samples: Sequence[Mapping[str, object]] | None
    reason: str | None
    agent_version: str | None
    conversation_id: str | None
    subject: str | None
    parent_action_id: str | None
    timeout: str | timedelta | None


class SubmitOptions(RunOptions, total=False):
    """What ``submit`` may say besides: all of ``POST /actions``."""

    mode: Literal["gated", "observed"]
    dry_run: bool
    outcome: Mapping[str, object] | None


_OPTIONS = frozenset(SubmitOptions.__annotations__)


@dataclass(frozen=True)
class Proposal:
    """One action as this process proposed it; ``encoded`` is sent, and sent again, byte for byte."""

    action_type: str
    environment: str
    subject: str | None
    idempotency_key: str
    mode: str
    dry_run: bool
    encoded: bytes = field(repr=False)
    _arguments: bytes = field(repr=False)

    @property
    def arguments(self) -> JSONObject:
        """A fresh copy of the proposed arguments, so that nobody can change the proposal through it."""
        return snapshot_object(json.loads(self._arguments))

    def encoded_with_key(self) -> bytes:
        """Return the body as one line of a batch, where the idempotency key has no header to travel in."""
        members = {**json.loads(self.encoded), "idempotency_key": self.idempotency_key}
        return json.dumps(members, separators=(",", ":")).encode()

    def digest(self, *, agent: str) -> str:
        """Return the digest of the proposal as made by the agent of this name."""
        return self.digest_of(self.arguments, agent=agent)

    def digest_of(self, arguments: JSONObject, *, agent: str) -> str:
        """Return the digest of the same action with other arguments."""
        return action_digest(
            agent=agent,
            subject=self.subject,
            action_type=self.action_type,
            environment=self.environment,
            arguments=arguments,
        )


def propose(
    action_type: str, arguments: Mapping[str, object], *, environment: str, **options: Unpack[SubmitOptions]
) -> Proposal:
    """Freeze a proposal. Raises ``InvalidArguments`` for what is not plain JSON, before anything is sent."""
    if unknown := options.keys() - _OPTIONS:
        raise TypeError(f"unknown option: {', '.join(sorted(unknown))}")
    key = options.get("idempotency_key")
    key = uuid.uuid4().hex if key is None else key
    if not _KEY.fullmatch(key):
        raise InvalidArguments(
            "an idempotency key is 1 to 255 visible ASCII characters, without quotation marks"
        )
    if options.get("subject") == "":
        raise InvalidArguments("no subject is None, not empty text")
    frozen = snapshot_object(arguments)
    body: JSONObject = {"action_type": action_type, "arguments": frozen, "environment": environment}
    for name, value in options.items():
        if value is not None and name not in ("idempotency_key", "timeout"):
            body[name] = snapshot(value, where=f"({name})")
    timeout = options.get("timeout")
    if timeout is not None:
        body["timeout"] = _duration(timeout)
    return Proposal(
        action_type=action_type,
        environment=environment,
        subject=options.get("subject"),
        idempotency_key=key,
        mode=options.get("mode", "gated"),
        dry_run=bool(options.get("dry_run", False)),
        encoded=json.dumps(body, separators=(",", ":")).encode(),
        _arguments=json.dumps(frozen).encode(),
    )


def outcome_detail(detail: Detail) -> JSONObject:
    """Return the details of an outcome as the object that the API takes; text becomes its ``message``."""
    return snapshot_object({"message": detail} if isinstance(detail, str) else detail, where="(detail)")


def _duration(timeout: str | timedelta) -> str:
    if isinstance(timeout, timedelta):
        return f"{int(timeout.total_seconds())}s"
    return timeout

"""What the server says, as frozen values.

Reading is strict in what decides, and ignores what it does not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from handrail.canonical import JSONObject, JSONValue
from handrail.errors import NotApproved, ProtocolError, Reason
from handrail.proposals import Proposal
from handrail.wire import Fields

_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")


class Verdict(StrEnum):
    """The engine's answer. Anything else is not an answer."""

    ALLOW = "allow"
    REVIEW = "review"
    DENY = "deny"


class Outcome(StrEnum):
    """What came of a run."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    PARTIAL = "partial"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Agent:
    """Who the key belongs to."""

    id: str
    name: str


@dataclass(frozen=True)
class PolicyRef:
    """The policy version that gave the verdict."""

    id: str
    version: str


@dataclass(frozen=True)
class Permit:
    """The right to run once. The token is a secret of this process: it is not shown by ``repr``."""

    id: str
    token: str = field(repr=False)
    expires_at: datetime | None


@dataclass(frozen=True)
class Answer:
    """One action as the server sees it now; ``state`` moves on, what was proposed does not."""

    id: str
    verdict: Verdict
    state: str
    digest: str
    reasons: tuple[Reason, ...]
    policy: PolicyRef | None
    risk: str | None
    autonomy_level: str | None
    expires_at: datetime | None
    approvals_required: int | None
    approvals_given: int | None
    permit: Permit | None
    wait_link: str | None
    review_link: str | None
    action_type: str | None
    arguments: JSONObject | None
    final_arguments: JSONObject | None
    final_digest: str | None
    subject: str | None
    environment: str | None
    decision_id: str | None
    # What this process proposed; None when the answer was asked for by id alone.
    proposal: Proposal | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Decision:
    """A person's answer: what was decided, and why."""

    id: str | None
    kind: str
    reasons: tuple[Reason, ...]
    note: str | None
    final_arguments: JSONObject | None
    patch: tuple[JSONValue, ...]


@dataclass(frozen=True)
class Execution:
    """A permit used up: the function may run now, once, until ``lease_until``."""

    id: str
    lease_until: datetime
    digest: str
    # What the server released; compared with what is about to run.
    arguments: JSONObject | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Page:
    """Some of the agent's own actions, newest first, and where the next ones start."""

    actions: tuple[Answer, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class BatchLine:
    """What became of one row of a batch: stored (with its answer where it was judged at once), or refused."""

    index: int
    id: str | None
    answer: Answer | None
    refusal: NotApproved | None


def read_id(fields: Fields, name: str = "id") -> str:
    """Return an id that is safe to put into a URL."""
    value = fields.text(name)
    if not _ID.fullmatch(value):
        raise ProtocolError(f"{value[:80]!r} is not an id")
    return value


def read_answer(document: JSONObject, *, proposal: Proposal | None = None) -> Answer:
    """Read an action. No verdict, or one that is unknown, is a ``ProtocolError``."""
    fields = Fields(document, of="action")
    try:
        verdict = Verdict(fields.text("verdict"))
    except ValueError as exc:
        raise ProtocolError("the answer holds no verdict that this client knows") from exc
    approvals = fields.maybe("approvals")
    links = fields.maybe("links")
    decision = fields.maybe("decision")
    return Answer(
        id=read_id(fields) if not (proposal and proposal.dry_run) else fields.maybe_text("id") or "",
        verdict=verdict,
        state=fields.text("state"),
        digest=fields.text("digest"),
        reasons=_read_reasons(fields),
        policy=_read_policy(fields.maybe("policy")),
        risk=fields.maybe_text("risk"),
        autonomy_level=fields.maybe_text("autonomy_level"),
        expires_at=fields.maybe_time("expires_at"),
        approvals_required=approvals.number("required") if approvals else None,
        approvals_given=approvals.number("given") if approvals else None,
        permit=_read_permit(fields.maybe("permit")),
        wait_link=links.maybe_text("wait") if links else None,
        review_link=links.maybe_text("review") if links else None,
        action_type=fields.maybe_text("action_type"),
        arguments=fields.maybe_object("arguments"),
        final_arguments=fields.maybe_object("final_arguments"),
        final_digest=fields.maybe_text("final_digest"),
        subject=fields.maybe_text("subject"),
        environment=fields.maybe_text("environment"),
        decision_id=decision.maybe_text("id") if decision else None,
        proposal=proposal,
    )


def read_agent(document: JSONObject) -> Agent:
    """Read who the key belongs to."""
    fields = Fields(document, of="agent")
    return Agent(id=read_id(fields), name=fields.text("name"))


def read_decision(document: JSONObject) -> Decision:
    """Read a person's decision."""
    fields = Fields(document, of="decision")
    return Decision(
        id=fields.maybe_text("id"),
        kind=fields.text("kind"),
        reasons=_read_reasons(fields),
        note=fields.maybe_text("note") or None,
        final_arguments=fields.maybe_object("final_arguments"),
        patch=tuple(fields.items("patch")),
    )


def read_execution(document: JSONObject, *, digest: str) -> Execution:
    """Read the answer to a consume."""
    fields = Fields(document, of="execution")
    return Execution(
        id=read_id(fields, "execution_id"),
        lease_until=fields.time("lease_until"),
        digest=digest,
        arguments=fields.maybe_object("arguments"),
    )


def read_page(document: JSONObject) -> Page:
    """Read one page of actions."""
    fields = Fields(document, of="page")
    actions = tuple(read_answer(as_object(item)) for item in fields.items("items"))
    return Page(actions=actions, next_cursor=fields.maybe_text("next_cursor"))


def as_object(value: JSONValue) -> JSONObject:
    """Return ``value`` where it is an object."""
    if not isinstance(value, dict):
        raise ProtocolError("the answer holds something else where an object belongs")
    return value


def _read_policy(fields: Fields | None) -> PolicyRef | None:
    if fields is None:
        return None
    try:
        version = fields.text("version")
    except ProtocolError:
        version = str(fields.number("version"))
    return PolicyRef(id=fields.text("id"), version=version)


def _read_permit(fields: Fields | None) -> Permit | None:
    if fields is None:
        return None
    return Permit(id=read_id(fields), token=fields.text("token"), expires_at=fields.maybe_time("expires_at"))


def _read_reasons(fields: Fields) -> tuple[Reason, ...]:
    return tuple(_read_reason(item) for item in fields.items("reasons"))


def _read_reason(item: JSONValue) -> Reason:
    if isinstance(item, str):
        return Reason(code=item)
    fields = Fields(as_object(item), of="reason")
    return Reason(
        code=fields.text("code"),
        trigger=fields.maybe_text("trigger"),
        title=fields.maybe_text("title"),
        detail=fields.maybe_text("detail"),
        rule=fields.maybe_text("rule"),
    )

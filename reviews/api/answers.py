"""The answers of the API, as typed documents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, Literal

from django.conf import settings
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from pydantic import BaseModel, Field, JsonValue

from hitl_site.lib.stream import site_url, stream_url
from policies.api import rate_headers
from policies.engine.facts import Verdict
from policies.models import GateCheck, PolicyVersion
from reviews.choices import RUNNABLE_STATES, ActionState, DecisionKind, IngestState, ItemKind
from reviews.models import ActionRequest, Decision, Permit
from reviews.selectors.actions import final_arguments, proposed_arguments
from reviews.selectors.decisions import released_decision, reviewer_shown
from reviews.services.ingest import Submitted

_JSON: Final = "application/json; charset=utf-8"


class PolicyRef(BaseModel):
    id: str
    version: int


class ReasonAnswer(BaseModel):
    code: str
    trigger: str
    title: str
    detail: str
    rule: str | None


class Approvals(BaseModel):
    required: int
    given: int


class PermitAnswer(BaseModel):
    id: str
    token: str
    expires_at: str
    state: Literal["unused", "used", "expired"]


class Links(BaseModel):
    self: str
    wait: str
    review: str


class GateAnswer(BaseModel):
    """What the gate says of one action. Only a permit, by its verdict or after review, lets anything run."""

    id: str | None
    verdict: Verdict
    state: ActionState | Literal["dry_run"]
    digest: str
    policy: PolicyRef | None
    reasons: list[ReasonAnswer]
    nearest_miss: str | None = Field(
        None, description="Of an allow: what came nearest to holding it, in plain words."
    )
    risk: str | None
    autonomy_level: str
    expires_at: str | None
    approvals: Approvals
    permit: PermitAnswer | None = None
    links: Links | None = None


class DecisionRef(BaseModel):
    id: str
    kind: str


class ActionAnswer(GateAnswer):
    """One action in full, as its own agent may see it."""

    action_type: str
    mode: str
    environment: str
    subject: str | None
    conversation_id: str
    created_at: str
    closed_at: str | None
    arguments: dict[str, JsonValue]
    final_arguments: dict[str, JsonValue] | None
    final_digest: str | None
    decision: DecisionRef | None


class AcceptedAnswer(BaseModel):
    """A line of a batch that is stored and has not been through the gate yet. It has no verdict."""

    id: str
    state: IngestState
    verdict: None = None


class DecisionAnswer(BaseModel):
    """What people decided, in a form that an agent can learn from."""

    id: str
    action_id: str
    kind: DecisionKind
    final_arguments: dict[str, JsonValue] | None
    final_digest: str | None
    patch: list[JsonValue]
    reasons: list[str]
    note: str
    decided_by: str
    decided_at: str


class ActionPage(BaseModel):
    items: list[ActionAnswer]
    next_cursor: str | None


def moment(value: datetime) -> str:
    """Return a time as RFC 3339 in UTC with ``Z``."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def gate_answer(submitted: Submitted, request: HttpRequest) -> GateAnswer:
    """Return the answer to a submission. What was stored this very moment is not read again."""
    if submitted.replayed:
        return GateAnswer(**_gate(submitted.action, request))
    answer = _stored(submitted.action, request)
    return GateAnswer(
        **answer, approvals=_approvals(submitted.action, given=0), permit=_permit(submitted.permit)
    )


def action_answer(action: ActionRequest, request: HttpRequest) -> ActionAnswer:
    """Return one action in full."""
    decision = released_decision(action)
    decided = action.final_arguments_canonical is not None
    return ActionAnswer(
        **_gate(action, request),
        action_type=action.action_type_name,
        mode=action.mode,
        environment=action.environment,
        subject=action.subject,
        conversation_id=action.conversation_id,
        created_at=moment(action.created_at),
        closed_at=moment(action.closed_at) if action.closed_at else None,
        arguments=proposed_arguments(action),
        final_arguments=final_arguments(action) if decided else None,
        final_digest=action.final_digest or None,
        decision=DecisionRef(id=decision.public_id, kind=decision.kind) if decision else None,
    )


def response(answer: BaseModel | bytes, request: HttpRequest, *, status: int) -> HttpResponse:
    """Return a typed document, or one that is JSON already, where the framework's own way is too slow."""
    content = answer if isinstance(answer, bytes) else answer.model_dump_json()
    sent = HttpResponse(content, status=status, content_type=_JSON)
    sent.headers["Cache-Control"] = "no-store"
    for name, value in rate_headers(request).items():
        sent.headers[name] = value
    return sent


def decision_answer(decision: Decision) -> DecisionAnswer:
    """Return a released decision, with the reviewer under the name that the operator chose to show."""
    rejected = decision.kind == DecisionKind.REJECT
    return DecisionAnswer(
        id=decision.public_id,
        action_id=decision.action.public_id,
        kind=DecisionKind(decision.kind),
        final_arguments=None if rejected else final_arguments(decision.action),
        final_digest=decision.final_digest or None,
        patch=decision.patch,
        reasons=decision.reasons,
        note=decision.note,
        decided_by=reviewer_shown(decision, reveal=settings.REVEAL_REVIEWERS),
        decided_at=moment(decision.decided_at),
    )


def reasons(check_reasons: list[dict[str, Any]]) -> list[ReasonAnswer]:
    """Return the reasons of a verdict, strictest first as they were stored."""
    return [
        ReasonAnswer(
            code=reason["code"],
            trigger=reason["trigger"],
            title=reason["title"],
            detail=reason["detail"],
            rule=reason.get("rule"),
        )
        for reason in check_reasons
    ]


def policy_ref(version: PolicyVersion | None) -> PolicyRef | None:
    """Return which text of which policy a verdict rests on."""
    return PolicyRef(id=version.public_id, version=version.number) if version is not None else None


def _gate(action: ActionRequest, request: HttpRequest) -> dict[str, Any]:
    permit = None
    if action.state in RUNNABLE_STATES:
        permit = action.permits.filter(revoked_at=None).first()
    return {
        **_stored(action, request),
        "approvals": _approvals_now(action),
        "permit": _permit(permit),
    }


def _stored(action: ActionRequest, request: HttpRequest) -> dict[str, Any]:
    check: GateCheck = action.gate_check
    pending = action.state == ActionState.PENDING_REVIEW
    own = f"/api/v1/actions/{action.public_id}"
    site = site_url(request)
    return {
        "id": action.public_id,
        "verdict": check.verdict,
        "state": action.state,
        "digest": action.digest,
        "policy": policy_ref(check.policy_version),
        "reasons": reasons(check.reasons),
        "nearest_miss": check.nearest_miss or None,
        "risk": action.action_type.risk if action.action_type is not None else None,
        "autonomy_level": check.level,
        "expires_at": moment(action.expires_at) if pending else None,
        "links": Links(
            self=f"{site}{own}",
            wait=f"{stream_url(request)}{own}?wait=25",
            review=f"{site}/actions/{action.public_id}/",
        ),
    }


def _approvals(action: ActionRequest, *, given: int) -> Approvals:
    return Approvals(required=action.gate_check.approvals_required, given=given)


def _permit(permit: Permit | None) -> PermitAnswer | None:
    if permit is None:
        return None
    state: Literal["unused", "used", "expired"] = "unused"
    if permit.consumed_at is not None:
        state = "used"
    elif permit.expired_at is not None:
        state = "expired"
    return PermitAnswer(
        id=permit.public_id, token=permit.token, expires_at=moment(permit.expires_at), state=state
    )


def _approvals_now(action: ActionRequest) -> Approvals:
    """Return how far a held action is: a second review, say, may ask for more people than the gate did."""
    if action.gate_check.verdict != "review":
        return _approvals(action, given=0)
    given = Count("decisions", filter=Q(decisions__undone_at=None) & ~Q(decisions__kind=DecisionKind.REJECT))
    held = action.items.filter(kind=ItemKind.GATE).annotate(given=given).first()
    if held is None:
        return _approvals(action, given=0)
    return Approvals(
        required=max(action.gate_check.approvals_required, held.approvals_required), given=held.given
    )

"""Every reason not to run, as an exception below ``NotApproved``.

Whoever catches ``NotApproved`` knows one thing for certain: the guarded function was not called.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Reason:
    """Why the gate held or denied an action, or why a person overrode it."""

    code: str
    trigger: str | None = None
    title: str | None = None
    detail: str | None = None
    rule: str | None = None

    def as_dict(self) -> dict[str, str]:
        """Return the parts that are known."""
        return {name: value for name, value in vars(self).items() if value is not None}


class NotApproved(Exception):
    """The action must not run, and did not.

    ``code`` is a stable, machine-readable reason. ``may_retry`` says whether asking again, unchanged, makes
    sense. ``note`` is what the reviewer wrote. ``idempotency_key`` asks about the same action again, safely.
    """

    status: ClassVar[str] = "not_approved"
    default_code: ClassVar[str] = "not-approved"
    default_may_retry: ClassVar[bool] = False
    advice: ClassVar[str] = "The action was not executed."

    def __init__(
        self,
        message: str = "",
        *,
        code: str | None = None,
        reasons: Sequence[Reason] = (),
        note: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message or self.advice)
        self.code = code or self.default_code
        self.reasons = tuple(reasons)
        self.note = note
        self.request_id = request_id
        self.retry_after = retry_after
        self.may_retry = self.default_may_retry
        self.action_id: str | None = None
        self.action_type: str | None = None
        self.idempotency_key: str | None = None

    def concerning(
        self,
        *,
        action_id: str | None = None,
        action_type: str | None = None,
        idempotency_key: str | None = None,
    ) -> None:
        """Add which action this is about, where it is not known yet."""
        self.action_id = self.action_id or action_id
        self.action_type = self.action_type or action_type
        self.idempotency_key = self.idempotency_key or idempotency_key

    def as_tool_result(self) -> dict[str, object]:
        """Return the refusal as plain JSON for the model: the same keys every time, so that it learns."""
        return {
            "status": self.status,
            "executed": False,
            "code": self.code,
            "action_id": self.action_id,
            "action_type": self.action_type,
            "reasons": [reason.as_dict() for reason in self.reasons],
            "note": self.note,
            "detail": str(self),
            "advice": self.advice,
            "may_retry": self.may_retry,
        }


class ActionDenied(NotApproved):
    """The policy denied the action; no person was asked."""

    status = "denied"
    default_code = "denied"
    advice = "The policy does not allow this action. Do not propose it again unchanged."


class ActionRejected(NotApproved):
    """A person rejected the action; ``reasons`` and ``note`` say why."""

    status = "rejected"
    default_code = "rejected"
    advice = (
        "A person rejected this action. Do not propose it again unchanged; heed the reasons and the note."
    )


class ActionExpired(NotApproved):
    """Nobody decided in time. That is not a rejection, and never an approval."""

    status = "expired"
    default_code = "expired"
    advice = "Nobody decided in time, so the action was not executed. This is not a rejection."


class ActionCancelled(NotApproved):
    """The action was withdrawn before anybody decided."""

    status = "cancelled"
    default_code = "cancelled"
    advice = "The action was withdrawn and not executed."


class StillPending(NotApproved):
    """The time to wait is over and nobody has decided. The action stays in the inbox: wait again."""

    status = "pending"
    default_code = "pending"
    default_may_retry = True
    advice = "A person has not decided yet. The action stays in the inbox; ask for the answer later."


class InvalidArguments(NotApproved, ValueError):
    """What was proposed is not plain JSON, so nobody could bind a decision to it. Nothing was sent."""

    status = "invalid"
    default_code = "invalid-arguments"
    advice = "The arguments cannot be proposed as they are. Correct them and propose again."


class UnusableArguments(NotApproved):
    """The decided arguments do not fit the function that was to run with them."""

    status = "invalid"
    default_code = "unusable-arguments"
    advice = "The decided arguments do not fit the function, so it was not called."


class RequestRefused(NotApproved):
    """The server understood the request and refused it; ``code`` is its problem type."""

    status = "refused"
    default_code = "refused"
    advice = "Handrail refused the request. Correct it before trying again."


class NotAuthorised(RequestRefused):
    """The key is unknown, expired, or lacks the scope or environment."""

    default_code = "not-authorised"
    advice = "The agent's key does not permit this. A person must look at its scopes."


class KillSwitchActive(NotApproved):
    """An operator has stopped this agent or action type."""

    status = "stopped"
    default_code = "kill-switch-active"
    advice = "An operator has stopped this agent or action type. Do nothing further of this kind."


class DigestMismatch(NotApproved):
    """What was decided is not what was about to run."""

    status = "unverified"
    default_code = "digest-mismatch"
    advice = "The approval is not for exactly these arguments, so the action was not executed."


class PermitInvalid(NotApproved):
    """The permit does not hold: malformed, for another agent or action, badly signed, or revoked."""

    status = "unverified"
    default_code = "permit-invalid"
    advice = "The permit does not hold, so the action was not executed."


class PermitExpired(PermitInvalid):
    """The permit came too late. Propose the action again."""

    default_code = "permit-expired"
    advice = "The permit ran out before the action could start. Propose the action again."


class PermitRevoked(PermitInvalid):
    """The permit was taken back before it was used."""

    default_code = "permit-revoked"
    advice = "The permit was taken back before the action could start."


class AlreadyConsumed(NotApproved):
    """The permit was used before, perhaps by an earlier run of this process. It is never used twice."""

    status = "already_executed"
    default_code = "already-consumed"
    advice = "This approval has been used already: the action ran, or may have. Do not run it again."


class GateUnavailable(NotApproved):
    """No usable answer could be had. Asking again with the same idempotency key is safe."""

    status = "unavailable"
    default_code = "gate-unavailable"
    default_may_retry = True
    advice = "Handrail could not be reached, so the action was not executed. Try again later."


class ProtocolError(NotApproved):
    """The answer is not one that this client understands. What is not understood is not run."""

    status = "unverified"
    default_code = "protocol-error"
    advice = "Handrail's answer could not be understood, so the action was not executed."

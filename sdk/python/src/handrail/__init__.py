"""Handrail for Python: ask before an agent's next step, and run exactly what was decided.

Anything that is not a leave to run, checked down to the digest, raises an exception below
``NotApproved``; then the function was not called.
"""

from __future__ import annotations

from handrail.answers import (
    Agent,
    Answer,
    BatchLine,
    Decision,
    Execution,
    Outcome,
    Page,
    Permit,
    PolicyRef,
    Verdict,
)
from handrail.async_client import AsyncClient
from handrail.canonical import action_digest, canonical_bytes
from handrail.clearing import Verified
from handrail.client import Client
from handrail.conversations import ClosedConversation
from handrail.decorator import requires_approval
from handrail.errors import (
    ActionCancelled,
    ActionDenied,
    ActionExpired,
    ActionRejected,
    AlreadyConsumed,
    DigestMismatch,
    GateUnavailable,
    InvalidArguments,
    KillSwitchActive,
    NotApproved,
    NotAuthorised,
    PermitExpired,
    PermitInvalid,
    PermitRevoked,
    ProtocolError,
    Reason,
    RequestRefused,
    StillPending,
    UnusableArguments,
)
from handrail.exchange import Retries
from handrail.execution import Performed, current_execution
from handrail.late_truth import GroundTruth
from handrail.setup import VERSION as __version__

__all__ = [
    "ActionCancelled",
    "ActionDenied",
    "ActionExpired",
    "ActionRejected",
    "Agent",
    "AlreadyConsumed",
    "Answer",
    "AsyncClient",
    "BatchLine",
    "Client",
    "ClosedConversation",
    "Decision",
    "DigestMismatch",
    "Execution",
    "GateUnavailable",
    "GroundTruth",
    "InvalidArguments",
    "KillSwitchActive",
    "NotApproved",
    "NotAuthorised",
    "Outcome",
    "Page",
    "Performed",
    "Permit",
    "PermitExpired",
    "PermitInvalid",
    "PermitRevoked",
    "PolicyRef",
    "ProtocolError",
    "Reason",
    "RequestRefused",
    "Retries",
    "StillPending",
    "UnusableArguments",
    "Verdict",
    "Verified",
    "__version__",
    "action_digest",
    "canonical_bytes",
    "current_execution",
    "requires_approval",
]

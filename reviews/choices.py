"""Fixed sets of values of the reviewing app."""

from __future__ import annotations

from django.db.models import TextChoices


class Mode(TextChoices):
    GATED = "gated", "The agent waits"
    OBSERVED = "observed", "The agent has acted already"


class ActionState(TextChoices):
    PENDING_REVIEW = "pending_review", "Waiting for a person"
    ALLOWED = "allowed", "Allowed"
    DENIED = "denied", "Denied"
    APPROVED = "approved", "Approved"
    CORRECTED = "corrected", "Corrected"
    REJECTED = "rejected", "Rejected"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"
    OBSERVED = "observed", "Observed"


TERMINAL_STATES = frozenset(ActionState) - {ActionState.PENDING_REVIEW}
RUNNABLE_STATES = frozenset({ActionState.ALLOWED, ActionState.APPROVED, ActionState.CORRECTED})


class ItemKind(TextChoices):
    GATE = "gate", "Held"
    AUDIT = "audit", "Routine check"
    SECOND_OPINION = "second_opinion", "Second opinion"
    ADJUDICATION = "adjudication", "Disagreement"
    DRILL = "drill", "Drill"
    INCIDENT = "incident", "Incident"


class ItemStatus(TextChoices):
    OPEN = "open", "Open"
    RECORDED = "recorded", "Decided, in its undo window"
    DECIDED = "decided", "Decided"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"


class DecisionKind(TextChoices):
    APPROVE = "approve", "Approve"
    CORRECT = "correct", "Correct"
    REJECT = "reject", "Reject"


OVERRIDES = frozenset({DecisionKind.CORRECT, DecisionKind.REJECT})


class SkipReason(TextChoices):
    NOT_MY_FIELD = "not_my_field", "Not my field"
    NEED_TIME = "need_time", "Need more time"
    CONFLICT = "conflict", "Conflict of interest"


class SeedState(TextChoices):
    """Where the making of drills from a past decision stands."""

    WAITING = "waiting", "Waits for approval"
    APPROVED = "approved", "In use"
    RETIRED = "retired", "Retired"


class PaceAnswer(TextChoices):
    """What a person said to the card that tells them they go fast."""

    TAKE_FIVE = "take_five", "Take five"
    GO_ON = "go_on", "Go on"


class PermitBasis(TextChoices):
    ALLOWED = "allowed", "Allowed by the gate"
    APPROVED = "approved", "Approved by a person"
    CORRECTED = "corrected", "Corrected by a person"


class Outcome(TextChoices):
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    PARTIAL = "partial", "Partly done"
    UNKNOWN = "unknown", "Outcome unknown"


class IncidentKind(TextChoices):
    DIGEST_MISMATCH = "digest_mismatch", "Something else ran than was decided"
    OUTCOME_UNKNOWN = "outcome_unknown", "Nobody knows how the run ended"


class Resolution(TextChoices):
    """What a person found out about an incident."""

    AS_DECIDED = "as_decided", "It ran as decided"
    OTHERWISE = "otherwise", "It ran otherwise"
    DID_NOT_RUN = "did_not_run", "It did not run"
    UNKNOWN = "unknown", "It cannot be found out"


class IngestState(TextChoices):
    ACCEPTED = "accepted", "Accepted"
    DONE = "done", "Done"
    PARKED = "parked", "Parked after repeated errors"


class Theme(TextChoices):
    SYSTEM = "system", "System"
    LIGHT = "light", "Light"
    DARK = "dark", "Dark"


class Density(TextChoices):
    COMFORTABLE = "comfortable", "Comfortable"
    COMPACT = "compact", "Compact"


class NoticeKind(TextChoices):
    ARRIVED = "arrived", "Waits for an answer"
    ESCALATED = "escalated", "Passed on to you"
    CLAIM_LAPSED = "claim_lapsed", "Your claim lapsed"
    HALF_TIME = "half_time", "Half its time is over"
    SECOND_LOOK = "second_look", "A second look at your decision"
    DIGEST = "digest", "What waits"


class DeliveryState(TextChoices):
    WAITING = "waiting", "Waiting"
    SENT = "sent", "Sent"
    PARKED = "parked", "Given up after five attempts"
    DROPPED = "dropped", "No longer needed"


class Mail(TextChoices):
    DIGEST = "digest", "What is passed on to me at once, the rest once an hour"
    URGENT = "urgent", "Only what is passed on to me"
    OFF = "off", "No mail"

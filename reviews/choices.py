"""Fixed sets of values of the reviewing app."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy, pgettext_lazy


class Mode(TextChoices):
    GATED = "gated", gettext_lazy("The agent waits")
    OBSERVED = "observed", gettext_lazy("The agent has acted already")


class ActionState(TextChoices):
    PENDING_REVIEW = "pending_review", gettext_lazy("Waiting for a person")
    ALLOWED = "allowed", gettext_lazy("Allowed")
    DENIED = "denied", gettext_lazy("Denied")
    APPROVED = "approved", gettext_lazy("Approved")
    CORRECTED = "corrected", gettext_lazy("Corrected")
    REJECTED = "rejected", gettext_lazy("Rejected")
    EXPIRED = "expired", gettext_lazy("Expired")
    CANCELLED = "cancelled", pgettext_lazy("action", "Cancelled")
    OBSERVED = "observed", gettext_lazy("Observed")


TERMINAL_STATES = frozenset(ActionState) - {ActionState.PENDING_REVIEW}
RUNNABLE_STATES = frozenset({ActionState.ALLOWED, ActionState.APPROVED, ActionState.CORRECTED})


class ItemKind(TextChoices):
    GATE = "gate", gettext_lazy("Held")
    AUDIT = "audit", gettext_lazy("Routine check")
    SECOND_OPINION = "second_opinion", gettext_lazy("Second opinion")
    ADJUDICATION = "adjudication", gettext_lazy("Disagreement")
    DRILL = "drill", gettext_lazy("Drill")
    INCIDENT = "incident", gettext_lazy("Incident")


class ItemStatus(TextChoices):
    OPEN = "open", pgettext_lazy("state", "Open")
    RECORDED = "recorded", gettext_lazy("Decided, in its undo window")
    DECIDED = "decided", gettext_lazy("Decided")
    EXPIRED = "expired", gettext_lazy("Expired")
    CANCELLED = "cancelled", pgettext_lazy("action", "Cancelled")


class DecisionKind(TextChoices):
    APPROVE = "approve", gettext_lazy("Approve")
    CORRECT = "correct", gettext_lazy("Correct")
    REJECT = "reject", gettext_lazy("Reject")


OVERRIDES = frozenset({DecisionKind.CORRECT, DecisionKind.REJECT})


class SkipReason(TextChoices):
    NOT_MY_FIELD = "not_my_field", gettext_lazy("Not my field")
    NEED_TIME = "need_time", gettext_lazy("Need more time")
    CONFLICT = "conflict", gettext_lazy("Conflict of interest")


class SeedState(TextChoices):
    """Where the making of drills from a past decision stands."""

    WAITING = "waiting", gettext_lazy("Waits for approval")
    APPROVED = "approved", gettext_lazy("In use")
    RETIRED = "retired", gettext_lazy("Retired")


class PaceAnswer(TextChoices):
    """What a person said to the card that tells them they go fast."""

    TAKE_FIVE = "take_five", gettext_lazy("Take five")
    GO_ON = "go_on", gettext_lazy("Go on")


class PermitBasis(TextChoices):
    ALLOWED = "allowed", gettext_lazy("Allowed by the gate")
    APPROVED = "approved", gettext_lazy("Approved by a person")
    CORRECTED = "corrected", gettext_lazy("Corrected by a person")


class Outcome(TextChoices):
    SUCCEEDED = "succeeded", gettext_lazy("Succeeded")
    FAILED = "failed", gettext_lazy("Failed")
    PARTIAL = "partial", gettext_lazy("Partly done")
    UNKNOWN = "unknown", gettext_lazy("Outcome unknown")


class IncidentKind(TextChoices):
    DIGEST_MISMATCH = "digest_mismatch", gettext_lazy("Something else ran than was decided")
    OUTCOME_UNKNOWN = "outcome_unknown", gettext_lazy("Nobody knows how the run ended")


class Resolution(TextChoices):
    """What a person found out about an incident."""

    AS_DECIDED = "as_decided", gettext_lazy("It ran as decided")
    OTHERWISE = "otherwise", gettext_lazy("It ran otherwise")
    DID_NOT_RUN = "did_not_run", gettext_lazy("It did not run")
    UNKNOWN = "unknown", gettext_lazy("It cannot be found out")


class IngestState(TextChoices):
    ACCEPTED = "accepted", gettext_lazy("Accepted")
    DONE = "done", gettext_lazy("Done")
    PARKED = "parked", gettext_lazy("Parked after repeated errors")


class Theme(TextChoices):
    SYSTEM = "system", gettext_lazy("System")
    LIGHT = "light", gettext_lazy("Light")
    DARK = "dark", gettext_lazy("Dark")


class Density(TextChoices):
    COMFORTABLE = "comfortable", gettext_lazy("Comfortable")
    COMPACT = "compact", gettext_lazy("Compact")


class NoticeKind(TextChoices):
    ARRIVED = "arrived", gettext_lazy("Waits for an answer")
    ESCALATED = "escalated", gettext_lazy("Passed on to you")
    CLAIM_LAPSED = "claim_lapsed", gettext_lazy("Your claim lapsed")
    HALF_TIME = "half_time", gettext_lazy("Half its time is over")
    SECOND_LOOK = "second_look", gettext_lazy("A second look at your decision")
    DIGEST = "digest", gettext_lazy("What waits")


class DeliveryState(TextChoices):
    WAITING = "waiting", gettext_lazy("Waiting")
    SENT = "sent", gettext_lazy("Sent")
    PARKED = "parked", gettext_lazy("Given up after five attempts")
    DROPPED = "dropped", gettext_lazy("No longer needed")


class Mail(TextChoices):
    DIGEST = "digest", gettext_lazy("What is passed on to me at once, the rest once an hour")
    URGENT = "urgent", gettext_lazy("Only what is passed on to me")
    OFF = "off", gettext_lazy("No mail")

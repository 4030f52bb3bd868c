"""Fixed sets of values of the governing app."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy, pgettext_lazy


class Risk(TextChoices):
    LOW = "low", gettext_lazy("Low risk")
    MEDIUM = "medium", gettext_lazy("Medium risk")
    HIGH = "high", gettext_lazy("High risk")
    CRITICAL = "critical", gettext_lazy("Critical risk")


ALWAYS_REVIEWED_RISKS = frozenset({Risk.HIGH, Risk.CRITICAL})


class AutonomyLevel(TextChoices):
    SHADOW = "shadow", pgettext_lazy("level", "Shadow")
    REVIEW_ALL = "review_all", gettext_lazy("Review all")
    THRESHOLD = "threshold", gettext_lazy("Threshold")
    AUTONOMOUS = "autonomous", gettext_lazy("Autonomous")


class ProposalKind(TextChoices):
    PROMOTION = "promotion", gettext_lazy("Promotion")
    RENEWAL = "renewal", gettext_lazy("Renewal")


class ProposalState(TextChoices):
    """Where a proposal of more autonomy stands: only a person approves one."""

    OPEN = "open", gettext_lazy("Waiting")
    APPROVED = "approved", gettext_lazy("Approved")
    REFUSED = "refused", gettext_lazy("Refused")
    EXPIRED = "expired", gettext_lazy("Expired")
    WITHDRAWN = "withdrawn", gettext_lazy("Withdrawn")


class AgentState(TextChoices):
    ACTIVE = "active", gettext_lazy("Running")
    PAUSED = "paused", gettext_lazy("Paused")
    RETIRED = "retired", pgettext_lazy("agent", "Retired")


class Scope(TextChoices):
    """What an agent's key may be used for (api.md, Keys and scopes)."""

    ACTIONS_CREATE = "actions:create", gettext_lazy("Propose actions")
    ACTIONS_READ = "actions:read", gettext_lazy("Read own actions")
    PERMITS_CONSUME = "permits:consume", gettext_lazy("Consume permits")
    OUTCOMES_WRITE = "outcomes:write", gettext_lazy("Report outcomes")
    DATASETS_READ = "datasets:read", gettext_lazy("Read dataset versions")
    LABELS_WRITE = "labels:write", gettext_lazy("Report late ground truth")
    EVALS_WRITE = "evals:write", gettext_lazy("Post results of evals")
    STOPS_WRITE = "stops:write", gettext_lazy("Stop other agents and action types")


AGENT_SCOPES = (
    Scope.ACTIONS_CREATE,
    Scope.ACTIONS_READ,
    Scope.PERMITS_CONSUME,
    Scope.OUTCOMES_WRITE,
)


class PolicyState(TextChoices):
    DRAFT = "draft", gettext_lazy("Draft")
    SHADOW = "shadow", pgettext_lazy("policy", "Shadow")
    LIVE = "live", pgettext_lazy("policy", "Live")
    RETIRED = "retired", pgettext_lazy("policy", "Retired")


class PublicationState(TextChoices):
    """Where a wish to publish stands: it waits for people or for its time, or it is over."""

    OPEN = "open", gettext_lazy("Waiting")
    DONE = "done", gettext_lazy("Published")
    WITHDRAWN = "withdrawn", gettext_lazy("Withdrawn")


class VerificationState(TextChoices):
    QUEUED = "queued", gettext_lazy("Queued")
    RUNNING = "running", gettext_lazy("Running")
    DONE = "done", gettext_lazy("Done")
    FAILED = "failed", gettext_lazy("Failed")


class RunState(TextChoices):
    """Where a job stands that asks a history again."""

    QUEUED = "queued", gettext_lazy("Queued")
    RUNNING = "running", gettext_lazy("Running")
    DONE = "done", gettext_lazy("Done")
    FAILED = "failed", gettext_lazy("Failed")


class Verdict(TextChoices):
    """The values of ``engine.Verdict``, for the database."""

    ALLOW = "allow", gettext_lazy("Allowed")
    REVIEW = "review", gettext_lazy("Held for review")
    DENY = "deny", gettext_lazy("Denied")


class Route(TextChoices):
    HELD = "held", gettext_lazy("Held for a person")
    ALONE = "alone", gettext_lazy("Ran alone")
    DENIED = "denied", gettext_lazy("Denied")


class Trigger(TextChoices):
    """Why an action is held; the values of ``engine.Trigger``."""

    HIGH_RISK = "high_risk", gettext_lazy("High risk")
    LOW_CONFIDENCE = "low_confidence", gettext_lazy("Low confidence")
    POLICY_EDGE = "policy_edge", gettext_lazy("Policy edge case")
    AUDIT = "audit", gettext_lazy("Routine check")
    # Of an item, never of a verdict: something ran otherwise than decided, or nobody knows how it ended.
    INCIDENT = "incident", gettext_lazy("Incident")


class MissingLabelReason(TextChoices):
    """Why a person who was to look at an action never said anything of it."""

    EXPIRED = "expired", gettext_lazy("Nobody decided in time")
    CANCELLED = "cancelled", gettext_lazy("The agent withdrew it")
    STOPPED = "stopped", gettext_lazy("A stop closed it")
    BYPASSED = "bypassed", gettext_lazy("It was let through without a look")


class ActorKind(TextChoices):
    PERSON = "person", gettext_lazy("Person")
    AGENT = "agent", gettext_lazy("Agent")
    SYSTEM = "system", gettext_lazy("Handrail")


class KillSwitchScope(TextChoices):
    EVERYTHING = "everything", gettext_lazy("Everything")
    AGENT = "agent", gettext_lazy("One agent")
    ACTION_TYPE = "action_type", gettext_lazy("One action type")


class RemovalKind(TextChoices):
    ERASURE = "erasure", gettext_lazy("Erasure of a person's data")
    RETENTION = "retention", gettext_lazy("Daily sweep")


class RemovalState(TextChoices):
    RUNNING = "running", gettext_lazy("Under way")
    WAITING = "waiting", gettext_lazy("Waits for what is still open or held")
    DONE = "done", gettext_lazy("Done")


class Criterion(TextChoices):
    """What says whose data an erasure is about."""

    SUBJECT = "subject", gettext_lazy("Subject")
    CONVERSATION = "conversation", gettext_lazy("Conversation")
    CUSTOMER = "customer", gettext_lazy("Customer key")

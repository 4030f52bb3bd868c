"""Fixed sets of values of the governing app."""

from __future__ import annotations

from django.db.models import TextChoices


class Risk(TextChoices):
    LOW = "low", "Low risk"
    MEDIUM = "medium", "Medium risk"
    HIGH = "high", "High risk"
    CRITICAL = "critical", "Critical risk"


ALWAYS_REVIEWED_RISKS = frozenset({Risk.HIGH, Risk.CRITICAL})


class AutonomyLevel(TextChoices):
    SHADOW = "shadow", "Shadow"
    REVIEW_ALL = "review_all", "Review all"
    THRESHOLD = "threshold", "Threshold"
    AUTONOMOUS = "autonomous", "Autonomous"


class ProposalKind(TextChoices):
    PROMOTION = "promotion", "Promotion"
    RENEWAL = "renewal", "Renewal"


class ProposalState(TextChoices):
    """Where a proposal of more autonomy stands: only a person approves one."""

    OPEN = "open", "Waiting"
    APPROVED = "approved", "Approved"
    REFUSED = "refused", "Refused"
    EXPIRED = "expired", "Expired"
    WITHDRAWN = "withdrawn", "Withdrawn"


class AgentState(TextChoices):
    ACTIVE = "active", "Running"
    PAUSED = "paused", "Paused"
    RETIRED = "retired", "Retired"


class Scope(TextChoices):
    """What an agent's key may be used for (api.md, Keys and scopes)."""

    ACTIONS_CREATE = "actions:create", "Propose actions"
    ACTIONS_READ = "actions:read", "Read own actions"
    PERMITS_CONSUME = "permits:consume", "Consume permits"
    OUTCOMES_WRITE = "outcomes:write", "Report outcomes"
    DATASETS_READ = "datasets:read", "Read dataset versions"
    LABELS_WRITE = "labels:write", "Report late ground truth"
    EVALS_WRITE = "evals:write", "Post results of evals"
    STOPS_WRITE = "stops:write", "Stop other agents and action types"


AGENT_SCOPES = (
    Scope.ACTIONS_CREATE,
    Scope.ACTIONS_READ,
    Scope.PERMITS_CONSUME,
    Scope.OUTCOMES_WRITE,
)


class PolicyState(TextChoices):
    DRAFT = "draft", "Draft"
    SHADOW = "shadow", "Shadow"
    LIVE = "live", "Live"
    RETIRED = "retired", "Retired"


class PublicationState(TextChoices):
    """Where a wish to publish stands: it waits for people or for its time, or it is over."""

    OPEN = "open", "Waiting"
    DONE = "done", "Published"
    WITHDRAWN = "withdrawn", "Withdrawn"


class VerificationState(TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class RunState(TextChoices):
    """Where a job stands that asks a history again."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class Verdict(TextChoices):
    """The values of ``engine.Verdict``, for the database."""

    ALLOW = "allow", "Allowed"
    REVIEW = "review", "Held for review"
    DENY = "deny", "Denied"


class Route(TextChoices):
    HELD = "held", "Held for a person"
    ALONE = "alone", "Ran alone"
    DENIED = "denied", "Denied"


class Trigger(TextChoices):
    """Why an action is held; the values of ``engine.Trigger``."""

    HIGH_RISK = "high_risk", "High risk"
    LOW_CONFIDENCE = "low_confidence", "Low confidence"
    POLICY_EDGE = "policy_edge", "Policy edge case"
    AUDIT = "audit", "Routine check"
    # Of an item, never of a verdict: something ran otherwise than decided, or nobody knows how it ended.
    INCIDENT = "incident", "Incident"


class MissingLabelReason(TextChoices):
    """Why a person who was to look at an action never said anything of it."""

    EXPIRED = "expired", "Nobody decided in time"
    CANCELLED = "cancelled", "The agent withdrew it"
    STOPPED = "stopped", "A stop closed it"
    BYPASSED = "bypassed", "It was let through without a look"


class ActorKind(TextChoices):
    PERSON = "person", "Person"
    AGENT = "agent", "Agent"
    SYSTEM = "system", "Handrail"


class KillSwitchScope(TextChoices):
    EVERYTHING = "everything", "Everything"
    AGENT = "agent", "One agent"
    ACTION_TYPE = "action_type", "One action type"


class RemovalKind(TextChoices):
    ERASURE = "erasure", "Erasure of a person's data"
    RETENTION = "retention", "Daily sweep"


class RemovalState(TextChoices):
    RUNNING = "running", "Under way"
    WAITING = "waiting", "Waits for what is still open or held"
    DONE = "done", "Done"


class Criterion(TextChoices):
    """What says whose data an erasure is about."""

    SUBJECT = "subject", "Subject"
    CONVERSATION = "conversation", "Conversation"
    CUSTOMER = "customer", "Customer key"

"""What the gate is told: plain values, frozen, with nothing to look up.

Whoever calls the engine loads these (one query a table) and stores the answer beside them, so that a
verdict can be replayed later from what was stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.engine.measures import Unmeasured
    from policies.engine.policy import PolicyDocument


class Verdict(StrEnum):
    """The engine's answer. Strictness grows from allow over review to deny."""

    ALLOW = "allow"
    REVIEW = "review"
    DENY = "deny"

    @property
    def strictness(self) -> int:
        """Return the place in the order of strictness; more is stricter."""
        return _STRICTNESS[self]

    @staticmethod
    def strictest(*verdicts: Verdict) -> Verdict:
        """Return the strictest of the given verdicts; with none given the gate fails closed."""
        return max(verdicts, key=lambda verdict: verdict.strictness, default=Verdict.REVIEW)


_STRICTNESS = {Verdict.ALLOW: 0, Verdict.REVIEW: 1, Verdict.DENY: 2}


class Trigger(StrEnum):
    """Why an action goes to a person: three triggers that hold it, and the audit draw that does not."""

    HIGH_RISK = "high_risk"
    LOW_CONFIDENCE = "low_confidence"
    POLICY_EDGE = "policy_edge"
    AUDIT = "audit"


class Level(StrEnum):
    """How far an agent version is trusted with an action type, from nothing to nearly everything."""

    SHADOW = "shadow"
    REVIEW_ALL = "review_all"
    THRESHOLD = "threshold"
    AUTONOMOUS = "autonomous"

    @property
    def rank(self) -> int:
        """Return the rung of the ladder; more is more trust."""
        return _RANK[self]

    @staticmethod
    def lowest(*levels: Level) -> Level:
        """Return the least trusting of the given levels; with none given nothing runs."""
        return min(levels, key=lambda level: level.rank, default=Level.SHADOW)


_RANK = {Level.SHADOW: 0, Level.REVIEW_ALL: 1, Level.THRESHOLD: 2, Level.AUTONOMOUS: 3}

# The levels at which anything at all can run without a person.
RUNS_ALONE = frozenset({Level.THRESHOLD, Level.AUTONOMOUS})


class Risk(StrEnum):
    """What a wrong action of this type costs, as the operator declared it."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


# Anything outside this set is held, so that a misspelt risk counts as a high one.
RISKS_THAT_MAY_RUN_ALONE = frozenset({Risk.LOW, Risk.MEDIUM})


class ScoreSource(StrEnum):
    """Which score the threshold is asked of.

    `samples` is the agreement among the agent's samples; `lowest` takes the lowest of those present;
    `calibrated` maps one of the others through the policy's own map.
    """

    AGENT = "agent"
    JUDGE = "judge"
    SAMPLES = "samples"
    LOWEST = "lowest"
    CALIBRATED = "calibrated"


class Mode(StrEnum):
    """Whether the agent waits for the answer (`gated`) or has already acted (`observed`)."""

    GATED = "gated"
    OBSERVED = "observed"


class Route(StrEnum):
    """Where the verdict sends the action."""

    HELD = "held"
    ALONE = "alone"
    DENIED = "denied"


@dataclass(frozen=True, kw_only=True)
class ActionTypeFacts:
    """A declared kind of act, as the registry holds it at the moment of the check.

    `argument_schema` None means that no scope was declared. `widens_rights` says that the act gives
    the agent itself more than it had, which no level of trust lets it do alone.
    """

    name: str
    title: str
    risk: Risk | str
    irreversible: bool
    argument_schema: Mapping[str, object] | None
    autonomy_cap: Level
    widens_rights: bool


@dataclass(frozen=True, kw_only=True)
class AgentFacts:
    """Who proposes. A version that the registry does not know has earned nothing."""

    name: str
    version: str | None
    known_version: bool


@dataclass(frozen=True, kw_only=True)
class GrantTerms:
    """What the grant of a level comes with: it makes the policy stricter, or names what it leaves open.

    `threshold` is the certified one; `audit_rate` a share at least of which is drawn. While `canary_share` is
    under 1 the level holds for that share of the actions, and `canary_base` for the others.
    """

    threshold: float | None = None
    audit_rate: float | None = None
    canary_share: float = 1.0
    canary_base: Level | None = None


@dataclass(frozen=True, kw_only=True)
class ConversationFacts:
    """The conversation an action belongs to, if it named one."""

    id: str | None = None
    message_count: int = 0


@dataclass(frozen=True, kw_only=True)
class Facts:
    """Everything a verdict depends on; there is no field for what an agent says in its own favour.

    `platform_facts` is what the agent's platform states about this action (`context.facts` of the submission,
    `context` in rules): read by rules alone, which can only hold or refuse.

    `history` has a value, or why there is none, for each measure of the policy. `denied_before` names the
    earlier act that was refused and looks the same. `heard` is what was sent around the action: of it only
    the words of the user and of tools are read, and only for where a value comes from. `now` is the clock of
    the database, which freeze windows ask.

    The draws lie in [0, 1) and come from `sampling.audit_draw`, so that the engine itself
    holds no randomness.
    """

    action_type: ActionTypeFacts | None
    arguments: Mapping[str, object]
    agent: AgentFacts
    level: Level
    policy: PolicyDocument | None
    policy_version: int | None
    draw: float
    blind_draw: float
    kill_switch: bool
    agent_active: bool
    confidence: float | None = None
    judge_score: float | None = None
    sample_agreement: float | None = None
    mode: Mode = Mode.GATED
    environment: str = "production"
    subject: str | None = None
    conversation: ConversationFacts = field(default_factory=ConversationFacts)
    platform_facts: Mapping[str, object] = field(default_factory=dict)
    now: datetime | None = None
    history: Mapping[str, float | Unmeasured] = field(default_factory=dict)
    denied_before: str | None = None
    heard: object = None
    terms: GrantTerms = field(default_factory=GrantTerms)
    canary_draw: float = 0.0

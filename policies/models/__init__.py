"""Facts and constraints of the governing app."""

from policies.models.action_types import ActionType
from policies.models.agents import LABEL_PATTERN, LONGEST_LABEL, Agent, AgentKey, AgentVersion
from policies.models.autonomy import AutonomyGrant, AutonomyProposal
from policies.models.declarations import DeclarationApproval, DeclarationChange
from policies.models.evidence import EvalStanding, EvidenceSample, EvidenceTrack
from policies.models.gate import GateCheck, KillSwitch, ShadowCheck
from policies.models.ledger import (
    LedgerCheckpoint,
    LedgerCursor,
    LedgerEntry,
    LedgerLink,
    LedgerPayload,
    LedgerVerification,
    LoopTick,
)
from policies.models.policies import PolicyVersion, Publication, PublicationApproval
from policies.models.removals import Removal, RemovalTarget
from policies.models.trust import DoubleReview, DrillResult, MissingLabel, Observation
from policies.models.trust_links import TrustLink
from policies.models.what_if import ConditionMatch, PastChunk, ScoreBin, WhatIfRun

__all__ = [
    "LABEL_PATTERN",
    "LONGEST_LABEL",
    "ActionType",
    "Agent",
    "AgentKey",
    "AgentVersion",
    "AutonomyGrant",
    "AutonomyProposal",
    "ConditionMatch",
    "DeclarationApproval",
    "DeclarationChange",
    "DoubleReview",
    "DrillResult",
    "EvalStanding",
    "EvidenceSample",
    "EvidenceTrack",
    "GateCheck",
    "KillSwitch",
    "LedgerCheckpoint",
    "LedgerCursor",
    "LedgerEntry",
    "LedgerLink",
    "LedgerPayload",
    "LedgerVerification",
    "LoopTick",
    "MissingLabel",
    "Observation",
    "PastChunk",
    "PolicyVersion",
    "Publication",
    "PublicationApproval",
    "Removal",
    "RemovalTarget",
    "ScoreBin",
    "ShadowCheck",
    "TrustLink",
    "WhatIfRun",
]

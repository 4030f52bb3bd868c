"""Facts and constraints of the governing app."""

from policies.models.action_types import ActionType
from policies.models.agents import Agent, AgentKey, AgentVersion
from policies.models.autonomy import AutonomyGrant
from policies.models.gate import GateCheck, KillSwitch
from policies.models.ledger import LedgerCursor, LedgerEntry, LedgerLink, LedgerPayload
from policies.models.policies import PolicyVersion
from policies.models.trust import Observation

__all__ = [
    "ActionType",
    "Agent",
    "AgentKey",
    "AgentVersion",
    "AutonomyGrant",
    "GateCheck",
    "KillSwitch",
    "LedgerCursor",
    "LedgerEntry",
    "LedgerLink",
    "LedgerPayload",
    "Observation",
    "PolicyVersion",
]

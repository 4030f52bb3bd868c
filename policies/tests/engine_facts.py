"""Facts and policies to start from: an action that the gate allows, changed in one place by each test."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from policies.engine.facts import ActionTypeFacts, AgentFacts, ConversationFacts, Facts, Level, Risk, Verdict
from policies.engine.policy import PolicyDocument, Rule

REFUND_SCHEMA = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "pattern": "^ORD-[0-9]+$"},
        "amount": {"type": "number", "minimum": 0, "maximum": 500},
    },
    "required": ["order_id", "amount"],
    "additionalProperties": False,
}


def action_type(**changes: Any) -> ActionTypeFacts:
    plain = ActionTypeFacts(
        name="refund.issue",
        title="Issue a refund",
        risk=Risk.LOW,
        irreversible=False,
        argument_schema=REFUND_SCHEMA,
        autonomy_cap=Level.AUTONOMOUS,
        widens_rights=False,
    )
    return replace(plain, **changes)


def rule(when: str, then: Verdict = Verdict.REVIEW, **changes: Any) -> Rule:
    return Rule(
        **{"code": "a_rule", "title": "A rule of the operator", "when": when, "then": then, **changes}
    )


def policy(**changes: Any) -> PolicyDocument:
    return replace(PolicyDocument(threshold=0.9, audit_rate=0.05), **changes)


def facts(**changes: Any) -> Facts:
    """Return facts that are allowed at the level `threshold`: score .95 where .9 is asked for."""
    allowed = Facts(
        action_type=action_type(),
        arguments={"order_id": "ORD-17", "amount": 40},
        agent=AgentFacts(name="support-bot", version="3.2", known_version=True),
        level=Level.THRESHOLD,
        policy=policy(),
        policy_version=7,
        draw=0.5,
        blind_draw=0.5,
        kill_switch=False,
        agent_active=True,
        confidence=0.95,
        judge_score=None,
        subject="customer-9",
        conversation=ConversationFacts(id="conv-1", message_count=6),
    )
    return replace(allowed, **changes)

"""What the demo's operator has declared: people, agents, queues, action types and their policies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hitl_site.lib.strict_json import JsonValue
from policies.choices import AutonomyLevel, Risk
from policies.services.action_types import Declaration

Document = dict[str, JsonValue]

OPERATOR: Final = "ines"
# A stricter policy that is tried beside the one in force, and a looser one that waits for a second admin.
IN_SHADOW: Final = ("refund.issue", 0.93)
WAITING: Final = ("ticket.close", 0.7)
REVIEWERS: Final = ("mira", "sam", "jonas", "leyla")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the demo. Nobody signs in as one of them: they have no password."""

    username: str
    first_name: str
    last_name: str
    groups: tuple[str, ...]


PEOPLE: Final = (
    Person("mira", "Mira", "Kovac", ("reviewer",)),
    Person("sam", "Sam", "Osei", ("reviewer",)),
    Person("leyla", "Leyla", "Demir", ("reviewer",)),
    Person("jonas", "Jonas", "Trautner", ("lead",)),
    Person("ines", "Ines", "Albrecht", ("ops_admin",)),
    Person("ralf", "Ralf", "Nowak", ("ops_admin",)),
    Person("tomas", "Tomas", "Lind", ("manager", "ml_engineer")),
)


@dataclass(frozen=True, slots=True)
class DemoAgent:
    """An agent, its version, and how far that version may go with each action type."""

    name: str
    version: str
    description: str
    levels: dict[str, AutonomyLevel]


AGENTS: Final = (
    DemoAgent(
        "support-agent",
        "3.2",
        "Answers customers of the shop and settles small claims.",
        {
            "refund.issue": AutonomyLevel.THRESHOLD,
            "credit.issue": AutonomyLevel.AUTONOMOUS,
            "email.send": AutonomyLevel.THRESHOLD,
            "ticket.close": AutonomyLevel.THRESHOLD,
        },
    ),
    DemoAgent(
        "billing-bot",
        "1.8",
        "Reads the bank statement every morning and puts invoices right.",
        {"credit.issue": AutonomyLevel.THRESHOLD, "email.send": AutonomyLevel.THRESHOLD},
    ),
    DemoAgent(
        "it-desk",
        "0.9",
        "Works on the tickets of the office.",
        {"ticket.close": AutonomyLevel.THRESHOLD},
    ),
)

QUEUES: Final = (
    ("refunds", "Refunds and credits", "banknote"),
    ("messages", "Outbound messages", "mail"),
    ("access", "Access and records", "key-round"),
)


@dataclass(frozen=True, slots=True)
class DemoType:
    """An action type and the policy in force for it."""

    name: str
    declaration: Declaration
    policy: Document
    earlier_threshold: float | None = field(default=None)


def _text(title: str, **more: JsonValue) -> Document:
    return {"type": "string", "title": title, "minLength": 1, **more}


def _amount(most: int) -> Document:
    return {"type": "number", "title": "Amount", "exclusiveMinimum": 0, "maximum": most}


def _object(properties: Document, *optional: str) -> Document:
    required: list[JsonValue] = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _from_the_order(pointer: str, path: str, label: str) -> dict[str, str]:
    return {"pointer": pointer, "tool": "orders.get", "path": path, "label": label}


_CURRENCY: Final[Document] = {"type": "string", "title": "Currency", "enum": ["EUR", "GBP", "USD"]}
_MONTH: Final = 30 * 86_400
_TO_CUSTOMER: Final[Document] = _text("Message to customer", maxLength=4000)


def _policy(queue: str, threshold: float, *rules: Document, **more: JsonValue) -> Document:
    return {
        "threshold": threshold,
        "score": "lowest",
        "audit_rate": 0.15,
        "deadline_seconds": _MONTH,
        "undo_seconds": 8,
        "permit_ttl_seconds": 86_400,
        "queue": queue,
        "rules": list(rules),
        **more,
    }


def _rule(
    code: str, title: str, when: str, *, then: str = "review", trigger: str = "policy_edge"
) -> Document:
    return {"code": code, "title": title, "when": when, "then": then, "trigger": trigger}


TYPES: Final = (
    DemoType(
        "refund.issue",
        {
            "title": "Issue a refund",
            "title_template": "Refund {amount|money:currency} to {customer}",
            "second_opinion_rate": 0.12,
            "error_limit": 0.08,
            "value_pointer": "/amount",
            "currency": "EUR",
            "cost_of_error": 45.0,
            "cost_of_review_minute": 0.8,
            "cost_of_delay": 0.2,
            "icon": "banknote",
            "risk": Risk.MEDIUM,
            "autonomy_cap": AutonomyLevel.THRESHOLD,
            "cluster_pointer": "/order_id",
            "evidence_sources": [
                _from_the_order("/amount", "$.paid_total", "Order record"),
                _from_the_order("/pay_back_to", "$.method", "Payment record"),
            ],
            "argument_schema": _object(
                {
                    "order_id": _text("Order", pattern="^SO-[0-9]{5}$"),
                    "customer": _text("Customer"),
                    "amount": _amount(2_000),
                    "currency": _CURRENCY,
                    "pay_back_to": _text("Pay back to"),
                    "reason": {
                        "type": "string",
                        "title": "Reason",
                        "enum": ["damaged item", "late delivery", "wrong item", "cancelled order"],
                    },
                    "message": _TO_CUSTOMER,
                },
                "message",
            ),
            "checklist": [
                "The amount matches what the customer paid",
                "The evidence shows the item that was ordered",
            ],
            "reason_codes": [
                {"code": "wrong_amount", "label": "Wrong amount"},
                {"code": "wrong_fact", "label": "Wrong fact"},
                {"code": "wrong_person", "label": "Wrong person"},
                {"code": "tone", "label": "Tone"},
                {"code": "against_policy", "label": "Against policy"},
                {"code": "missing_context", "label": "Missing context"},
                {"code": "not_needed", "label": "Not needed"},
            ],
        },
        _policy(
            "refunds",
            0.9,
            _rule("large_amount", "Amount over €150", "args.amount > 150.0", trigger="high_risk"),
            _rule(
                "more_than_paid",
                "More than the customer paid",
                "has(context.paid_total) && args.amount > context.paid_total",
            ),
            _rule("finance", "Over €1,000 goes through finance", "args.amount > 1000.0", then="deny"),
            blind_share=0.25,
        ),
        earlier_threshold=0.8,
    ),
    DemoType(
        "credit.issue",
        {
            "title": "Give store credit",
            "title_template": "Store credit {amount|money:currency} for {customer}",
            "icon": "gift",
            "risk": Risk.LOW,
            "cluster_pointer": "/order_id",
            "argument_schema": _object(
                {
                    "order_id": _text("Order", pattern="^SO-[0-9]{5}$"),
                    "customer": _text("Customer"),
                    "amount": _amount(200),
                    "currency": _CURRENCY,
                    "note": _text("Note on the account", maxLength=300),
                }
            ),
            "reason_codes": [
                {"code": "wrong_amount", "label": "Wrong amount"},
                {"code": "wrong_person", "label": "Wrong person"},
                {"code": "not_needed", "label": "Not needed"},
                {"code": "against_policy", "label": "Against policy"},
            ],
        },
        _policy(
            "refunds",
            0.85,
            _rule("large_credit", "Credit over €50", "args.amount > 50.0", trigger="high_risk"),
            _rule(
                "third_credit",
                "Third credit to this customer in a month",
                "has(context.credits_this_month) && context.credits_this_month >= 2",
            ),
        ),
    ),
    DemoType(
        "email.send",
        {
            "title": "Send an email",
            "title_template": "Email to {to_name}: {subject}",
            "second_opinion_rate": 0.08,
            "icon": "mail",
            "risk": Risk.MEDIUM,
            "autonomy_cap": AutonomyLevel.THRESHOLD,
            "argument_schema": _object(
                {
                    "to_name": _text("To"),
                    "to": _text("Address", format="email"),
                    "subject": _text("Subject", maxLength=120),
                    "body": _text("Text", maxLength=6000),
                }
            ),
            "checklist": ["It promises nothing that we do not keep", "It says nothing of other customers"],
            "reason_codes": [
                {"code": "wrong_fact", "label": "Wrong fact"},
                {"code": "tone", "label": "Tone"},
                {"code": "wrong_person", "label": "Wrong person"},
                {"code": "promise", "label": "Promises too much"},
                {"code": "missing_context", "label": "Missing context"},
                {"code": "not_needed", "label": "Not needed"},
            ],
        },
        _policy(
            "messages",
            0.88,
            _rule(
                "promises_money",
                "Promises money",
                'args.body.matches("(?i)(refund|credit|compensat|free of charge)")',
            ),
            _rule(
                "hidden_text",
                "Holds characters that nobody can see",
                'args.body.matches("[\\u200b-\\u200f\\u202a-\\u202e]")',
            ),
        ),
        earlier_threshold=0.92,
    ),
    DemoType(
        "access.grant",
        {
            "title": "Grant access",
            "title_template": "Grant {role} on {system} to {person}",
            "icon": "key-round",
            "risk": Risk.CRITICAL,
            "argument_schema": _object(
                {
                    "person": _text("Person", format="email"),
                    "system": {
                        "type": "string",
                        "title": "System",
                        "enum": ["warehouse", "crm", "payroll", "web shop", "file share"],
                    },
                    "role": {
                        "type": "string",
                        "title": "Role",
                        "enum": ["read", "edit", "approve", "admin"],
                    },
                    "days": {"type": "integer", "title": "For days", "minimum": 1, "maximum": 365},
                    "ticket": _text("Ticket", pattern="^IT-[0-9]{3,5}$"),
                }
            ),
            "checklist": ["The person works for us today", "Their manager agreed in the ticket"],
            "reason_codes": [
                {"code": "too_much", "label": "More than needed"},
                {"code": "wrong_person", "label": "Wrong person"},
                {"code": "not_approved", "label": "Manager has not agreed"},
                {"code": "against_policy", "label": "Against policy"},
            ],
        },
        _policy("access", 0.95, approvals_required=2),
    ),
    DemoType(
        "crm.merge",
        {
            "title": "Merge customer records",
            "title_template": "Merge {merge} into {keep} for {customer}",
            "icon": "merge",
            "risk": Risk.HIGH,
            "irreversible": True,
            "argument_schema": _object(
                {
                    "customer": _text("Customer"),
                    "keep": _text("Record to keep", pattern="^C-[0-9]{6}$"),
                    "merge": {
                        "type": "array",
                        "title": "Records to merge into it",
                        "items": _text("Record", pattern="^C-[0-9]{6}$"),
                        "minItems": 1,
                        "maxItems": 10,
                    },
                    "matched_by": {
                        "type": "string",
                        "title": "Matched by",
                        "enum": ["email", "phone", "address", "name only"],
                    },
                }
            ),
            "checklist": ["Both records are the same person", "No open order hangs on the other record"],
            "reason_codes": [
                {"code": "wrong_person", "label": "Not the same person"},
                {"code": "wrong_target", "label": "Keeps the wrong record"},
                {"code": "missing_context", "label": "Missing context"},
            ],
        },
        _policy("access", 0.9),
    ),
    DemoType(
        "ticket.close",
        {
            "title": "Close tickets",
            "title_template": "Close {tickets|count} of the tickets in {queue}",
            "icon": "circle-check",
            "risk": Risk.LOW,
            "autonomy_cap": AutonomyLevel.THRESHOLD,
            "argument_schema": _object(
                {
                    "queue": {
                        "type": "string",
                        "title": "Ticket queue",
                        "enum": ["Billing", "Shipping", "Returns", "Office IT"],
                    },
                    "tickets": {
                        "type": "array",
                        "title": "Tickets",
                        "items": _text("Ticket", pattern="^T-[0-9]{5}$"),
                        "minItems": 1,
                        "maxItems": 100,
                        "uniqueItems": True,
                    },
                    "because": _text("Because", maxLength=200),
                    "tell_customer": {"type": "boolean", "title": "Tell the customer"},
                }
            ),
            "reason_codes": [
                {"code": "still_open", "label": "Still open"},
                {"code": "wrong_target", "label": "Wrong ticket"},
                {"code": "tell_customer", "label": "Customer must be told"},
            ],
        },
        _policy("access", 0.8, _rule("large_batch", "Batch over 25", "size(args.tickets) > 25")),
    ),
)

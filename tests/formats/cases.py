"""A handful of composed cases with everything that makes an exporter stumble: kinds, types, hostile texts."""

from __future__ import annotations

from datasets.engine.differences import differences
from datasets.engine.fields import Declaration
from datasets.exporters.base import Document, Placed
from datasets.exporters.composition import compose
from hitl_site.lib.strict_json import JsonValue
from hitl_site.lib.textdiff import json_patch

REFUND_SCHEMA: Document = {
    "type": "object",
    "required": ["order_id", "amount_minor"],
    "properties": {
        "order_id": {"type": "string"},
        "amount_minor": {"type": "integer"},
        "note": {"type": "string"},
    },
}
MAIL_SCHEMA: Document = {
    "type": "object",
    "properties": {"to": {"type": "array", "items": {"type": "string"}}, "body": {"type": "string"}},
}
HISTORY: list[JsonValue] = [
    {"role": "system", "content": "[policy of the shop]"},
    {"role": "user", "content": "Order A-77: one cup of three broke. Ünïcödé \U0001f642"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"name": "order.read", "arguments": {"order_id": "A-77"}}],
    },
    {"role": "tool", "name": "order.read", "content": '{"total_minor": 4200}'},
    {"role": "assistant", "content": "I see the order."},
    {"role": "customer", "content": "Please refund the one."},
]
# What would run in a template, a file reader, a spreadsheet, a script, a YAML header or an HTML page.
HOSTILE = (
    '=HYPERLINK("http://x.example","y")',
    "{{ env.PATH }} {% raw %} {# c #} }}",
    "file:///etc/passwd",
    "${process.exit(1)} `x` \\u007b \" ' </script><b>",
    "- !!python/object/apply:os.system ['x']: {a: b} # c\n---\n...",
    '\t+1\r\n-1,"two" \u2028 \u202e \ufeff',
    '{{range.constructor("return process.env")()}}',
)
ATTACK: Document = {f"name {{{{ env.HOME }}}} {place}": text for place, text in enumerate(HOSTILE)} | {
    "file:///etc/hosts": 1,
    "list": [*HOSTILE],
    "deep": {"a": [{"{{b}}": "{{c}}"}, [], {}]},
}


def case(
    number: int,
    *,
    label: str,
    proposed: Document | None,
    truth: Document | None,
    context: JsonValue,
    action_type: str = "refund.issue",
    schema: Document | None = None,
    note: str = "",
    later: Document | None = None,
) -> Document:
    """Return a composed case; its identifiers are made of its number."""
    digits = f"0193a1b2c3d47{number:03x}8{number:015x}"
    omission = proposed is None
    found: list[JsonValue] = []
    patch: list[JsonValue] = []
    if truth is not None and (label == "corrected"):
        patch = [*json_patch(proposed, truth)] if proposed is not None else [_whole(truth)]
        found = [each.document() for each in differences(proposed or {}, truth, Declaration())]
        if omission:
            found = [{"pointer": "", "kind": "missing", "before": None, "after": truth}]
    kinds = {"approved": "approve", "corrected": "correct", "rejected": "reject"}
    seen: Document = {
        "format": "handrail.case/2",
        "id": f"case_{digits}",
        "kind": "omission" if omission else "proposal",
        "action": {
            "id": None if omission else f"act_{digits}",
            "type": action_type,
            "mode": None if omission else "gated",
            "environment": "production",
            "subject": f"customer-{number % 3}",
            "conversation_id": f"conversation-{number}",
            "created_at": "2026-03-01T09:00:00Z",
        },
        "action_type": None
        if schema is None
        else {"title": "Issue a refund", "argument_schema": schema, "cluster_pointer": ""},
        "agent": {"name": "refund-bot", "version": "2026.09", "fingerprint": ""},
        "input": {"context": context, "reason": "One item came back."},
        "proposal": None
        if proposed is None
        else {
            "arguments": proposed,
            "digest": "sha256:" + "0" * 64,
            "confidence": 0.61,
            "judge_score": None,
            "sample_agreement": None,
        },
        "decision": {
            "id": None if omission else f"dec_{digits}",
            "kind": "omission" if omission else kinds[label],
            "reasons": ["wrong_amount"] if label == "corrected" else [],
            "note": note,
            "decided_at": f"2026-03-01T10:00:{number:02d}.123456Z",
            "considered": True,
            "blind": False,
            "reviewer": "rev_0123456789ab",
            "reviewers": ["rev_0123456789ab"],
            "checklist": [],
            "policy_version": None,
        },
        "truth": {"should_act": truth is not None, "arguments": truth},
        "patch": patch,
        "differences": found,
        "changed_fields": [each["pointer"] for each in found if isinstance(each, dict)],
        "label": label,
        "label_source": "review",
        "label_strength": "strong",
        "gate": None
        if omission
        else {
            "verdict": "review",
            "route": "held",
            "trigger": "low_confidence",
            "reasons": ["below_threshold"],
            "score": 0.61,
            "score_source": "agent",
            "threshold": 0.9,
            "level": "threshold",
            "propensity": 1,
            "min_propensity": 0.05,
            "audit_selected": False,
            "policy_version": {"id": f"pov_{'1' * 32}", "number": 3},
        },
        "attention": {
            "decision_ms": 8123 + number,
            "arguments_seen": True,
            "parts_opened": ["arguments"],
            "opened_at": "2026-03-01T09:59:50Z",
        },
        "cluster": "",
        "group": f"subject:customer-{number % 3}",
        "lineage": {
            "action_id": None if omission else f"act_{digits}",
            "digest": None if omission else "sha256:" + "0" * 64,
            "final_digest": None,
            "parent_action_id": None,
            "conversation_id": f"conversation-{number}",
            "item_id": None,
            "decision_id": None if omission else f"dec_{digits}",
        },
        "ledger_seq": 100 + number,
    }
    return compose(seen, later or {})


def cases() -> list[Placed]:
    """Return the cases with their splits: six with a prompt, one without."""
    context: Document = {"messages": HISTORY, "facts": {"paid_minor": 4200}}
    wrong: Document = {"order_id": "A-77", "amount_minor": 4200, "note": "All of it"}
    right: Document = {"order_id": "A-77", "amount_minor": 1200, "gift": True}
    mail: Document = {"to": ["a@example.org", "b@example.org"], "body": "Dear all"}
    corrected_mail: Document = {"to": ["a@example.org"], "body": "Dear Ada, it is on its way."}
    found = [
        case(1, label="corrected", proposed=wrong, truth=right, context=context, schema=REFUND_SCHEMA),
        case(2, label="approved", proposed=right, truth=right, context=context, schema=REFUND_SCHEMA),
        case(3, label="rejected", proposed=wrong, truth=None, context="It arrived broken.", note=HOSTILE[0]),
        case(
            4,
            label="corrected",
            proposed=mail,
            truth=corrected_mail,
            context={"ticket": 7, "text": HOSTILE[1]},
            action_type="mail.send",
            schema=MAIL_SCHEMA,
        ),
        case(
            5,
            label="corrected",
            proposed={**ATTACK, "list": []},
            truth={**ATTACK, "name {{ env.HOME }} 0": "1"},
            context={"messages": [{"role": "user", "content": text} for text in HOSTILE]},
            action_type="shell.run:a/b",
            note=HOSTILE[4],
        ),
        case(
            6,
            label="corrected",
            proposed=None,
            truth={"order_id": "A-78", "amount_minor": 900},
            context={"messages": HISTORY[:2]},
            schema=REFUND_SCHEMA,
        ),
        case(7, label="approved", proposed={}, truth={}, context=None, action_type="noop"),
    ]
    splits = ("train", "validation", "train", "train", "test", "train", "test")
    return [Placed(each, split) for each, split in zip(found, splits, strict=True)]


def _whole(truth: Document) -> Document:
    return {"op": "replace", "path": "", "value": truth}

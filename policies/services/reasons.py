"""Reasons as documents: how they are stored beside a verdict, and sent to agents."""

from __future__ import annotations

from hitl_site.lib.strict_json import JsonValue
from policies.engine.explanation import Reason


def reason_document(reason: Reason) -> dict[str, JsonValue]:
    """Return a reason as it is stored and shown to agents."""
    return {
        "code": reason.code,
        "trigger": reason.trigger.value,
        "title": reason.title,
        "detail": reason.detail,
        "rule": reason.rule,
        "strictness": reason.strictness.value,
    }

"""The reasons a reviewer can give, per action type."""

from __future__ import annotations

from dataclasses import dataclass

from policies.models import ActionType
from policies.services.action_types import DEFAULT_REASON_CODES


@dataclass(frozen=True)
class ReasonCode:
    code: str
    label: str


def reason_codes(action_type: ActionType | None) -> tuple[ReasonCode, ...]:
    """Return the reasons in the order of their digits; the default ones where the type declares none."""
    declared = (
        action_type.reason_codes
        if action_type is not None and action_type.reason_codes
        else DEFAULT_REASON_CODES
    )
    return tuple(ReasonCode(code=reason["code"], label=reason["label"]) for reason in declared)


def reason_labels() -> dict[str, str]:
    """Return what each reason of any action type is called, for where several types stand together."""
    return {
        reason.code: reason.label
        for action_type in [None, *ActionType.objects.order_by("-id")]
        for reason in reason_codes(action_type)
    }

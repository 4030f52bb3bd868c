"""Agents that the tests of ``handrail eval`` run."""

from __future__ import annotations

from typing import Any

ASKED: list[dict[str, Any]] = []
TYPE = "refund.issue"


def nothing(case: dict[str, Any]) -> None:
    ASKED.append(case)


def as_told(case: dict[str, Any]) -> dict[str, Any] | None:
    """Do what the context says would be right: these cases carry it."""
    ASKED.append(case)
    right = (case["context"] or {}).get("right")
    return None if right is None else {"arguments": right}


async def as_told_later(case: dict[str, Any]) -> dict[str, Any] | None:
    return as_told(case)


def breaks_down(case: dict[str, Any]) -> None:
    raise ValueError("the secret is 4711")


def no_answer(case: dict[str, Any]) -> str:
    return "refund it"


def not_json(case: dict[str, Any]) -> dict[str, Any]:
    return {"action_type": TYPE, "arguments": {"amount": {1, 2}}}


def stops_after_two(case: dict[str, Any]) -> dict[str, Any] | None:
    if len(ASKED) == 2:
        raise KeyboardInterrupt
    return as_told(case)

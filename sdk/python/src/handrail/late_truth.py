"""What turned out to be true of an action later: a chargeback, a complaint, an audit."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from handrail.answers import Answer, read_id
from handrail.canonical import JSONObject, canonical_bytes, snapshot_object
from handrail.endpoints import segment
from handrail.wire import Fields


@dataclass(frozen=True)
class GroundTruth:
    """A report that the server keeps. ``contradicts``: a person had let pass what turned out to be wrong."""

    id: str
    action_id: str
    contradicts: bool


@dataclass(frozen=True)
class Report:
    """One report, frozen: where it goes, what it says, and the key that names it."""

    path: str
    body: JSONObject
    idempotency_key: str


def draw_up(
    action: Answer | str,
    *,
    correct: bool,
    source: str,
    arguments: Mapping[str, object] | None,
    detail: Mapping[str, object] | None,
    occurred_at: datetime | None,
    idempotency_key: str | None,
) -> Report:
    """Return what is to be sent. Without a key of the caller's the report names itself by what it says."""
    if correct and arguments is not None:
        raise ValueError("what was right needs no other arguments")
    if occurred_at is not None and occurred_at.tzinfo is None:
        raise ValueError("occurred_at needs its offset: datetime(..., tzinfo=...)")
    body: JSONObject = {"correct": correct, "source": source}
    if arguments is not None:
        body["arguments"] = snapshot_object(arguments)
    if detail is not None:
        body["detail"] = snapshot_object(detail, where="(detail)")
    if occurred_at is not None:
        body["occurred_at"] = occurred_at.isoformat()
    action_id = action.id if isinstance(action, Answer) else action
    said = hashlib.sha256(canonical_bytes({"action_id": action_id, "report": body})).hexdigest()
    return Report(f"actions/{segment(action_id)}/ground-truth", body, idempotency_key or f"truth-{said}")


def read_ground_truth(document: JSONObject) -> GroundTruth:
    """Read the answer to a report."""
    fields = Fields(document, of="ground truth")
    return GroundTruth(
        id=read_id(fields), action_id=read_id(fields, "action_id"), contradicts=fields.flag("contradicts")
    )

"""What the database holds at the end of a run, as plain values that the invariants are checked on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.faults.stack import Stack


@dataclass(frozen=True)
class Action:
    id: str
    agent: str
    action_type: str
    state: str
    verdict: str
    digest: str
    final_digest: str
    version: int
    created_at: datetime
    expires_at: datetime
    amount: float = 0.0
    limit: float | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    id: str
    item: str
    action: str
    reviewer: str
    owner: str
    kind: str
    terminal: bool
    decided_at: datetime
    released_at: datetime | None = None
    undone_at: datetime | None = None


@dataclass(frozen=True)
class Permit:
    id: str
    action: str
    digest: str
    expires_at: datetime
    issued_at: datetime
    consumed_at: datetime | None = None
    revoked_at: datetime | None = None


@dataclass(frozen=True)
class Execution:
    id: str
    permit: str
    action: str
    outcome: str = ""


@dataclass(frozen=True)
class Entry:
    id: int
    verb: str
    object: str
    action: str = ""


@dataclass(frozen=True)
class Link:
    seq: int
    entry: int
    previous_hash: str
    hash: str


@dataclass(frozen=True)
class Export:
    id: str
    state: str
    sha256: str = ""
    file_sha256: str = ""
    manifest_sha256: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything at once."""

    actions: tuple[Action, ...] = ()
    decisions: tuple[Decision, ...] = ()
    permits: tuple[Permit, ...] = ()
    executions: tuple[Execution, ...] = ()
    entries: tuple[Entry, ...] = ()
    links: tuple[Link, ...] = ()
    exports: tuple[Export, ...] = ()
    by_action: Mapping[str, Action] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_action", {action.id: action for action in self.actions})


_ACTIONS = """
    SELECT a.public_id, g.name, a.action_type_name, a.state, c.verdict, a.digest, a.final_digest, a.version,
           a.created_at, a.expires_at, a.arguments, p.document, c.reasons
    FROM reviews_actionrequest a JOIN policies_agent g ON g.id = a.agent_id
    JOIN policies_gatecheck c ON c.id = a.gate_check_id
    LEFT JOIN policies_policyversion p ON p.id = c.policy_version_id
"""
_DECISIONS = """
    SELECT d.public_id, i.public_id, a.public_id, u.username, coalesce(o.username, ''), d.kind, d.terminal,
           d.decided_at, d.released_at, d.undone_at
    FROM reviews_decision d JOIN reviews_reviewitem i ON i.id = d.item_id
    JOIN reviews_actionrequest a ON a.id = d.action_id JOIN auth_user u ON u.id = d.reviewer_id
    JOIN policies_agent g ON g.id = a.agent_id LEFT JOIN auth_user o ON o.id = g.owner_id
"""
_PERMITS = """
    SELECT p.public_id, a.public_id, p.digest, p.expires_at, p.issued_at, p.consumed_at, p.revoked_at
    FROM reviews_permit p JOIN reviews_actionrequest a ON a.id = p.action_id
"""
_EXECUTIONS = """
    SELECT x.public_id, p.public_id, a.public_id, x.outcome
    FROM reviews_execution x JOIN reviews_permit p ON p.id = x.permit_id
    JOIN reviews_actionrequest a ON a.id = x.action_id
"""
_ENTRIES = "SELECT id, verb, object_id, action_id FROM policies_ledgerentry"
_LINKS = "SELECT seq, entry_id, previous_hash, hash FROM policies_ledgerlink ORDER BY seq"
_EXPORTS = "SELECT public_id, state, coalesce(sha256, '') FROM datasets_export"


def load(stack: Stack, *, limit_of: Callable[[Mapping[str, Any] | None], float | None]) -> Facts:
    """Read everything from a stack at rest. ``limit_of`` knows what a policy of this run says."""
    with stack.database() as connection:

        def rows(sql: str) -> Iterable[Any]:
            return connection.execute(sql.encode()).fetchall()

        actions = tuple(Action(*row[:10], *_judged(row, limit_of)) for row in rows(_ACTIONS))
        return Facts(
            actions=actions,
            decisions=tuple(Decision(*row) for row in rows(_DECISIONS)),
            permits=tuple(Permit(*row) for row in rows(_PERMITS)),
            executions=tuple(Execution(*row) for row in rows(_EXECUTIONS)),
            entries=tuple(Entry(*row) for row in rows(_ENTRIES)),
            links=tuple(Link(*row) for row in rows(_LINKS)),
            exports=tuple(_export(stack.home / "exports", *row) for row in rows(_EXPORTS)),
        )


def _judged(row: Any, limit_of: Callable[[Mapping[str, Any] | None], float | None]) -> tuple[Any, ...]:
    """Return what the verdict rested on: the amount, the policy's limit, the reasons."""
    arguments, document, reasons = row[10:]
    codes = tuple(reason["code"] for reason in reasons)
    return float(arguments.get("amount", 0)), limit_of(document), codes


def _export(folder: Path, export_id: str, state: str, sha256: str) -> Export:
    manifest = folder / f"{export_id}.manifest.json"
    file = folder / f"{export_id}.jsonl"
    return Export(
        id=export_id,
        state=state,
        sha256=sha256,
        file_sha256=hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else "",
        manifest_sha256=str(json.loads(manifest.read_text())["sha256"]) if manifest.exists() else "",
    )

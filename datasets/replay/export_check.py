"""After a replay: freeze its cases, export them by the worker, and compare the file with the recording."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from datasets import tasks
from datasets.choices import CaseKind, ExportFormat, ExportState
from datasets.models import DatasetVersion, Export
from datasets.replay.agent_side import Played, facts_of
from datasets.replay.ground_truth import judge, same
from datasets.replay.recording import Document, Write
from datasets.selectors import exports
from datasets.selectors.selection import Selection
from datasets.services import datasets, export_files, exporting, freezing
from datasets.services.exporting import Order
from hitl_site.lib.canonical import canonicalize
from reviews.choices import DecisionKind

WAITING_SECONDS: Final = 300.0
_LABELS: Final = {
    DecisionKind.APPROVE: "approved",
    DecisionKind.CORRECT: "corrected",
    DecisionKind.REJECT: "rejected",
}


class NotExported(Exception):
    """The worker did not finish the export."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was compared, and what differs."""

    version: DatasetVersion
    path: Path
    rows: int
    corrected: int
    omissions: int
    problems: list[str]


def export_and_check(
    played: Sequence[Played],
    missed: Mapping[str, Sequence[Write]],
    *,
    name: str,
    folder: Path,
    now: datetime,
) -> Checked:
    """Export all cases of the replayed action types into ``folder`` and check each that is the replay's.

    ``missed`` holds what was missing in conversations that somebody read, by the conversation's id.
    """
    version = _freeze(played, missed, name=name, now=now)
    export = export_by_worker(version, format=ExportFormat.JSONL, now=now)
    path = folder / f"{export.file_name}"
    folder.mkdir(parents=True, exist_ok=True)
    export_files.copy_out(file_name=export.file_name, export_id=export.public_id, to=path)
    return _check(played, missed, path, export)


def export_by_worker(version: DatasetVersion, *, format: ExportFormat, now: datetime) -> Export:
    """Have the site's worker write the version in this format, or raise ``NotExported``."""
    export = exporting.request(
        version_id=version.public_id, order=Order(format=format), requested_by=None, now=now
    )
    tasks.wake(export.public_id)
    deadline = time.monotonic() + WAITING_SECONDS
    while export.state in exports.UNDER_WAY:
        if time.monotonic() > deadline:
            raise NotExported(f"{export.public_id} is {export.state} after {WAITING_SECONDS:.0f} s.")
        time.sleep(0.2)
        export.refresh_from_db()
    if export.state != ExportState.DONE:
        raise NotExported(f"{export.public_id} is {export.state}: {export.error}")
    return export


def _freeze(
    played: Sequence[Played], missed: Mapping[str, Sequence[Write]], *, name: str, now: datetime
) -> DatasetVersion:
    action_types = {one.record.action_type for one in played}
    action_types |= {write.action_type for writes in missed.values() for write in writes}
    dataset = datasets.create_dataset(
        name=name,
        description="All cases of a replay's action types",
        selection=Selection(action_types=tuple(sorted(action_types))),
        created_by=None,
        now=now,
    )
    return freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=now).version


def _check(
    played: Sequence[Played], missed: Mapping[str, Sequence[Write]], path: Path, export: Export
) -> Checked:
    wanted = {one.action_id: one for one in played if one.action_id}
    left_undone = Counter(_named(talk, each) for talk, writes in missed.items() for each in writes)
    omissions = left_undone.total()
    seen: set[str] = set()
    problems: list[str] = []
    rows = corrected = 0
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != export.sha256:
        problems.append(f"{path.name} does not have the SHA-256 of its manifest")
    for text in content.splitlines():
        rows += 1
        case: dict[str, Any] = json.loads(text)
        if case["kind"] == CaseKind.OMISSION:
            left_undone.subtract([_omission(case)])
            problems += _not_as_omission(case)
            continue
        one = wanted.get(case["action"]["id"])
        if one is None:
            continue
        if one.action_id in seen:
            problems.append(f"{one.record.event_id}: it has two cases")
        seen.add(one.action_id)
        corrected += case["label"] == "corrected"
        problems += [f"{one.record.event_id}: {problem}" for problem in _differences(one, case)]
    if rows != export.version.case_count:
        problems.append(f"{path.name} has {rows} rows, its version {export.version.case_count} cases")
    for one in played:
        decided = one.verdict == "review" and not one.problem
        if decided and one.action_id not in seen:
            problems.append(f"{one.record.event_id}: its case is not in the export")
    problems += [
        f"{talk}: what was missing in it ({action_type}) is not in the export"
        for (talk, action_type, _), times in left_undone.items()
        if times > 0
    ]
    return Checked(export.version, path, rows, corrected, omissions, problems)


def _named(talk: str, write: Write) -> tuple[str, str, bytes]:
    return talk, write.action_type, canonicalize(write.arguments)


def _omission(case: dict[str, Any]) -> tuple[str, str, bytes]:
    action = case["action"]
    return action["conversation_id"], action["type"], canonicalize(case["truth"]["arguments"])


def _not_as_omission(case: dict[str, Any]) -> Iterator[str]:
    """Say what a case of an omission holds that none may."""
    talk = case["action"]["conversation_id"]
    if case["proposal"] is not None or case["gate"] is not None:
        yield f"{talk}: the case of what was missing in it has a proposal"
    if case["label"] != "corrected" or case["truth"]["should_act"] is not True:
        yield f"{talk}: the case of what was missing in it says otherwise whether to act"


def _differences(one: Played, case: dict[str, Any]) -> Iterator[str]:
    """Say where a case differs from its record: the input, what the agent did, what it should have done."""
    record, should = one.record, judge(one.record)
    if case["label"] != _LABELS[should.kind]:
        yield f"its case is {case['label']}, and the ground truth says {should.kind}"
    given: Document = {"messages": record.context, "facts": facts_of(record)}
    if not same(case["input"]["context"], given):
        yield "its case has another input than the recording"
    if not same(case["proposal"]["arguments"], record.arguments):
        yield "its case has other proposed arguments than the recording"
    if (
        case["proposal"]["confidence"] != record.own_score
        or case["proposal"]["judge_score"] != record.judge_score
    ):
        yield "its case has other scores than the recording"
    if (case["agent"]["name"], case["agent"]["version"]) != (record.agent, record.model):
        yield "its case names another agent"
    if case["truth"]["should_act"] is not (should.runs is not None):
        yield "its case says otherwise whether to act at all"
    if not same(case["truth"]["arguments"], should.runs):
        yield "its case says otherwise what should have been done"

"""The study: every recorded action asked of the gate three times, under three ways to write its policy.

Over HTTP, as an agent would, with ``dry_run``: the whole gate answers and nothing is stored, so that one
answer does not influence the next.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from datasets.replay import plan, recording
from datasets.replay.agent_side import RETRIES, proposal_of
from datasets.replay.injection.rules import RULES
from datasets.replay.recording import Record
from handrail import Client
from hitl_site.lib.strict_json import JsonValue
from policies.models import ActionType
from policies.services import policies

INJECTED: Final = "injection_followed"
CLIENTS_AT_ONCE: Final = 8


class Way(StrEnum):
    """What the policies of a round look at."""

    CONFIDENCE = "confidence alone"
    PROVENANCE = "provenance rules alone"
    BOTH = "both"


class Kind(StrEnum):
    """What a recorded action was."""

    INJECTED = "injected order followed"
    WRONG = "wrong otherwise"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Count:
    """How many of one kind there were, and how many of them waited for a person."""

    total: int
    held: int

    @property
    def share(self) -> float | None:
        return self.held / self.total if self.total else None


Counts = Mapping[tuple[str, Kind], Count]


def kind_of(record: Record) -> Kind | None:
    """Return what a record was; None where nobody knows."""
    if record.error_class == INJECTED:
        return Kind.INJECTED
    if record.correct is None:
        return None
    return Kind.RIGHT if record.correct else Kind.WRONG


def policy_of(action_type: str, way: Way, *, threshold: float) -> dict[str, JsonValue]:
    """Return the policy of one action type in a round; a type without rules has none to look at."""
    rules: list[JsonValue] = [
        {"code": rule.code, "title": rule.title, "when": rule.when, "then": "review"}
        for rule in RULES.get(action_type, ())
    ]
    return {
        # At a threshold of 0 no score, if there is one, holds anything.
        "threshold": 0.0 if way is Way.PROVENANCE else threshold,
        "score": "judge",
        "rules": [] if way is Way.CONFIDENCE else rules,
        "audit_rate": 0.01,
    }


def study(
    path: Path,
    *,
    url: str,
    threshold: float,
    clock: Callable[[], datetime],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[Way, Counts]:
    """Ask the gate at ``url`` about every record of the file, once in each way; return what it held.

    Runs beside the site, on its database. Action types are declared with the schema of what was recorded, at
    medium risk, and every agent version may run alone over the threshold: so only the policy holds.
    """
    records = [record for record in recording.read(path) if kind_of(record) is not None]
    found = plan.survey(iter(records))
    settings = plan.Settings(threshold=threshold)
    prepared = plan.prepare(found, chosen=range(len(found.entries)), settings=settings, now=clock())
    clients = {
        agent: Client(url, key, agent=agent, retries=RETRIES, timeout=30.0)
        for agent, key in prepared.keys.items()
    }
    operator = plan.make_operator(now=clock())
    rounds: dict[Way, Counts] = {}
    for number, way in enumerate(Way):
        for action_type in ActionType.objects.filter(name__in=found.examples):
            policies.put_in_force(
                action_type=action_type,
                document=policy_of(action_type.name, way, threshold=threshold),
                author=operator,
                reason=f"The study of injected orders: {way.value}",
                now=clock(),
            )

        def show(done: int, before: int = number * len(records)) -> None:
            progress(before + done, len(Way) * len(records))

        held = _ask(records, clients, show)
        rounds[way] = _counts(records, held)
    return rounds


def _ask(
    records: Sequence[Record], clients: Mapping[str, Client], progress: Callable[[int], None]
) -> list[bool]:
    """Return for each record whether the gate would not let it run alone."""

    def ask(record: Record) -> bool:
        answer = clients[record.agent].submit(
            record.action_type, record.arguments, **proposal_of(record), dry_run=True
        )
        return answer.verdict.value != "allow"

    held = []
    with ThreadPoolExecutor(CLIENTS_AT_ONCE) as pool:
        for number, answer in enumerate(pool.map(ask, records), start=1):
            held.append(answer)
            progress(number)
    return held


def _counts(records: Iterable[Record], held: Iterable[bool]) -> Counts:
    totals: dict[tuple[str, Kind], list[int]] = defaultdict(lambda: [0, 0])
    for record, waits in zip(records, held, strict=True):
        kind = kind_of(record)
        if kind is None:
            continue
        for name in ("", record.action_type.partition(".")[0], record.action_type):
            totals[name, kind][0] += 1
            totals[name, kind][1] += waits
    return {key: Count(total, waiting) for key, (total, waiting) in totals.items()}

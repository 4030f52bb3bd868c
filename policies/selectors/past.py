"""The past of an action type as columns, read once a process while they do not change.

Memory is bounded: the newest million actions of a type at most, and so many bytes of all types together.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np

from policies.models import ActionType, ConditionMatch, PastChunk, PolicyVersion
from policies.selectors import evidence_samples
from policies.statistics.columns import BYTES_PER_ACTION, Array, Columns, day_number, unpack
from policies.statistics.counterfactual import Known, Mask

if TYPE_CHECKING:
    from django.db.models import QuerySet

MOST_ACTIONS: Final = 1_000_000
MOST_BYTES: Final = 96 * 1024 * 1024

_kept: OrderedDict[int, tuple[int, Columns, int]] = OrderedDict()
_kept_lock = Lock()
_MOST_REPEATS: Final = 32
_repeats: OrderedDict[tuple[int, tuple[ChunkHead, ...]], Array] = OrderedDict()


@dataclass(frozen=True, slots=True)
class ChunkHead:
    """Which chunk, and whether a copy of it is still good."""

    pk: int
    revision: int
    size: int
    agent_version: int
    last_check: int
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The actions that a question is asked of: of the newest version of each agent, since a day."""

    action_type: ActionType
    since: date
    until: date
    heads: tuple[ChunkHead, ...]

    @property
    def days(self) -> int:
        """Return over how many days the actions are spread, at least one."""
        return max(1, (self.until - max(self.since, self.first_day)).days + 1)

    @property
    def first_day(self) -> date:
        """Return the day of the first action in its chunks, which may lie before the window."""
        return min((head.first_day for head in self.heads), default=self.until)

    def chunks(self) -> Iterator[tuple[ChunkHead, Columns, Mask]]:
        """Yield each chunk with which of its actions lie in the window."""
        for start in range(0, len(self.heads), 16):
            part = self.heads[start : start + 16]
            for head, chunk in zip(part, _read(part), strict=True):
                inside = np.ones(len(chunk), dtype=bool)
                if head.first_day < self.since:
                    inside = chunk.day >= day_number(self.since)
                yield head, chunk, inside


def window(action_type: ActionType, *, days: int, today: date) -> Window:
    """Return the window of the last ``days``: at most the newest million actions."""
    since = today - timedelta(days=days)
    heads = [
        ChunkHead(*row)
        for row in PastChunk.objects.filter(action_type=action_type, last_day__gte=since)
        .order_by("-last_check")
        .values_list("pk", "revision", "size", "agent_version_id", "last_check", "first_day", "last_day")
    ]
    current = _newest_versions(heads)
    chosen: list[ChunkHead] = []
    total = 0
    for head in heads:
        if head.agent_version in current and total < MOST_ACTIONS:
            chosen.append(head)
            total += head.size
    return Window(action_type=action_type, since=since, until=today, heads=tuple(reversed(chosen)))


def repeats(window: Window) -> Array:
    """Return the checks whose labels repeat an event, in order; asked once while the labels are the same."""
    key = (window.action_type.pk, window.heads)
    with _kept_lock:
        if key in _repeats:
            _repeats.move_to_end(key)
            return _repeats[key]
    found = np.array(evidence_samples.repeats(window.action_type), dtype=np.int64)
    with _kept_lock:
        _repeats[key] = found
        if len(_repeats) > _MOST_REPEATS:
            _repeats.popitem(last=False)
    return found


def digest_of(condition: str) -> str:
    """Return the name under which the answers of a condition are kept."""
    return sha256(condition.strip().encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Where each condition stands in each policy version: what was matched then need not be asked again."""

    places: Mapping[str, Mapping[int, int]]

    def known(
        self, chunk: Columns, head: ChunkHead, asked: Mapping[tuple[int, str], Known]
    ) -> dict[str, Known]:
        """Return what is known of each condition in a chunk: from its verdicts, or because it was asked."""
        found = {}
        for condition, versions in self.places.items():
            true = np.zeros(len(chunk), dtype=bool)
            known = np.zeros(len(chunk), dtype=bool)
            for version, place in versions.items():
                under = chunk.policy == version
                known |= under
                true |= under & ((chunk.matched >> np.uint64(place)) & np.uint64(1)).astype(bool)
            again = asked.get((head.pk, condition))
            if again is not None:
                # The copy of a chunk may be newer than its head, never the other way round.
                told = slice(0, min(len(again.true), len(chunk)))
                true[told] = np.where(known[told], true[told], again.true[told])
                known[told] |= again.known[told]
            found[condition] = Known(true=true, known=known)
        return found


def rule_book(action_type: ActionType, conditions: Sequence[str]) -> RuleBook:
    """Return in which versions of the type's policy these conditions stand word for word."""
    wanted = {digest_of(condition) for condition in conditions}
    places: dict[str, dict[int, int]] = {each: {} for each in wanted}
    if wanted:
        versions = PolicyVersion.objects.filter(action_type=action_type).exclude(published_at=None)
        for pk, document in versions.values_list("pk", "document"):
            for place, rule in enumerate(document.get("rules", [])[:64]):
                name = digest_of(str(rule["when"]))
                if name in wanted:
                    places[name][pk] = place
    return RuleBook(places)


def asked_before(heads: Sequence[ChunkHead], conditions: Sequence[str]) -> dict[tuple[int, str], Known]:
    """Return the answers that were given when these conditions were asked of the past."""
    if not conditions:
        return {}
    wanted = [digest_of(condition) for condition in conditions]
    sizes = {head.pk: head.size for head in heads}
    rows: QuerySet[ConditionMatch] = ConditionMatch.objects.filter(
        chunk_id__in=list(sizes), condition_sha256__in=wanted
    )
    return {(row.chunk_id, row.condition_sha256): _known(row, sizes[row.chunk_id]) for row in rows.iterator()}


def _known(row: ConditionMatch, size: int) -> Known:
    true, known = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    told = min(row.size, size)
    true[:told] = np.unpackbits(np.frombuffer(bytes(row.bits), dtype=np.uint8), count=row.size)[:told]
    known[:told] = True
    return Known(true=true, known=known)


def _newest_versions(heads: Sequence[ChunkHead]) -> frozenset[int]:
    """Return the version of each agent that was judged last: a new one is another population."""
    from policies.models import AgentVersion

    latest: dict[int, int] = {}
    for head in heads:
        latest[head.agent_version] = max(latest.get(head.agent_version, 0), head.last_check)
    agents = dict(AgentVersion.objects.filter(pk__in=list(latest)).values_list("pk", "agent_id"))
    newest: dict[int, int] = {}
    for version, agent in agents.items():
        if agent not in newest or latest[version] > latest[newest[agent]]:
            newest[agent] = version
    return frozenset(newest.values())


def _read(heads: Sequence[ChunkHead]) -> list[Columns]:
    """Return the chunks of these heads, those read before from memory."""
    with _kept_lock:
        found = {head.pk: _kept[head.pk][1] for head in heads if _is_kept(head)}
        for pk in found:
            _kept.move_to_end(pk)
    missing = [head.pk for head in heads if head.pk not in found]
    if missing:
        rows = PastChunk.objects.filter(pk__in=missing).values_list(
            "pk", "revision", "size", "fields", "columns", "numbers"
        )
        for pk, revision, size, fields, packed, numbers in rows:
            found[pk] = unpack(bytes(packed), bytes(numbers), size=size, fields=fields)
            _keep(pk, revision, found[pk], size * (BYTES_PER_ACTION + 8 * len(fields)))
    empty = unpack(b"", b"", size=0, fields=[])
    return [found.get(head.pk, empty) for head in heads]


def _is_kept(head: ChunkHead) -> bool:
    return head.pk in _kept and _kept[head.pk][0] >= head.revision


def _keep(pk: int, revision: int, chunk: Columns, weight: int) -> None:
    with _kept_lock:
        _kept[pk] = (revision, chunk, weight)
        _kept.move_to_end(pk)
        total = sum(each[2] for each in _kept.values())
        while total > MOST_BYTES and len(_kept) > 1:
            total -= _kept.popitem(last=False)[1][2]

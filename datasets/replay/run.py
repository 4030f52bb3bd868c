"""One replay from beginning to end: plan, agents and reviewers at work, and what is left to wait for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from datasets.replay import omissions, plan, reconciliation, recording
from datasets.replay.agent_side import AgentSide, Played, Roll
from datasets.replay.omissions import LeftUndone
from datasets.replay.recording import Record
from datasets.replay.report import Progress
from datasets.replay.reviewer import ScriptedReviewer, Tally
from hitl_site.lib.clock import database_now

# An agent spends nearly all of its time waiting for a person; more of them would only queue up further.
AGENTS_AT_ONCE: Final = 24
SETTLING_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True)
class Replayed:
    """What the agents and the reviewers of a replay did, and how long it took."""

    played: tuple[Played, ...]
    tallies: tuple[Tally, ...]
    seconds: float
    left_undone: LeftUndone | None = None

    @property
    def action_ids(self) -> list[str]:
        return [one.action_id for one in self.played if one.action_id]


def replay(
    path: Path,
    *,
    url: str,
    settings: plan.Settings,
    limit: int | None = None,
    seed: int | None = None,
    speed: float | None = None,
    conversations: Path | None = None,
) -> Replayed:
    """Feed a recording through the site at ``url``, beside which this runs on the same database.

    With a recording of ``conversations``: then close them too, and read those that are drawn.
    """
    endings = [] if conversations is None else list(recording.read_endings(conversations))
    found = plan.survey(recording.read(path), endings)
    chosen = found.choose(limit=limit, seed=seed)
    prepared = plan.prepare(found, chosen=chosen, settings=settings, now=database_now())
    roll = Roll()
    reviewers = [ScriptedReviewer(url, account, roll) for account in prepared.reviewers]
    for reviewer in reviewers:
        reviewer.sign_in()
    began = time.monotonic()
    agents_done = threading.Event()
    at_work = [
        threading.Thread(target=reviewer.work, args=(agents_done,), name=f"reviewer-{number}", daemon=True)
        for number, reviewer in enumerate(reviewers, start=1)
    ]
    for thread in at_work:
        thread.start()
    progress = Progress(len(chosen))
    try:
        records = _paced(_chosen(path, chosen), speed)
        agents = AgentSide(url, prepared.keys, roll)
        played = _play(agents, records, progress)
    finally:
        agents_done.set()
    for thread in at_work:
        thread.join()
    progress.end()
    replayed = Replayed(
        tuple(played), tuple(reviewer.tally for reviewer in reviewers), time.monotonic() - began
    )
    _let_settle(lambda: _is_labelled(replayed.action_ids))
    if not endings:
        return replayed
    left_undone = omissions.replay(
        endings,
        [one.record for one in played],
        agents=agents,
        share=settings.conversation_share,
        reader=prepared.reviewers[0],
    )
    _let_settle(lambda: not omissions.without_case())
    return replace(replayed, left_undone=left_undone)


def _chosen(path: Path, chosen: Collection[int]) -> Iterator[Record]:
    return (record for at, record in enumerate(recording.read(path)) if at in chosen)


def _paced(records: Iterator[Record], speed: float | None) -> Iterator[Record]:
    """Yield at most ``speed`` records a second."""
    began = time.monotonic()
    for number, record in enumerate(records):
        if speed is not None:
            time.sleep(max(0.0, began + number / speed - time.monotonic()))
        yield record


def _play(agents: AgentSide, records: Iterator[Record], progress: Progress) -> list[Played]:
    """Play the records in their order, some at once; the recording is read as they go."""
    played: list[Played] = []
    under_way: set[Future[Played]] = set()
    progress.show(0)
    with ThreadPoolExecutor(AGENTS_AT_ONCE, thread_name_prefix="agent") as pool:
        for record in records:
            under_way.add(pool.submit(agents.play, record))
            while len(under_way) >= AGENTS_AT_ONCE:
                under_way = _collect(under_way, played, progress)
        while under_way:
            under_way = _collect(under_way, played, progress)
    return played


def _collect(under_way: set[Future[Played]], played: list[Played], progress: Progress) -> set[Future[Played]]:
    done, rest = wait(under_way, timeout=1.0, return_when=FIRST_COMPLETED)
    played.extend(future.result() for future in done)
    problems = sum(1 for one in played if one.problem)
    progress.show(len(played), said=f", {problems} with a problem" if problems else "")
    return rest


def _is_labelled(action_ids: Sequence[str]) -> bool:
    """Say whether the last undo windows are over and the labelling has caught up."""
    return not reconciliation.unreleased(action_ids) and not reconciliation.released_without_case(action_ids)


def _let_settle(settled: Callable[[], bool]) -> None:
    """Wait until it is, or long enough."""
    deadline = time.monotonic() + SETTLING_SECONDS
    while not settled() and time.monotonic() < deadline:
        time.sleep(0.3)

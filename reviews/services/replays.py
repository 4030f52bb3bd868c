"""Asking conditions of the past again: for a draft's rules that no verdict of the time can answer.

Each action is asked as it was proposed, with the measures that were taken then. What was found is kept a
chunk at a time, so a run that dies goes on where it stopped, and a new action costs only itself. A few
actions are asked while the page is made; more of them by a worker, with its progress.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import F, Q

from hitl_site.lib import ids
from hitl_site.lib.jobs import hint
from policies.choices import RunState
from policies.engine import matching
from policies.engine.conditions import Condition, ConditionFailed, compile_condition, prepare
from policies.engine.documents import UnusableDocument, measure
from policies.engine.facts import AgentFacts, ConversationFacts, Facts, Level, Mode
from policies.engine.provenance import Provenance
from policies.models import ActionType, ConditionMatch, WhatIfRun
from policies.selectors import past
from policies.selectors.past import ChunkHead, Window
from policies.services import gate
from policies.statistics.columns import Columns
from policies.statistics.counterfactual import Mask
from reviews.models import ActionRequest

if TYPE_CHECKING:
    from django.contrib.auth.models import User

TASK: Final = "reviews.run_what_if"
# So many are asked while somebody waits for the page.
AT_ONCE: Final = 300
SLICE_SECONDS: Final = 120.0
SILENT_AFTER: Final = timedelta(seconds=60)
MAX_ATTEMPTS: Final = 5
KEPT_FOR: Final = timedelta(days=7)
_BATCH: Final = 500
_UNDER_WAY: Final = (RunState.QUEUED, RunState.RUNNING)

Clock = Callable[[], datetime]


def ask_at_once(*, window: Window, conditions: Sequence[str], now: datetime) -> None:
    """Ask the conditions of the window's actions here and now."""
    for head, unknown in _open(window, conditions):
        _ask_chunk(window, head, conditions, unknown, now)


def request(
    *,
    action_type: ActionType,
    conditions: Sequence[str],
    days: int,
    total: int,
    asked_by: User,
    now: datetime,
) -> WhatIfRun:
    """Return the run that asks these conditions of the last days; while one is under way, that one."""
    texts = sorted(set(conditions))
    digest = sha256("\0".join([str(days), *texts]).encode()).hexdigest()
    under_way = WhatIfRun.objects.filter(
        action_type=action_type, question_sha256=digest, state__in=_UNDER_WAY
    )
    run = under_way.first()
    if run is None:
        try:
            with transaction.atomic():
                run = WhatIfRun.objects.create(
                    public_id=ids.new("wif"),
                    action_type=action_type,
                    conditions=texts,
                    days=days,
                    question_sha256=digest,
                    total=total,
                    asked_by_name=asked_by.get_full_name() or asked_by.get_username(),
                    asked_at=now,
                )
        except IntegrityError:
            # Somebody asked the same at the same moment.
            return under_way.get()
        # What nobody asked for lately is asked again when somebody does.
        ConditionMatch.objects.filter(asked_at__lt=now - KEPT_FOR).delete()
        hint(TASK, run_id=run.public_id)
    return run


def to_do(*, now: datetime) -> list[str]:
    """Return the runs that nobody is at."""
    rows = WhatIfRun.objects.filter(_free(now), state__in=_UNDER_WAY)
    return list(rows.order_by("id").values_list("public_id", flat=True))


def run(*, run_id: str, clock: Clock, slice_seconds: float = SLICE_SECONDS) -> bool:
    """Ask on, for at most a slice of time; return whether there is more to do."""
    found = _claim(run_id, clock())
    if found is None:
        return False
    ends = time.monotonic() + slice_seconds
    window = past.window(found.action_type, days=found.days, today=clock().date())
    for head, unknown in _open(window, found.conditions):
        _ask_chunk(window, head, found.conditions, unknown, clock())
        if not _save(found, done=F("done") + int(np.count_nonzero(unknown)), heartbeat_at=clock()):
            return False
        if time.monotonic() >= ends:
            _save(found, state=RunState.QUEUED, attempts=F("attempts") - 1, heartbeat_at=None)
            return True
    _save(found, state=RunState.DONE, finished_at=clock())
    return False


def _free(now: datetime) -> Q:
    return Q(state=RunState.QUEUED) | Q(heartbeat_at__lt=now - SILENT_AFTER)


@transaction.atomic
def _claim(run_id: str, now: datetime) -> WhatIfRun | None:
    rows = WhatIfRun.objects.select_for_update(of=("self",), skip_locked=True).select_related("action_type")
    run = rows.filter(_free(now), public_id=run_id, state__in=_UNDER_WAY).first()
    if run is None:
        return None
    run.attempts += 1
    if run.attempts > MAX_ATTEMPTS:
        run.state, run.finished_at = RunState.FAILED, now
        run.problem = f"The worker died {MAX_ATTEMPTS} times while asking."
        run.save(update_fields=["state", "finished_at", "problem"])
        return None
    run.state, run.heartbeat_at = RunState.RUNNING, now
    run.save(update_fields=["attempts", "state", "heartbeat_at"])
    return run


def _save(run: WhatIfRun, **changes: object) -> bool:
    held = WhatIfRun.objects.filter(pk=run.pk, attempts=run.attempts, state=RunState.RUNNING)
    return bool(held.update(**changes))


def _open(window: Window, conditions: Sequence[str]) -> Iterator[tuple[ChunkHead, Mask]]:
    """Yield the chunks of which something is not known yet, with which of their actions."""
    book = past.rule_book(window.action_type, conditions)
    asked = past.asked_before(window.heads, conditions)
    for head, chunk, inside in window.chunks():
        known = book.known(chunk, head, asked)
        unknown = np.zeros(len(chunk), dtype=bool)
        for each in known.values():
            unknown |= ~each.known
        if (unknown & inside).any():
            # All of the chunk, also what lies before the window: its answers are one row.
            yield head, unknown


def _ask_chunk(
    window: Window, head: ChunkHead, conditions: Sequence[str], unknown: Mask, now: datetime
) -> None:
    compiled = {past.digest_of(text): compile_condition(text) for text in conditions}
    ((_, chunk, _),) = replace(window, heads=(head,)).chunks()
    true = {digest: np.zeros(len(chunk), dtype=bool) for digest in compiled}
    places = np.flatnonzero(unknown)
    for start in range(0, len(places), _BATCH):
        part = places[start : start + _BATCH]
        for place, said in _ask(chunk, part, compiled):
            for digest, holds in said.items():
                true[digest][place] = holds
    book = past.rule_book(window.action_type, conditions)
    for digest, found in book.known(chunk, head, {}).items():
        bits = np.packbits(np.where(found.known, found.true, true[digest])).tobytes()
        ConditionMatch.objects.update_or_create(
            chunk_id=head.pk,
            condition_sha256=digest,
            defaults={"size": len(chunk), "bits": bits, "asked_at": now},
        )


def _ask(
    chunk: Columns,
    places: np.ndarray,
    compiled: Mapping[str, Condition],
) -> Iterator[tuple[int, dict[str, bool]]]:
    checks = {int(chunk.check[place]): int(place) for place in places}
    actions = ActionRequest.objects.filter(gate_check_id__in=list(checks)).select_related(
        "gate_check", "action_type", "agent", "agent_version", "context"
    )
    for action in actions:
        yield checks[action.gate_check_id], holds(action, compiled)


def holds(action: ActionRequest, conditions: Mapping[str, Condition]) -> dict[str, bool]:
    """Return which conditions are true of an action as it was proposed; no answer holds it, so it is true."""
    facts = _facts(action)
    try:
        known = matching.variables(facts, measure(facts.arguments))
    except UnusableDocument:
        return dict.fromkeys(conditions, True)
    used = frozenset[str]().union(*(condition.uses for condition in conditions.values()))
    asks = any(condition.asks_provenance for condition in conditions.values())
    try:
        values = prepare(
            {name: known.values[name] for name in used},
            longest=known.longest,
            provenance=Provenance(facts.heard) if asks else None,
        )
    except ConditionFailed:
        return dict.fromkeys(conditions, True)
    found = {}
    for name, condition in conditions.items():
        try:
            found[name] = condition.holds(values)
        except ConditionFailed:
            found[name] = True
    return found


def _facts(action: ActionRequest) -> Facts:
    """Return what rules can read of a past action; the rest of the facts is not asked."""
    context = action.context.context if isinstance(action.context.context, dict) else {}
    messages, stated = context.get("messages"), context.get("facts")
    return Facts(
        action_type=gate.action_type_facts(action.action_type) if action.action_type is not None else None,
        arguments=action.arguments,
        agent=AgentFacts(name=action.agent.name, version=action.agent_version.label, known_version=True),
        level=Level.THRESHOLD,
        policy=None,
        policy_version=None,
        draw=0.0,
        blind_draw=0.0,
        kill_switch=False,
        agent_active=True,
        confidence=action.confidence,
        judge_score=action.judge_score,
        sample_agreement=action.sample_agreement,
        mode=Mode(action.mode),
        environment=action.environment,
        subject=action.subject,
        conversation=ConversationFacts(
            id=action.conversation_id or None,
            message_count=len(messages) if isinstance(messages, list) else 0,
        ),
        platform_facts=stated if isinstance(stated, dict) else {},
        now=action.created_at,
        history=action.gate_check.history,
        heard=action.context.context,
    )

"""Reconciliation: what the site's own records say happened to each record, compared with what should have.

Reads the database and nothing of what the agents or reviewers of the replay remember, except what ran.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from datasets.models import LabelledCase
from datasets.replay.agent_side import Played
from datasets.replay.ground_truth import Judgement, judge, same
from datasets.replay.recording import Document
from policies.choices import Trigger
from reviews.choices import RUNNABLE_STATES, ActionState, DecisionKind, ItemKind, Outcome
from reviews.models import ActionRequest, Decision, Execution, ReviewItem

_BATCH = 500
_ENDS = {
    DecisionKind.APPROVE: ActionState.APPROVED,
    DecisionKind.CORRECT: ActionState.CORRECTED,
    DecisionKind.REJECT: ActionState.REJECTED,
}


@dataclass(slots=True)
class Line:
    """The numbers of one action type."""

    proposed: int = 0
    allowed: int = 0
    held: Counter[str] = field(default_factory=Counter)
    approved: int = 0
    corrected: int = 0
    rejected: int = 0
    wrong_unseen: int = 0
    wrong_audited: int = 0
    wrong_stopped: int = 0
    audits: int = 0
    cases: int = 0


@dataclass(frozen=True, slots=True)
class Found:
    """The numbers by action type, and everything that is not as it should be."""

    lines: dict[str, Line]
    problems: list[str]


@dataclass(frozen=True, slots=True)
class _Kept:
    """All rows of one action."""

    action: ActionRequest
    items: Sequence[ReviewItem]
    decisions: Sequence[Decision]
    executions: Sequence[Execution]
    cases: Mapping[str, int]


def reconcile(played: Sequence[Played]) -> Found:
    """Compare every record with what the database holds of it."""
    lines: dict[str, Line] = defaultdict(Line)
    problems: list[str] = []
    for start in range(0, len(played), _BATCH):
        batch = played[start : start + _BATCH]
        kept = _load(batch)
        for one in batch:
            line = lines[one.record.action_type]
            line.proposed += 1
            rows = kept.get((one.record.agent, one.record.event_id))
            problems += [f"{one.record.event_id}: {problem}" for problem in _problems(one, rows)]
            if rows is not None:
                _count(line, one, rows)
    return Found(dict(lines), problems)


def released_without_case(action_ids: Iterable[str]) -> int:
    """Return how many released decisions of these actions have no case yet."""
    released = Decision.objects.filter(
        action__public_id__in=list(action_ids), terminal=True, released_at__isnull=False
    )
    labelled = LabelledCase.objects.values("decision_id")
    return released.exclude(public_id__in=labelled).count()


def unreleased(action_ids: Iterable[str]) -> int:
    """Return how many answers are still in their undo window."""
    return Decision.objects.filter(
        action__public_id__in=list(action_ids), terminal=True, released_at=None, undone_at=None
    ).count()


def _load(batch: Sequence[Played]) -> dict[tuple[str, str], _Kept]:
    keys = {one.record.event_id for one in batch}
    agents = {one.record.agent for one in batch}
    actions = list(
        ActionRequest.objects.filter(idempotency_key__in=keys, agent__name__in=agents).select_related(
            "agent", "gate_check"
        )
    )
    items, decisions, executions = defaultdict(list), defaultdict(list), defaultdict(list)
    for item in ReviewItem.objects.filter(action__in=actions):
        items[item.action_id].append(item)
    for decision in Decision.objects.filter(action__in=actions).select_related("item"):
        decisions[decision.action_id].append(decision)
    for execution in Execution.objects.filter(action__in=actions).select_related("permit"):
        executions[execution.action_id].append(execution)
    cases = Counter(
        LabelledCase.objects.filter(action_id__in=[action.public_id for action in actions]).values_list(
            "decision_id", flat=True
        )
    )
    return {
        (action.agent.name, action.idempotency_key): _Kept(
            action, items[action.pk], decisions[action.pk], executions[action.pk], cases
        )
        for action in actions
    }


def _problems(one: Played, rows: _Kept | None) -> Iterator[str]:
    if one.problem:
        yield one.problem
    if rows is None:
        yield "lost: the site has no action of it"
        return
    action, should = rows.action, judge(one.record)
    if not same(_document(action.arguments_canonical), one.record.arguments):
        yield "the site keeps other arguments than those proposed"
    if action.state == ActionState.PENDING_REVIEW:
        yield "undecided: it is still waiting for a person"
    for item in rows.items:
        yield from _item_problems(item, rows, should)
    held = action.gate_check.verdict == "review"
    if held and action.state in _ENDS.values() and action.state != _ENDS[should.kind]:
        yield f"decided otherwise: {action.state}, and the ground truth says {should.kind}"
    yield from _run_problems(one, rows, should if held else None)


def _item_problems(item: ReviewItem, rows: _Kept, should: Judgement) -> Iterator[str]:
    answers = [each for each in rows.decisions if each.item_id == item.pk and each.undone_at is None]
    if not answers:
        yield f"undecided: {item.public_id} ({item.kind}) has no decision"
        return
    if len(answers) > 1:
        yield f"decided {len(answers)} times: {item.public_id}"
    for answer in answers:
        if answer.kind != should.kind:
            yield f"{item.public_id} was answered {answer.kind}, and the ground truth says {should.kind}"
        elif answer.kind == DecisionKind.CORRECT and not same(
            _document(answer.final_arguments_canonical), should.runs
        ):
            yield f"{item.public_id} was corrected to other arguments than the recording's"
        if answer.released_at is None:
            yield f"the decision {answer.public_id} was never released"
        made = rows.cases.get(answer.public_id, 0)
        if made != 1:
            yield f"the decision {answer.public_id} made {made} cases instead of one"


def _run_problems(one: Played, rows: _Kept, should: Judgement | None) -> Iterator[str]:
    """Say what is wrong with what ran. ``should`` is None where the gate let the proposal itself run."""
    decided = one.record.arguments if should is None else should.runs
    if rows.action.state not in RUNNABLE_STATES:
        decided = None
    if decided is None:
        if rows.executions or one.ran is not None:
            yield f"it ran, although it was {rows.action.state}"
        return
    if len(rows.executions) != 1:
        yield f"it ran {len(rows.executions)} times instead of once"
    if one.ran is not None and not same(one.ran, decided):
        yield "it ran with other arguments than those decided"
    for execution in rows.executions:
        if execution.outcome != Outcome.SUCCEEDED or not execution.reported:
            yield f"its outcome is {execution.outcome or 'missing'}"
        if not execution.executed_digest == execution.permit.digest == rows.action.final_digest:
            yield "the digests of decision, permit and run are not the same"


def _count(line: Line, one: Played, rows: _Kept) -> None:
    action, wrong = rows.action, one.record.correct is False
    audits = [item for item in rows.items if item.kind == ItemKind.AUDIT]
    line.audits += len(audits)
    line.cases += sum(rows.cases.get(decision.public_id, 0) for decision in rows.decisions)
    if action.state == ActionState.ALLOWED:
        line.allowed += 1
        if wrong and audits:
            line.wrong_audited += 1
        elif wrong:
            line.wrong_unseen += 1
        return
    if action.gate_check.trigger:
        line.held[Trigger(action.gate_check.trigger).value] += 1
    line.approved += action.state == ActionState.APPROVED
    line.corrected += action.state == ActionState.CORRECTED
    line.rejected += action.state == ActionState.REJECTED
    line.wrong_stopped += wrong and action.state in (ActionState.CORRECTED, ActionState.REJECTED)


def _document(canonical: bytes | memoryview | None) -> Document | None:
    if canonical is None:
        return None
    value: Document = json.loads(bytes(canonical))
    return value

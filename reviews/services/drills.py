"""Drills: items with a known answer, drawn as people decide real ones, and served like any other.

A drill is an action that no agent proposed. Its gate check is asked for in earnest and marked, so that the
database itself refuses a permit and an observation for it; no agent finds it; nothing counts it. To the
reviewer it is an item like the others until they have answered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Count, QuerySet

from hitl_site.lib import ids
from hitl_site.lib.canonical import action_digest, canonicalize, digest_of_canonical
from hitl_site.lib.strict_json import JsonValue
from policies.engine.facts import Verdict
from policies.engine.sampling import audit_draw
from policies.models import ActionType, GateCheck
from policies.services import drill_results, gate, ledger
from policies.services.gate import Proposal
from reviews.choices import ActionState, DecisionKind, ItemKind, Mode, SeedState
from reviews.engine.refreshing import CannotRefresh, Case, refreshed
from reviews.models import ActionContext, ActionRequest, Decision, Drill, DrillSeed, ReviewItem
from reviews.schema_form import validate
from reviews.schema_form.titles import render_title
from reviews.selectors.actions import proposed_arguments
from reviews.selectors.drills import is_caught
from reviews.selectors.history import History
from reviews.services import gatekeeping, wakeups
from reviews.services.due_rows import work_off
from reviews.services.rights import current_holder

MANAGE: Final = "reviews.manage_drills"
_ACTOR: Final = ledger.Actor.system("drills")
# Served at once, a drill would stand right behind the item whose decision drew it.
_LATEST: Final = timedelta(minutes=10)
_MOST_TRIED: Final = 8


class UnableToUse(Exception):
    """The decision cannot become drills, or the seed cannot take this step. Nothing has changed."""


@dataclass(frozen=True)
class Preview:
    """A drill as a seed would make it now: what would be proposed, and what is right."""

    seed: DrillSeed
    case: Case | None
    problem: str = ""


def plan(*, decision: Decision, now: datetime) -> Drill | None:
    """Draw, in the transaction that records an answer to a real item, whether a drill comes after it.

    The draw is random to everybody and kept with its probability. None where it says no, and while there is
    nothing approved to make a drill from.
    """
    action = decision.action
    action_type = action.action_type
    if action.drill or action_type is None or decision.item.kind != ItemKind.GATE:
        return None
    rate = action_type.drill_rate
    if rate <= 0 or _draw(decision.public_id, "drill") >= rate or not seeds_in_use(action_type).exists():
        return None
    return _let_follow(decision, action_type, propensity=rate, now=now)


@transaction.atomic
def call_for(*, decision: Decision, now: datetime) -> Drill:
    """Let a drill follow a decision for certain, where none was drawn: to begin with, or for practice."""
    action_type = decision.action.action_type
    if action_type is None or decision.action.drill or not seeds_in_use(action_type).exists():
        raise UnableToUse("There is nothing approved to make a drill from.")
    there = Drill.objects.filter(drawn_by=decision.public_id).first()
    return there or _let_follow(decision, action_type, propensity=1.0, now=now)


def _let_follow(decision: Decision, action_type: ActionType, *, propensity: float, now: datetime) -> Drill:
    drill = Drill.objects.create(
        drawn_by=decision.public_id,
        action_type=action_type,
        propensity=propensity,
        drawn_at=now,
        serve_at=now + _LATEST * _draw(decision.public_id, "drill delay"),
    )
    ledger.record(
        actor=_ACTOR,
        verb="drill.drawn",
        object_kind="drill",
        object_id=decision.public_id,
        payload={"action_type": action_type.name, "propensity": propensity},
        now=now,
    )
    return drill


def serve_due(*, now: datetime) -> int:
    """Put into the inbox every drill whose moment has come. Return how many this call served or dropped."""
    waiting = Drill.objects.filter(served_at=None, dropped_because="")
    return work_off(waiting, due="serve_at", act=_serve, now=now)


def answered(*, decision: Decision, now: datetime) -> None:
    """Keep what came of a drill, in the transaction that records the answer. Nothing for a real item."""
    if not decision.action.drill:
        return
    drill = Drill.objects.select_related("seed").get(action=decision.action)
    assert drill.seed is not None
    drill_results.record(
        drill_id=decision.action.public_id,
        action_type=drill.action_type,
        reviewer=decision.reviewer,
        error_kind=drill.seed.error_kind,
        caught=is_caught(decision, drill),
        decision_ms=decision.decision_ms,
        warm_up=drill.burst_id is not None,
        now=now,
    )


@transaction.atomic
def make_seed(
    *, decision: Decision, error_kind: str, made_by: User, now: datetime, approve: bool = False
) -> DrillSeed:
    """Let drills be made from a decision that has gone out; ``error_kind`` says what was wrong, "" nothing.

    Raises ``UnableToUse`` and ``NotAllowed``. Once a decision is a seed, the seed that exists is returned.
    """
    made_by = current_holder(made_by, MANAGE)
    there = DrillSeed.objects.filter(source=decision).first()
    if there is not None:
        return there
    action_type = _usable(decision, error_kind)
    seed = DrillSeed(
        public_id=ids.new("drs"),
        action_type=action_type,
        source=decision,
        planted=bool(error_kind),
        error_kind=error_kind,
        made_by=made_by,
        made_by_name=made_by.get_full_name() or made_by.get_username(),
        made_at=now,
    )
    fresh = preview(seed, now=now)
    if fresh.case is None:
        raise UnableToUse(fresh.problem)
    seed.save(force_insert=True)
    _record(seed, "drill_seed.made", by=made_by, now=now, before=None)
    return judge_seed(seed=seed, state=SeedState.APPROVED, judged_by=made_by, now=now) if approve else seed


@transaction.atomic
def judge_seed(*, seed: DrillSeed, state: SeedState, judged_by: User, now: datetime) -> DrillSeed:
    """Take a seed into use, or out of it for good. The same again changes nothing."""
    judged_by = current_holder(judged_by, MANAGE)
    seed = DrillSeed.objects.select_for_update(of=("self",)).get(pk=seed.pk)
    if seed.state == state:
        return seed
    if seed.state == SeedState.RETIRED or state == SeedState.WAITING:
        raise UnableToUse("A retired seed stays retired; make another one.")
    if state == SeedState.APPROVED:
        found = preview(seed, now=now)
        if found.case is None:
            raise UnableToUse(found.problem)
    before = seed.state
    seed.state = state
    seed.judged_by = judged_by
    seed.judged_by_name = judged_by.get_full_name() or judged_by.get_username()
    seed.judged_at = now
    seed.save(update_fields=["state", "judged_by", "judged_by_name", "judged_at"])
    _record(seed, f"drill_seed.{state.value}", by=judged_by, now=now, before=before)
    return seed


def preview(seed: DrillSeed, *, now: datetime, key: bytes = b"preview") -> Preview:
    """Return one drill that the seed would make. Nothing is kept."""
    try:
        return Preview(seed, _fresh(seed, key=key, now=now))
    except CannotRefresh as problem:
        return Preview(seed, None, str(problem))


def _usable(decision: Decision, error_kind: str) -> ActionType:
    action = decision.action
    if action.drill or action.action_type is None or decision.item.kind != ItemKind.GATE:
        raise UnableToUse("Drills are made from held actions of a declared type.")
    if decision.released_at is None or decision.undone_at is not None or not decision.terminal:
        raise UnableToUse("This answer has not gone out.")
    if (decision.kind == DecisionKind.APPROVE) != (error_kind == ""):
        raise UnableToUse("What was approved had nothing wrong; what was not, had.")
    if not decision.considered:
        raise UnableToUse("This answer was given too fast to be an answer that is known to be right.")
    return action.action_type


def _draw(name: str, purpose: str) -> float:
    return audit_draw(settings.AUDIT_DRAW_SECRET, name, purpose)


def seeds_in_use(action_type: ActionType) -> QuerySet[DrillSeed]:
    """Return what drills of this type may be made from."""
    return DrillSeed.objects.filter(action_type=action_type, state=SeedState.APPROVED)


@transaction.atomic
def _serve(drill_pk: int, now: datetime) -> bool:
    drill = (
        Drill.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("action_type")
        .filter(pk=drill_pk, served_at=None, dropped_because="", serve_at__lte=now)
        .first()
    )
    if drill is None:
        return False
    drawn_by = Decision.objects.select_related("action__agent", "action__agent_version").get(
        public_id=drill.drawn_by
    )
    serve(drill=drill, seeds=_candidates(drill), like=drawn_by.action, now=now)
    return True


def serve(
    *,
    drill: Drill,
    seeds: Sequence[DrillSeed],
    like: ActionRequest,
    reserved_for: User | None = None,
    now: datetime,
) -> ReviewItem | None:
    """Put a drill into the inbox, of the first of ``seeds`` that makes one that the gate holds; else drop it.

    The caller's transaction holds the drill. It is proposed as ``like`` was; one that is ``reserved_for``
    somebody is for them alone, and nobody else is told of it.
    """
    for seed in seeds:
        try:
            case = _fresh(seed, key=f"{drill.drawn_by}:{seed.public_id}".encode(), now=now)
        except CannotRefresh:
            continue
        proposal = _proposal(case, seed, like=like)
        check = gate.judge(proposal=proposal, drill=True, now=now)
        # What the gate would let pass, or deny, today is no item that anybody could meet.
        if check.verdict == Verdict.REVIEW:
            return _put_in(drill, seed, case, proposal, check, reserved_for=reserved_for, now=now)
    drill.dropped_because = "Nothing approved makes a drill that the gate would hold."
    drill.save(update_fields=["dropped_because"])
    ledger.record(
        actor=_ACTOR,
        verb="drill.dropped",
        object_kind="drill",
        object_id=drill.drawn_by,
        payload={"because": drill.dropped_because},
        now=now,
    )
    return None


def _candidates(drill: Drill) -> Sequence[DrillSeed]:
    """Return approved seeds to try in turn: half of the drills have an error, the least used come first."""
    wrong = _draw(drill.drawn_by, "drill kind") < 0.5
    seeds = list(seeds_in_use(drill.action_type).select_related("action_type").annotate(used=Count("drills")))
    seeds.sort(key=lambda seed: (seed.planted != wrong, seed.used, _draw(drill.drawn_by, seed.public_id)))
    return seeds[:_MOST_TRIED]


def _fresh(seed: DrillSeed, *, key: bytes, now: datetime) -> Case:
    action = seed.source.action
    schema = seed.action_type.argument_schema
    proposed = proposed_arguments(action)
    return refreshed(
        Case(
            arguments=proposed,
            expected=_expected(seed, proposed),
            context=action.context.context,
            reason=action.context.reason,
            subject=action.subject,
            conversation_id=action.conversation_id,
            others={"judge": action.context.judge, "samples": action.context.samples},
            at=action.created_at,
        ),
        key=key,
        now=now,
        fits=lambda arguments: not validate(schema, arguments),
        kept=frozenset(_listed(schema)),
    )


def _expected(seed: DrillSeed, proposed: dict[str, JsonValue]) -> dict[str, JsonValue] | None:
    source = seed.source
    if source.kind == DecisionKind.REJECT:
        return None
    if source.final_arguments_canonical is None:
        return proposed
    right: dict[str, JsonValue] = json.loads(bytes(source.final_arguments_canonical))
    return right


def _listed(schema: JsonValue) -> Iterator[str]:
    """Yield the texts that a schema names as values: they mean something and are never made fresh."""
    if isinstance(schema, dict):
        for name, value in schema.items():
            if name == "enum" and isinstance(value, list):
                yield from (each for each in value if isinstance(each, str))
            elif name == "const" and isinstance(value, str):
                yield value
            else:
                yield from _listed(value)
    elif isinstance(schema, list):
        for each in schema:
            yield from _listed(each)


def _proposal(case: Case, seed: DrillSeed, *, like: ActionRequest) -> Proposal:
    """Return the case as the agent would propose it today whose real action was decided a moment ago."""
    source = seed.source.action
    return Proposal(
        action_id=ids.new("act"),
        agent=like.agent,
        agent_version=like.agent_version,
        action_type_name=seed.action_type.name,
        arguments=case.arguments,
        mode=Mode.GATED.value,
        confidence=source.confidence,
        judge_score=source.judge_score,
        sample_agreement=source.sample_agreement,
        environment=like.environment,
        subject=case.subject,
        conversation_id=case.conversation_id,
        context=case.context,
        past=History(waits=False),
    )


def _put_in(
    drill: Drill,
    seed: DrillSeed,
    case: Case,
    proposal: Proposal,
    check: GateCheck,
    *,
    reserved_for: User | None,
    now: datetime,
) -> ReviewItem:
    """Write the action, its gate check, its context and its item, as a submission would have them."""
    check.save(force_insert=True)
    canonical = canonicalize(case.arguments)
    action_type = seed.action_type
    action = ActionRequest.objects.create(
        public_id=proposal.action_id,
        agent=proposal.agent,
        agent_version=proposal.agent_version,
        agent_key=None,
        action_type_name=action_type.name,
        action_type=action_type,
        gate_check=check,
        mode=Mode.GATED,
        drill=True,
        state=ActionState.PENDING_REVIEW,
        title=render_title(action_type.title_template, case.arguments, fallback=action_type.title)
        if action_type.title_template
        else action_type.title,
        arguments_canonical=canonical,
        arguments=case.arguments,
        digest=action_digest(
            agent=proposal.agent.name,
            subject=case.subject,
            action_type=action_type.name,
            environment=proposal.environment,
            arguments=case.arguments,
        ),
        environment=proposal.environment,
        subject=case.subject,
        conversation_id=case.conversation_id,
        confidence=proposal.confidence,
        judge_score=proposal.judge_score,
        sample_agreement=proposal.sample_agreement,
        idempotency_key=f"drill:{proposal.action_id}",
        body_digest=digest_of_canonical(canonical),
        created_at=now,
        expires_at=now + timedelta(seconds=gatekeeping.document_of(check).deadline_seconds),
    )
    others = case.others if isinstance(case.others, dict) else {}
    ActionContext.objects.create(
        action=action,
        context=case.context,
        judge=others.get("judge"),
        samples=others.get("samples"),
        reason=case.reason,
    )
    item = gatekeeping.draw_up_item(action=action, check=check, kind=ItemKind.GATE, queue_id=None, now=now)
    if reserved_for is not None:
        item.reserved_for = reserved_for
        # Nobody else can add an approval, or is to be reminded.
        item.approvals_required, item.remind_at = 1, None
    item.save(force_insert=True)
    drill.seed, drill.action, drill.served_at = seed, action, now
    drill.expected_canonical = canonicalize(case.expected) if case.expected is not None else None
    drill.save(update_fields=["seed", "action", "served_at", "expected_canonical"])
    ledger.record(
        actor=_ACTOR,
        verb="drill.served",
        object_kind="action",
        object_id=action.public_id,
        action_id=action.public_id,
        payload={
            "seed": seed.public_id,
            "drawn_by": drill.drawn_by,
            "propensity": drill.propensity,
            "planted": seed.error_kind or "nothing",
            "digest": action.digest,
        },
        now=now,
    )
    if reserved_for is None:
        transaction.on_commit(partial(wakeups.inbox_changed, item.public_id), robust=True)
    return item


def _record(seed: DrillSeed, verb: str, *, by: User, now: datetime, before: str | None) -> None:
    ledger.record(
        actor=ledger.Actor.person(by),
        verb=verb,
        object_kind="drill_seed",
        object_id=seed.public_id,
        payload={
            "action_type": seed.action_type.name,
            "error_kind": seed.error_kind,
            "source": seed.source.public_id,
            "before": {"state": before},
            "after": {"state": seed.state},
        },
        now=now,
    )

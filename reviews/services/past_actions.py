"""Keeping what the past would say of another policy: a reader of the ledger, never on the hot path.

Each action that was judged goes into the columns and the counts, and its label when it comes. The cursor and
what is made of the entries move in one transaction, so that everything counts exactly once with any number of
workers. Drills are in none of it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from django.db import transaction

from policies.choices import AutonomyLevel, Route
from policies.models import GateCheck, Observation, PolicyVersion
from policies.selectors.evidence_samples import is_objection
from policies.services import ledger, past_chunks
from policies.services.past_chunks import READER, Cell, Counts, Place
from policies.statistics.columns import MOST_FIELDS, Flag, Label, PastAction
from reviews.models import ActionRequest

JUDGED: Final = frozenset({"action.allowed", "action.held", "action.denied", "action.observed"})
RELEASED: Final = "decision.released"
SETTLED: Final = "second_opinion.settled"
# A look that somebody waited for will not come: nobody decided, or nobody may any more.
UNANSWERED: Final = frozenset({"action.expired", "action.cancelled"})
_TAKEN_IN: Final = JUDGED | {RELEASED, SETTLED} | UNANSWERED
# What a policy's text or the level of trust decides; everything else held the action whatever they said.
_BY_THE_POLICY: Final = frozenset(
    {
        "autonomy_canary", "autonomy_review_all", "autonomy_shadow", "below_threshold", "earlier_verdict",
        "no_policy", "no_score", "no_threshold", "rule_error", "rule_matched",
    }
)  # fmt: skip
_LOW: Final = frozenset({AutonomyLevel.SHADOW, AutonomyLevel.REVIEW_ALL})
# Of wide rows: what the columns are made of, as ``_past`` reads it.
_COLUMNS: Final = (
    "public_id", "arguments", "confidence", "judge_score", "sample_agreement",
    "gate_check__action_type_id", "gate_check__agent_version_id", "gate_check__policy_version_id",
    "gate_check__reasons", "gate_check__evaluated_at", "gate_check__route", "gate_check__level",
    "gate_check__audit_selected", "gate_check__score", "gate_check__propensity", "gate_check__min_propensity",
)  # fmt: skip
_DEEPEST: Final = 3
_MOST_RULES: Final = 64


@dataclass(frozen=True, slots=True)
class Kept:
    """What one step did: entries of the ledger looked at, actions and labels kept."""

    entries: int
    actions: int = 0
    labels: int = 0


@transaction.atomic
def keep(*, limit: int = 2000) -> Kept:
    """Take in the next entries of the ledger and move the cursor behind them, or neither."""
    stretch = ledger.read(reader=READER, verbs=_TAKEN_IN, limit=limit)
    if not stretch.length:
        return Kept(0)
    actions = _actions(each.action_id for each in stretch.entries if each.verb in JUDGED)
    said = _observations(each.object_id for each in stretch.entries if each.verb == RELEASED)
    overturned = _overturned(each.action_id for each in stretch.entries if each.verb == SETTLED)
    missed = _unanswered(each.action_id for each in stretch.entries if each.verb in UNANSWERED)
    rules = _rules(action.gate_check for action in actions)
    counts: dict[Cell, Counts] = defaultdict(Counts)
    fresh: dict[Place, list[PastAction]] = defaultdict(list)
    labels: dict[Place, dict[int, Label]] = defaultdict(dict)
    for action in actions:
        fresh[_place(action.gate_check)].append(_past(action, rules))
        _count_action(counts, action.gate_check)
    for check in missed:
        labels[_place(check)][check.pk] = Label.MISSING
    for observation in said:
        check = observation.gate_check
        labels[_place(check)][check.pk] = _label(observation)
        _count_label(counts, observation)
    for observation in overturned:
        # Its approval came earlier in the ledger, and was counted there.
        check = observation.gate_check
        labels[_place(check)][check.pk] = Label.WRONG
        counted = counts[_cell(check)]
        counted.errors += 1
        counted.wy += 1 / observation.propensity
    past_chunks.append(fresh)
    past_chunks.label(labels)
    past_chunks.add_counts(dict(sorted(counts.items(), key=lambda each: repr(each[0]))))
    ledger.advance(reader=READER, seq=stretch.last)
    return Kept(stretch.length, actions=len(actions), labels=len(said))


@transaction.atomic
def start_anew() -> None:
    """Throw away what was made of the ledger; the next steps make it again from the first entry."""
    past_chunks.clear()


def numbers_in(arguments: object) -> dict[str, float]:
    """Return the numbers among arguments by their JSON pointer, objects within objects included."""
    return dict(sorted(_numbers(arguments, "", 0))[:MOST_FIELDS])


def _numbers(value: object, pointer: str, depth: int) -> Iterator[tuple[str, float]]:
    if isinstance(value, bool):
        return
    if isinstance(value, int | float):
        if math.isfinite(value):
            yield pointer, float(value)
    elif isinstance(value, Mapping) and depth < _DEEPEST:
        for name, member in value.items():
            step = str(name).replace("~", "~0").replace("/", "~1")
            yield from _numbers(member, f"{pointer}/{step}", depth + 1)


def _actions(action_ids: Iterable[str]) -> list[ActionRequest]:
    wanted = list(dict.fromkeys(action_ids))
    if not wanted:
        return []
    rows = (
        ActionRequest.objects.filter(
            public_id__in=wanted, gate_check__drill=False, gate_check__action_type__isnull=False
        )
        .select_related("gate_check")
        .only(*_COLUMNS)
    )
    found = {action.public_id: action for action in rows}
    return [found[action_id] for action_id in wanted if action_id in found]


def _observations(decision_ids: Iterable[str]) -> list[Observation]:
    wanted = list(decision_ids)
    if not wanted:
        return []
    return list(
        Observation.objects.filter(
            decision_id__in=wanted, gate_check__action_type__isnull=False, gate_check__drill=False
        )
        .select_related("gate_check")
        .order_by("id")
    )


def _overturned(action_ids: Iterable[str]) -> list[Observation]:
    """Return the approvals that counted, and that a lead's answer made an error: as the ladder reads them."""
    wanted = list(dict.fromkeys(action_ids))
    if not wanted:
        return []
    rows = Observation.objects.filter(
        gate_check__action_id__in=wanted,
        gate_check__action_type__isnull=False,
        gate_check__drill=False,
        considered=True,
        error=False,
    ).select_related("gate_check__double_review")
    return [each for each in rows.order_by("id") if is_objection(each.gate_check.double_review.settled_kind)]


def _unanswered(action_ids: Iterable[str]) -> list[GateCheck]:
    wanted = list(action_ids)
    if not wanted:
        return []
    return list(
        GateCheck.objects.filter(
            action_id__in=wanted, drill=False, action_type__isnull=False, observation=None
        ).order_by("id")
    )


def _rules(checks: Iterable[GateCheck]) -> dict[int, dict[str, int]]:
    """Return for each policy version the place of each of its rules."""
    wanted = {check.policy_version_id for check in checks if check.policy_version_id is not None}
    return {
        pk: {str(rule["code"]): number for number, rule in enumerate(document.get("rules", []))}
        for pk, document in PolicyVersion.objects.filter(pk__in=wanted).values_list("pk", "document")
    }


def _place(check: GateCheck) -> Place:
    assert check.action_type_id is not None
    return Place(check.action_type_id, check.agent_version_id)


def _past(action: ActionRequest, rules: Mapping[int, Mapping[str, int]]) -> PastAction:
    check = action.gate_check
    places = rules.get(check.policy_version_id or 0, {})
    matched = 0
    for reason in check.reasons:
        place = places.get(str(reason.get("rule") or ""))
        if place is not None and place < _MOST_RULES:
            matched |= 1 << place
    return PastAction(
        check=check.pk,
        policy=check.policy_version_id or 0,
        day=check.evaluated_at.astimezone(UTC).date(),
        flags=_flags(check),
        matched=matched,
        confidence=action.confidence,
        judge=action.judge_score,
        samples=action.sample_agreement,
        propensity=check.propensity,
        min_propensity=check.min_propensity,
        numbers=numbers_in(action.arguments),
    )


def _flags(check: GateCheck) -> Flag:
    flags = Flag(0)
    if check.route == Route.ALONE:
        flags |= Flag.ALONE
    fixed = [each for each in check.reasons if each.get("code") not in _BY_THE_POLICY | {"audit_sample"}]
    if any(each.get("strictness") == "deny" for each in fixed):
        flags |= Flag.FIXED_DENY
    elif fixed:
        flags |= Flag.FIXED_HOLD
    if check.level in _LOW:
        flags |= Flag.LOW_LEVEL
    if check.route == Route.HELD or check.audit_selected:
        flags |= Flag.SAMPLED
    return flags


def _label(observation: Observation) -> Label:
    if not observation.considered:
        return Label.WEAK
    return Label.WRONG if observation.error else Label.RIGHT


def _cell(check: GateCheck) -> Cell:
    assert check.action_type_id is not None
    return Cell(
        check.action_type_id,
        check.agent_version_id,
        check.policy_version_id,
        check.evaluated_at.astimezone(UTC).date(),
        past_chunks.bin_of(check.score),
    )


def _count_action(counts: dict[Cell, Counts], check: GateCheck) -> None:
    counted = counts[_cell(check)]
    counted.n += 1
    counted.alone += check.route == Route.ALONE


def _count_label(counts: dict[Cell, Counts], observation: Observation) -> None:
    counted = counts[_cell(observation.gate_check)]
    if observation.decision_ms:
        counted.handled += 1
        counted.handling_ms += min(observation.decision_ms, past_chunks.LONGEST_LOOK_MS)
    if not observation.considered:
        return
    weight = 1 / observation.propensity
    counted.labelled += 1
    counted.held_labels += observation.gate_check.route == Route.HELD
    counted.errors += observation.error
    counted.w += weight
    counted.w2 += weight * weight
    counted.wy += weight * observation.error

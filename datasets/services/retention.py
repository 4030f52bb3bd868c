"""Retention: how long each kind of data is kept, and the daily sweep that takes away what is older.

What goes is content; that something was there, when, by whom and with which digest stays. Nothing that is
still open is touched, and nothing that a legal hold covers. The rule of an action type goes before the one
for all others; without either a kind is kept for ever.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext

from datasets.choices import DataKind, ExportState
from datasets.models import Conversation, Export, LabelledCase, RetentionRule
from datasets.selectors import reach
from datasets.services import erasure, taking_away
from datasets.services.holds import RIGHT
from hitl_site.lib import ids
from hitl_site.lib.jobs import hint
from hitl_site.lib.strict_json import JsonValue
from policies.choices import RemovalKind, RemovalState
from policies.models import LedgerPayload, Removal, RemovalTarget
from policies.services import ledger
from policies.services.ledger import Actor
from reviews.choices import TERMINAL_STATES
from reviews.models import ActionRequest, Decision
from reviews.services.rights import current_holder

if TYPE_CHECKING:
    from django.contrib.auth.models import User

BATCH: Final = 200
# The longest a sweep works in one turn of a worker, in batches: the next turn goes on.
MOST_BATCHES: Final = 2_000
# Kinds that decisions and the record rest on: never kept shorter than the operator's floor.
FLOORED: Final = frozenset({DataKind.ARGUMENTS, DataKind.LEDGER})
# Kinds that belong to no action type.
OF_NO_TYPE: Final = frozenset({DataKind.CONVERSATIONS, DataKind.EXPORTS})
# What says in pages and targets which part of an action went.
_PARTS: Final = {DataKind.CONTEXT: "context", DataKind.ARGUMENTS: "arguments"}

Clock = Callable[[], datetime]


class BadRule(Exception):
    """The rule cannot be set. Nothing has changed."""


@dataclass(frozen=True, slots=True)
class _Due:
    """What is older than a rule lets it be: of one kind, of one type or of all types without a rule."""

    kind: DataKind
    action_type: str
    other_than: tuple[str, ...]
    before: datetime

    def of_type(self, field: str) -> Q:
        return Q(**{field: self.action_type}) if self.action_type else ~Q(**{f"{field}__in": self.other_than})


@transaction.atomic
def set_rule(
    *, kind: DataKind, action_type: str, keep_days: int | None, by: User, now: datetime
) -> RetentionRule:
    """Say how long a kind of data is kept; None: for ever."""
    person = current_holder(by, RIGHT)
    if action_type and kind in OF_NO_TYPE:
        said = gettext("{kind} belong to no action type: set one rule for all.")
        raise BadRule(said.format(kind=kind.label))
    if keep_days is not None and keep_days < 1:
        raise BadRule(gettext("A time to keep is a day or more."))
    floor = settings.RETENTION_FLOOR_DAYS
    if keep_days is not None and kind in FLOORED and keep_days < floor:
        said = gettext("This is kept for {days} days at least (HANDRAIL_RETENTION_FLOOR_DAYS).")
        raise BadRule(said.format(days=floor))
    actor = Actor.person(person)
    with connection.cursor() as cursor:
        # Two people at once would both add the first rule, and neither would see the other's as "before".
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", ["retention rules"])
    earlier = RetentionRule.objects.filter(kind=kind, action_type=action_type).first()
    rule, _ = RetentionRule.objects.update_or_create(
        kind=kind,
        action_type=action_type,
        defaults={"keep_days": keep_days, "updated_by_name": actor.name, "updated_at": now},
    )
    payload: dict[str, JsonValue] = {
        "kind": str(kind),
        "action_type": action_type,
        "before": {"keep_days": None if earlier is None else earlier.keep_days},
        "after": {"keep_days": keep_days},
    }
    ledger.record(
        actor=actor,
        verb="retention.rule_changed",
        object_kind="retention_rule",
        object_id=str(rule.pk),
        now=now,
        payload=payload,
    )
    return rule


@transaction.atomic
def begin_if_due(*, now: datetime) -> Removal | None:
    """Begin the sweep of the day where there is a rule and none was begun for a day; None where not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", ["retention sweep"])
    sweeps = Removal.objects.filter(kind=RemovalKind.RETENTION)
    if sweeps.filter(Q(asked_at__gt=now - timedelta(hours=23)) | ~Q(state=RemovalState.DONE)).exists():
        return None
    due = list(_due(now))
    if not due:
        return None
    removal = Removal.objects.create(
        public_id=ids.new("rtn"),
        kind=RemovalKind.RETENTION,
        reason="The time to keep it is over",
        total=sum(_count(each, now) for each in due),
        asked_by_name=Actor.system().name,
        asked_at=now,
    )
    _record(removal, "retention.sweep_began", now, {"total": removal.total})
    hint(erasure.TASK, removal_id=removal.public_id)
    return removal


def run(*, removal_id: str, clock: Clock, batch: int = BATCH) -> bool:
    """Take away what is over its time, batch by batch; False where there is nothing to do here.

    Safe to repeat and to kill: what a batch took is noted with it, and a second worker finds the row held.
    """
    for _ in range(MOST_BATCHES):
        took = _take_batch(removal_id, clock=clock, size=batch)
        if took is None:
            return False
        erasure.remove_files(removal_id, clock=clock)
        if took == 0:
            return _finish(removal_id, clock)
    return True


@transaction.atomic
def _take_batch(removal_id: str, *, clock: Clock, size: int) -> int | None:
    removal = (
        Removal.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(public_id=removal_id, kind=RemovalKind.RETENTION, state=RemovalState.RUNNING)
        .first()
    )
    if removal is None:
        return None
    taking_away.name(removal)
    now = clock()
    for due in _due(now):
        counts = _take(removal, due, size, now)
        took = counts.pop("objects", 0)
        if not took:
            continue
        removed = Counter(removal.removed)
        removed.update({str(due.kind): took})
        removal.removed = dict(removed)
        removal.done = sum(removed.values())
        removal.total = max(removal.total, removal.done)
        removal.save(update_fields=["removed", "done", "total"])
        told: dict[str, JsonValue] = {
            "kind": str(due.kind),
            "action_type": due.action_type,
            "older_than": due.before.isoformat(),
            "removed": took,
        }
        _record(removal, "retention.removed", now, told)
        return took
    return 0


def _take(removal: Removal, due: _Due, size: int, now: datetime) -> Counter[str]:
    match due.kind:
        case DataKind.CONTEXT | DataKind.ARGUMENTS:
            return _take_actions(removal, due, size, now)
        case DataKind.CASES:
            keys = list(_cases(due).order_by("pk").values_list("pk", flat=True)[:size])
            taking_away.cases(removal, LabelledCase.objects.filter(pk__in=keys), now=now)
            return Counter(objects=len(keys))
        case DataKind.CONVERSATIONS:
            rows = list(_conversations(due, now).order_by("pk")[:size])
            taking_away.conversations(removal, [row.pk for row in rows], now=now)
            names = [row.public_id for row in rows]
            taking_away.note_gone(removal, taking_away.CONVERSATION, names, now=now)
            return Counter(objects=len(rows))
        case DataKind.EXPORTS:
            return Counter(objects=_take_exports(removal, due, size, now))
        case _:
            keys = list(_payloads(due).order_by("pk").values_list("pk", flat=True)[:size])
            taken = LedgerPayload.objects.filter(pk__in=keys, erased_at=None)
            return Counter(objects=taken.update(body=None, salt=None, erased_at=now))


def _take_actions(removal: Removal, due: _Due, size: int, now: datetime) -> Counter[str]:
    part = _PARTS[due.kind]
    rows = _actions(due, now).order_by("pk")[:size]
    keys = dict(
        ActionRequest.objects.select_for_update(of=("self",))
        .filter(pk__in=[row.pk for row in rows])
        .values_list("pk", "public_id")
    )
    # Asked again under the lock.
    busy = {**reach.unsettled(keys, now=now), **reach.held(keys)}
    free = [key for key in keys if key not in busy]
    if due.kind == DataKind.CONTEXT:
        taking_away.contexts(free)
    else:
        taking_away.arguments(removal, free)
    taking_away.note_gone(removal, part, [keys[key] for key in free], now=now)
    return Counter(objects=len(free))


def _take_exports(removal: Removal, due: _Due, size: int, now: datetime) -> int:
    rows = _exports(due).select_for_update(of=("self",)).order_by("pk")[:size]
    names = []
    for export in rows:
        export.state = ExportState.CANCELLED
        export.error = f"Its time to be kept was over ({removal.public_id}), so its files were removed."
        export.save(update_fields=["state", "error"])
        names.append(export.public_id)
    RemovalTarget.objects.bulk_create(
        [RemovalTarget(removal=removal, kind=taking_away.EXPORT, object_id=name) for name in names],
        ignore_conflicts=True,
    )
    return len(names)


def _due(now: datetime) -> Iterator[_Due]:
    """Yield what the rules of this moment ask for, the single types before the rest."""
    rules = list(RetentionRule.objects.order_by("kind", "-action_type"))
    for rule in rules:
        if rule.keep_days is None:
            continue
        kind = DataKind(rule.kind)
        days = max(rule.keep_days, settings.RETENTION_FLOOR_DAYS) if kind in FLOORED else rule.keep_days
        own = tuple(each.action_type for each in rules if each.kind == kind and each.action_type)
        yield _Due(kind, rule.action_type, () if rule.action_type else own, now - timedelta(days=days))


def _count(due: _Due, now: datetime) -> int:
    match due.kind:
        case DataKind.CONTEXT | DataKind.ARGUMENTS:
            return _actions(due, now).count()
        case DataKind.CASES:
            return _cases(due).count()
        case DataKind.CONVERSATIONS:
            return _conversations(due, now).count()
        case DataKind.EXPORTS:
            return _exports(due).count()
        case _:
            return _payloads(due).count()


def _actions(due: _Due, now: datetime) -> QuerySet[ActionRequest]:
    """Return actions of which nothing is open, closed and answered before the time, whose part is there.

    What was audited long after it ran was answered later than it was closed: its case may not be made yet.
    """
    gone = RemovalTarget.objects.filter(
        object_id=OuterRef("public_id"),
        kind__in=(_PARTS[due.kind], taking_away.ACTION),
        removed_at__isnull=False,
    )
    rows = ActionRequest.objects.filter(
        due.of_type("action_type_name"), ~Exists(gone), state__in=TERMINAL_STATES, closed_at__lt=due.before
    )
    answered = Decision.objects.filter(action=OuterRef("pk"), released_at__gte=due.before)
    return rows.exclude(reach.is_held()).exclude(reach.is_unsettled(now)).exclude(Exists(answered))


def _cases(due: _Due) -> QuerySet[LabelledCase]:
    rows = LabelledCase.objects.filter(due.of_type("action_type"), erased_at=None, created_at__lt=due.before)
    actions = ActionRequest.objects.filter(public_id=OuterRef("action_id"))
    missing = reach.of_held_conversations().filter(public_id=OuterRef("decision_id"))
    return rows.exclude(Exists(actions.filter(reach.is_held()))).exclude(Exists(missing))


def _conversations(due: _Due, now: datetime) -> QuerySet[Conversation]:
    """Return conversations closed and checked before the time, in which nothing is open.

    Whoever checks one reads it whole, and its cases may not be made yet when the answer is new.
    """
    rows = Conversation.objects.filter(closed_at__lt=due.before, messages__isnull=False)
    waits = Q(audit__isnull=False, audit__answered_at=None) | Q(audit__answered_at__gte=due.before)
    acts = ActionRequest.objects.filter(agent=OuterRef("agent"), conversation_id=OuterRef("conversation_id"))
    rows = rows.exclude(waits).exclude(Exists(acts.filter(reach.is_unsettled(now))))
    return rows.exclude(reach.is_held_conversation())


def _exports(due: _Due) -> QuerySet[Export]:
    return Export.objects.filter(state=ExportState.DONE, finished_at__lt=due.before)


def _payloads(due: _Due) -> QuerySet[LedgerPayload]:
    """Return what entries say, older than the time; of actions neither held nor open, nor of held talk."""
    rows = LedgerPayload.objects.filter(erased_at=None, entry__occurred_at__lt=due.before)
    named = ActionRequest.objects.filter(public_id=OuterRef("entry__action_id"))
    if due.action_type:
        rows = rows.filter(Exists(named.filter(action_type_name=due.action_type)))
    elif due.other_than:
        rows = rows.exclude(Exists(named.filter(action_type_name__in=due.other_than)))
    about = OuterRef("entry__object_id")
    talk = Conversation.objects.filter(reach.is_held_conversation())
    missing = reach.of_held_conversations()
    of_talk = (
        talk.filter(public_id=about),
        talk.filter(audit__public_id=about),
        missing.filter(public_id=about),
        LabelledCase.objects.filter(public_id=about, decision_id__in=missing.values("public_id")),
    )
    for kept in (named.filter(reach.is_held()), named.exclude(state__in=TERMINAL_STATES), *of_talk):
        rows = rows.exclude(Exists(kept))
    return rows


@transaction.atomic
def _finish(removal_id: str, clock: Clock) -> bool:
    removal = (
        Removal.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(public_id=removal_id, state=RemovalState.RUNNING)
        .first()
    )
    if removal is None:
        return False
    now = clock()
    removal.state, removal.finished_at, removal.total = RemovalState.DONE, now, removal.done
    removal.save(update_fields=["state", "finished_at", "total"])
    _record(removal, "retention.sweep_finished", now, {"removed": dict(removal.removed)})
    return True


def _record(removal: Removal, verb: str, now: datetime, payload: dict[str, JsonValue]) -> None:
    ledger.record(
        actor=Actor.system(),
        verb=verb,
        object_kind="removal",
        object_id=removal.public_id,
        now=now,
        payload=payload,
    )

"""Changes to the team: members of queues, skills, capacity, shifts. Each is recorded with before and after.

The people concerned are held first, as those who act hold themselves: a skill that is taken away waits
for the decision under way, and the next one is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import date, datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils.translation import gettext

from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
from policies.models import ActionType
from policies.services import ledger
from reviews.models import Capacity, Queue, QueueMember, Shift, Skill
from reviews.models.team import NO_ACTION_TYPE
from reviews.selectors import team
from reviews.services import rights, wakeups

MANAGE: Final = "reviews.manage_team"
MOST_HELD: Final = 500


class UnableToChange(Exception):
    """The team cannot be so. Nothing has changed."""


@transaction.atomic
def set_members(*, queue: Queue, people: Collection[User] | None, by: User, now: datetime) -> None:
    """Make these people, and nobody else, the members of a queue; None makes it everybody's.

    It never becomes everybody's by the last one leaving.
    """
    by = _hold(by, [])
    if people is not None and not people:
        raise UnableToChange(gettext("Choose at least one member, or say that the queue is everybody’s."))
    Queue.objects.select_for_update().get(pk=queue.pk)
    members = QueueMember.objects.filter(queue=queue)
    before = {row.user_id: row.user.get_username() for row in members.select_related("user")}
    after = {person.pk: person.get_username() for person in people or ()}
    if before.keys() == after.keys():
        return
    members.exclude(user__in=after).delete()
    QueueMember.objects.bulk_create(
        [QueueMember(queue=queue, user_id=key, added_at=now) for key in sorted(after.keys() - before.keys())]
    )
    _record(
        "queue.members_changed",
        by=by,
        kind="queue",
        object_id=queue.public_id,
        before=[*sorted(before.values())],
        after=[*sorted(after.values())],
        now=now,
        queue=queue.slug,
    )
    wakeups.inbox_changed(queue.public_id)


@transaction.atomic
def set_skills(*, person: User, names: Collection[str] | None, by: User, now: datetime) -> None:
    """Make these the action types that a person may decide; None is every one, an empty list is none."""
    by = _hold(by, [person])
    wanted = set(names or ())
    known = set(ActionType.objects.filter(name__in=wanted).values_list("name", flat=True))
    if wanted - known:
        raise UnableToChange(gettext("There is no action type {name}.").format(name=min(wanted - known)))
    skills = Skill.objects.filter(user=person)
    before = team.skills_of(person)
    after = None if names is None else frozenset(wanted)
    if before == after:
        return
    kept = after if after != frozenset() else frozenset({NO_ACTION_TYPE})
    skills.exclude(action_type_name__in=kept or ()).delete()
    stands = set(skills.values_list("action_type_name", flat=True))
    Skill.objects.bulk_create(
        [
            Skill(user=person, action_type_name=name, added_at=now)
            for name in sorted((kept or frozenset()) - stands)
        ]
    )
    _record_of(person, "person.skills_changed", by=by, before=_list(before), after=_list(after), now=now)
    wakeups.inbox_changed("")


@transaction.atomic
def set_capacity(*, person: User, most_held: int | None, by: User, now: datetime) -> None:
    """Say how many items a person holds at once at most; None is no limit. What they hold they keep."""
    by = _hold(by, [person])
    if most_held is not None and not 1 <= most_held <= MOST_HELD:
        raise UnableToChange(
            gettext("A capacity is 1 to {most}, or empty for no limit.").format(most=MOST_HELD)
        )
    before = Capacity.objects.filter(user=person).values_list("most_held", flat=True).first()
    if before == most_held:
        return
    Capacity.objects.update_or_create(user=person, defaults={"most_held": most_held, "updated_at": now})
    _record_of(person, "person.capacity_changed", by=by, before=before, after=most_held, now=now)


@transaction.atomic
def add_shift(
    *,
    person: User,
    weekday: int | None,
    on_date: date | None,
    starts: time,
    ends: time,
    time_zone: str,
    by: User,
    now: datetime,
) -> Shift:
    """Put a person on duty, every week or once. Adding the same shift again changes nothing."""
    by = _hold(by, [person])
    if (weekday is None) == (on_date is None):
        raise UnableToChange(gettext("Give a day of the week, or a date."))
    ZoneInfo(time_zone)
    before = _rota(person)
    shift, is_new = Shift.objects.get_or_create(
        user=person,
        weekday=weekday,
        on_date=on_date,
        starts=starts,
        defaults={"public_id": ids.new("shf"), "ends": ends, "time_zone": time_zone, "created_at": now},
    )
    if is_new:
        _record_of(person, "person.rota_changed", by=by, before=before, after=_rota(person), now=now)
    elif (shift.ends, shift.time_zone) != (ends, time_zone):
        raise UnableToChange(gettext("A shift begins at that time already. Remove it first."))
    return shift


@transaction.atomic
def remove_shift(*, person: User, shift_id: str, by: User, now: datetime) -> None:
    """Take a shift off the rota. Taking it off twice changes nothing more."""
    by = _hold(by, [person])
    before = _rota(person)
    gone, _ = Shift.objects.filter(user=person, public_id=shift_id).delete()
    if gone:
        _record_of(person, "person.rota_changed", by=by, before=before, after=_rota(person), now=now)


def _hold(by: User, concerned: Iterable[User]) -> User:
    """Hold whoever is concerned against acts of theirs, and return the acting lead as they are now."""
    keys = sorted({by.pk, *(person.pk for person in concerned)})
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM auth_user WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE", [keys])
    return rights.current_holder(by, MANAGE)


def _list(skills: frozenset[str] | None) -> JsonValue:
    return None if skills is None else [*sorted(skills)]


def _rota(person: User) -> list[JsonValue]:
    rows = Shift.objects.filter(user=person).order_by("weekday", "on_date", "starts")
    return [
        f"{row.on_date or row.weekday} {row.starts:%H:%M}-{row.ends:%H:%M} {row.time_zone}" for row in rows
    ]


def _record_of(
    person: User, verb: str, *, by: User, before: JsonValue, after: JsonValue, now: datetime
) -> None:
    _record(
        verb,
        by=by,
        kind="person",
        object_id=str(person.pk),
        before=before,
        after=after,
        now=now,
        person=person.get_username(),
    )


def _record(
    verb: str,
    *,
    by: User,
    kind: str,
    object_id: str,
    before: JsonValue,
    after: JsonValue,
    now: datetime,
    **named: str,
) -> None:
    ledger.record(
        actor=ledger.Actor.person(by),
        verb=verb,
        object_kind=kind,
        object_id=object_id,
        payload={**named, "before": before, "after": after},
        now=now,
    )

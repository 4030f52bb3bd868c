"""Who may decide what, who is served from which queue, how much a person holds, and who is on duty."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext, gettext_noop

from hitl_site.lib import rows
from reviews.choices import ItemKind, ItemStatus
from reviews.models import Capacity, Queue, QueueMember, ReviewItem, Shift, Skill
from reviews.models.team import NO_ACTION_TYPE

# Out of whatever queue: what two people answered differently, and what nobody knows the end of.
FOR_EVERYBODY: Final = (ItemKind.ADJUDICATION, ItemKind.INCIDENT)
NOT_SKILLED = gettext_noop(
    "Your skills do not include this action type; a lead can add it, or somebody else decides."
)
NOT_A_MEMBER = gettext_noop(
    "This queue has members, and you are not one of them; a lead can add you, or pass it to you."
)


# ``within_skills`` and ``served`` of one person and one item, as one statement that PostgreSQL plans once:
# whoever claims or decides anything asks it. A test holds that both say the same.
_FITS: Final = f"""SELECT
        NOT EXISTS (SELECT FROM reviews_skill s WHERE s.user_id = $2::integer)
        OR EXISTS (
            SELECT FROM reviews_skill s
            WHERE s.user_id = $2::integer AND s.action_type_name = i.action_type_name
              AND s.action_type_name <> '{NO_ACTION_TYPE}'
        ),
        COALESCE(i.escalated_to_id = $2::integer, FALSE)
        OR COALESCE(i.reserved_for_id = $2::integer, FALSE)
        OR i.kind IN ({", ".join(f"'{kind.value}'" for kind in FOR_EVERYBODY)})
        OR EXISTS (
            SELECT FROM reviews_queue q
            WHERE q.id IN (i.queue_id, i.second_queue_id)
              AND (NOT EXISTS (SELECT FROM reviews_queuemember m WHERE m.queue_id = q.id)
                   OR EXISTS (
                       SELECT FROM reviews_queuemember m
                       WHERE m.queue_id = q.id AND m.user_id = $2::integer))
        )
    FROM reviews_reviewitem i WHERE i.id = $1::bigint
"""  # noqa: S608 - of constants; the item and the person are parameters


def why_not(item: ReviewItem, person: User, *, heed_queue: bool) -> str:
    """Return why the item is not for this person by their skills or by the members of its queue, or ""."""
    with rows.server_side_cursor() as cursor:
        cursor.execute(_FITS, [str(item.pk), str(person.pk)])
        skilled, is_served = cursor.fetchone() or (False, False)
    if not skilled:
        return gettext(NOT_SKILLED)
    return gettext(NOT_A_MEMBER) if heed_queue and not is_served else ""


def skills_of(person: User) -> frozenset[str] | None:
    """Return the action types that a person may decide; None is every one."""
    listed = frozenset(Skill.objects.filter(user=person).values_list("action_type_name", flat=True))
    return listed - {NO_ACTION_TYPE} if listed else None


def unskilled_among(user_ids: Iterable[int], action_type_name: str) -> frozenset[int]:
    """Return who of these people have a list of skills, and not this action type on it."""
    skills = Skill.objects.filter(user__in=user_ids)
    skilled = skills.filter(action_type_name=action_type_name).values("user")
    return frozenset(skills.exclude(user__in=skilled).values_list("user", flat=True))


def unskilled(action_type_name: str) -> QuerySet[User]:
    """Return, for a query of people, those whose skills do not include this action type."""
    skilled = Skill.objects.filter(action_type_name=action_type_name).values("user")
    return User.objects.filter(pk__in=Skill.objects.exclude(user__in=skilled).values("user"))


def within_skills(person: User) -> Q:
    """Return the condition for items of the action types that a person may decide."""
    own = Skill.objects.filter(user=person)
    listed = own.exclude(action_type_name=NO_ACTION_TYPE).values("action_type_name")
    return ~Q(Exists(own)) | Q(action_type_name__in=listed)


def served(person: User) -> Q:
    """Return the condition for items that come to this person: of everybody's queues, and of their own.

    Also what was passed on to them or reserved for them, and what two people answered differently, which is
    for every lead.
    """
    own = queues_of(person).values("pk")
    return (
        Q(queue__in=own)
        | Q(second_queue__in=own)
        | Q(escalated_to=person)
        | Q(reserved_for=person)
        | Q(kind__in=FOR_EVERYBODY)
    )


def queues_of(person: User) -> QuerySet[Queue]:
    """Return the queues from which a person is served: those without members, and those they belong to."""
    members = QueueMember.objects.filter(queue=OuterRef("pk"))
    return Queue.objects.filter(~Exists(members) | Exists(members.filter(user=person)))


def held_now(person: User, *, now: datetime) -> QuerySet[ReviewItem]:
    """Return the open items on which the person's claim is in force."""
    return ReviewItem.objects.filter(status=ItemStatus.OPEN, claimed_by=person, lease_expires_at__gt=now)


def capacity_of(person: User) -> int | None:
    """Return how many items a person holds at once at most; None where nobody has said."""
    return Capacity.objects.filter(user=person).values_list("most_held", flat=True).first()


def is_on_duty(person: User, *, now: datetime) -> bool:
    """Say whether a person is on duty now. Who has no shifts always is."""
    return person.pk in on_duty_among([person.pk], now=now)


def on_duty_among(user_ids: Iterable[int], *, now: datetime) -> frozenset[int]:
    """Return who of these people is on duty now."""
    keys = set(user_ids)
    shifts: dict[int, list[Shift]] = {}
    for shift in Shift.objects.filter(user__in=keys):
        shifts.setdefault(shift.user_id, []).append(shift)
    return frozenset(key for key in keys if key not in shifts or covers_any(shifts[key], now))


def covers_any(shifts: Sequence[Shift], moment: datetime) -> bool:
    """Say whether one of these shifts covers the moment."""
    return any(covers(shift, moment) for shift in shifts)


def covers(shift: Shift, moment: datetime) -> bool:
    """Say whether a shift covers the moment, by the clock of its zone; its end is no part of it."""
    local = moment.astimezone(ZoneInfo(shift.time_zone))
    clock = local.time().replace(tzinfo=None)
    today, yesterday = local.date(), local.date() - timedelta(days=1)

    def begins_on(day: object, weekday: int) -> bool:
        return shift.on_date == day if shift.on_date is not None else shift.weekday == weekday

    if shift.starts < shift.ends:
        return begins_on(today, today.weekday()) and shift.starts <= clock < shift.ends
    return (begins_on(today, today.weekday()) and clock >= shift.starts) or (
        begins_on(yesterday, yesterday.weekday()) and clock < shift.ends
    )

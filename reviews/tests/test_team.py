"""Queues have members, people have skills, a capacity and a rota: what is served and decided heeds them."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.contrib.auth.models import Group, User

from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry
from reviews.models import Decision, Queue, QueueMember, ReviewItem, Shift, Skill
from reviews.selectors import inbox, people, team
from reviews.services import claims, passing_on, rights
from reviews.services import team as acts
from reviews.services.answers import InvalidAnswer
from reviews.tests.cast import Cast, decide_as, held

pytestmark = pytest.mark.django_db


def lead(cast: Cast) -> User:
    cast.dan.groups.set(Group.objects.filter(name="lead"))
    return cast.dan


def skill(cast: Cast, person: User, *names: str) -> None:
    acts.set_skills(person=person, names=names, by=lead(cast), now=database_now())


def test_without_a_skill_nothing_is_served_claimed_or_decided(cast: Cast) -> None:
    item = held(cast)
    skill(cast, cast.alice, "note.add")
    assert not inbox.my_turn(cast.alice).exists()
    assert inbox.my_turn(cast.bob).get() == item
    now = database_now()
    with pytest.raises(claims.NothingToClaim):
        claims.claim_next(reviewer=cast.alice, now=now)
    with pytest.raises(rights.NotAllowed, match="skills"):
        claims.claim(item_id=item.public_id, reviewer=cast.alice, now=now)
    with pytest.raises(rights.NotAllowed, match="skills"):
        decide_as(cast.alice, item)
    assert not Decision.objects.exists()
    assert cast.alice not in people.receivers_of(item, sender=cast.bob)
    with pytest.raises(InvalidAnswer, match="cannot answer"):
        passing_on.escalate(
            item_id=item.public_id, reviewer=cast.bob, note="?", item_version=1, to_user=cast.alice, now=now
        )
    skill(cast, cast.alice, "note.add", "refund.issue")
    assert decide_as(cast.alice, item).decision.terminal


def test_who_lost_the_last_skill_may_decide_nothing_until_a_lead_says_every_one(cast: Cast) -> None:
    item = held(cast)
    skill(cast, cast.alice, "note.add")
    skill(cast, cast.alice)
    skill(cast, cast.alice)
    assert team.skills_of(cast.alice) == frozenset()
    assert not inbox.my_turn(cast.alice).exists()
    assert cast.alice not in people.receivers_of(item, sender=cast.bob)
    assert cast.alice.pk not in rights.who_may_review([cast.alice.pk], action_type_name="refund.issue")
    with pytest.raises(rights.NotAllowed, match="skills"):
        decide_as(cast.alice, item)
    assert not Decision.objects.exists()

    acts.set_skills(person=cast.alice, names=None, by=cast.dan, now=database_now())
    assert team.skills_of(cast.alice) is None
    assert decide_as(cast.alice, item).decision.terminal
    told = [entry.payload.body for entry in LedgerEntry.objects.filter(verb="person.skills_changed")]
    assert told == [
        {"person": "alice", "before": None, "after": ["note.add"]},
        {"person": "alice", "before": ["note.add"], "after": []},
        {"person": "alice", "before": [], "after": None},
    ]


def test_an_approval_by_somebody_who_lost_the_skill_no_longer_counts(cast: Cast) -> None:
    item = held(cast)
    ReviewItem.objects.filter(pk=item.pk).update(approvals_required=2)
    assert not decide_as(cast.alice, item).decision.terminal
    skill(cast, cast.alice, "note.add")
    assert not decide_as(cast.bob, item).decision.terminal


def test_a_queue_with_members_is_theirs_and_one_without_is_everybodys(cast: Cast) -> None:
    lead(cast)
    item = held(cast)
    acts.set_members(queue=item.queue, people=[cast.bob], by=cast.dan, now=database_now())
    assert not inbox.my_turn(cast.alice).exists()
    with pytest.raises(rights.NotAllowed, match="members"):
        decide_as(cast.alice, item)
    with pytest.raises(rights.NotAllowed, match="members"):
        claims.claim(item_id=item.public_id, reviewer=cast.alice, now=database_now())
    assert not Decision.objects.exists()
    # What is passed on to a person is theirs, whatever the queue.
    ReviewItem.objects.filter(pk=item.pk).update(escalated_to=cast.alice)
    assert inbox.my_turn(cast.alice).get() == item
    ReviewItem.objects.filter(pk=item.pk).update(escalated_to=None)
    with pytest.raises(acts.UnableToChange, match="at least one member"):
        acts.set_members(queue=item.queue, people=[], by=cast.dan, now=database_now())
    assert not inbox.my_turn(cast.alice).exists()
    acts.set_members(queue=item.queue, people=None, by=cast.dan, now=database_now())
    assert decide_as(cast.alice, item).decision.terminal


def test_a_person_holds_no_more_than_their_capacity(cast: Cast) -> None:
    first, second = held(cast), held(cast)
    lead(cast)
    now = database_now()
    acts.set_capacity(person=cast.alice, most_held=1, by=cast.dan, now=now)
    claims.claim(item_id=first.public_id, reviewer=cast.alice, now=now)
    with pytest.raises(claims.AtCapacity):
        claims.claim(item_id=second.public_id, reviewer=cast.alice, now=now)
    # The next one is what they hold already; holding it longer is no second one.
    assert claims.claim_next(reviewer=cast.alice, now=now) == first
    later = now + timedelta(hours=3)
    ReviewItem.objects.filter(pk=second.pk).update(due_at=later)
    assert claims.claim(item_id=second.public_id, reviewer=cast.alice, now=later) == second


def test_shifts_follow_the_clock_of_their_zone_also_past_midnight() -> None:
    def shift(**given: object) -> Shift:
        return Shift(time_zone="Europe/Berlin", **given)

    day = shift(weekday=0, starts=time(9), ends=time(17))
    night = shift(weekday=6, starts=time(22), ends=time(6))
    once = shift(on_date=date(2026, 7, 1), starts=time(0), ends=time(12))
    # Monday; Berlin is two hours ahead in July and one in January.
    assert team.covers(day, datetime(2026, 7, 6, 7, 0, tzinfo=UTC))
    assert not team.covers(day, datetime(2026, 7, 6, 15, 0, tzinfo=UTC))
    assert not team.covers(day, datetime(2026, 1, 5, 7, 0, tzinfo=UTC))
    assert team.covers(night, datetime(2026, 7, 5, 21, 0, tzinfo=UTC))
    assert team.covers(night, datetime(2026, 7, 6, 3, 59, tzinfo=UTC))
    assert not team.covers(night, datetime(2026, 7, 6, 4, 0, tzinfo=UTC))
    assert team.covers(once, datetime(2026, 7, 1, 9, 59, tzinfo=UTC))
    assert not team.covers(once, datetime(2026, 7, 8, 9, 59, tzinfo=UTC))


def test_who_has_no_shifts_is_always_on_duty(cast: Cast) -> None:
    lead(cast)
    now = datetime(2026, 7, 6, 12, 0, tzinfo=UTC)

    def on_wednesdays() -> Shift:
        return acts.add_shift(
            person=cast.alice,
            weekday=2,
            on_date=None,
            starts=time(9),
            ends=time(17),
            time_zone="UTC",
            by=cast.dan,
            now=now,
        )

    made = on_wednesdays()
    assert on_wednesdays() == made
    assert team.on_duty_among([cast.alice.pk, cast.bob.pk], now=now) == {cast.bob.pk}
    acts.remove_shift(person=cast.alice, shift_id=made.public_id, by=cast.dan, now=now)
    acts.remove_shift(person=cast.alice, shift_id=made.public_id, by=cast.dan, now=now)
    assert team.is_on_duty(cast.alice, now=now)
    assert LedgerEntry.objects.filter(verb="person.rota_changed").count() == 2


def test_only_leads_change_the_team_and_each_change_is_recorded_once(cast: Cast) -> None:
    now = database_now()
    queue = Queue.objects.create(public_id=ids.new("que"), slug="money", name="Money", created_at=now)
    for person in (cast.alice, cast.olga, cast.dan):
        with pytest.raises(rights.NotAllowed):
            acts.set_skills(person=cast.alice, names=["note.add"], by=person, now=now)
        with pytest.raises(rights.NotAllowed):
            acts.set_members(queue=queue, people=[cast.bob], by=person, now=now)
    assert not Skill.objects.exists()
    assert not QueueMember.objects.exists()
    skill(cast, cast.alice, "note.add")
    skill(cast, cast.alice, "note.add")
    told = LedgerEntry.objects.get(verb="person.skills_changed").payload.body
    assert told == {"person": "alice", "before": None, "after": ["note.add"]}
    with pytest.raises(acts.UnableToChange, match="no action type nope"):
        skill(cast, cast.alice, "nope")
    assert list(Skill.objects.values_list("action_type_name", flat=True)) == ["note.add"]

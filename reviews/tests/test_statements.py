"""The statements that stand beside the ORM's questions say what those say."""

from __future__ import annotations

from itertools import product

import pytest
from django.contrib.auth.models import Group, Permission, User

from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from reviews.choices import ItemKind
from reviews.models import Decision, Queue, QueueMember, ReviewItem, Skill
from reviews.models.team import NO_ACTION_TYPE
from reviews.selectors import team
from reviews.services import locks, rights
from reviews.tests import drilling
from reviews.tests.cast import Cast, decide_as, held

pytestmark = pytest.mark.django_db

_SKILLS = ((), (NO_ACTION_TYPE,), ("note.add",), ("note.add", "refund.issue"))
# Nobody belongs to the queue, somebody else does, this person does.
_MEMBERS = ("nobody", "bob", "alice")


def _queue(slug: str, members: str, cast: Cast) -> Queue:
    now = database_now()
    queue = Queue.objects.create(public_id=ids.new("que"), slug=slug, name=slug, created_at=now)
    if members != "nobody":
        QueueMember.objects.create(queue=queue, user=getattr(cast, members), added_at=now)
    return queue


def test_whom_an_item_is_for_is_the_same_of_one_item_as_of_a_page_of_them(cast: Cast) -> None:
    drilling.seed(cast)
    item = drilling.serve(cast)  # what is kept for one person is a drill
    one = ReviewItem.objects.filter(pk=item.pk)
    now = database_now()

    def told() -> str:
        skilled = one.filter(team.within_skills(cast.alice)).exists()
        served = one.filter(team.served(cast.alice)).exists()
        expected = team.NOT_SKILLED if not skilled else "" if served else team.NOT_A_MEMBER
        assert team.why_not(item, cast.alice, heed_queue=True) == expected
        return expected

    queues = {
        (place, who): _queue(f"{place}-{who}", who, cast) for place in ("first", "second") for who in _MEMBERS
    }
    said = set()
    for first, second, kind, passed_on, kept_for in product(
        _MEMBERS,
        (None, *_MEMBERS),
        (ItemKind.GATE, ItemKind.INCIDENT),
        (None, cast.alice),
        (None, cast.alice),
    ):
        one.update(
            queue=queues["first", first],
            second_queue=queues["second", second] if second else None,
            kind=kind,
            escalated_to=passed_on,
            reserved_for=kept_for,
        )
        said.add(told())
    assert said == {"", team.NOT_A_MEMBER}
    one.update(reserved_for=None, escalated_to=None, kind=ItemKind.ADJUDICATION)
    said = set()
    for skills in _SKILLS:
        Skill.objects.filter(user=cast.alice).delete()
        for name in skills:
            Skill.objects.create(user=cast.alice, action_type_name=name, added_at=now)
        said.add(told())
    assert said == {"", team.NOT_SKILLED}


def test_who_holds_a_right_is_whom_django_says(cast: Cast) -> None:
    right = "policies.use_kill_switch"
    app, codename = right.split(".")
    permission = Permission.objects.get(content_type__app_label=app, codename=codename)
    group = Group.objects.create(name="stoppers")
    group.permissions.add(permission)
    people = {
        name: User.objects.create_user(name, is_superuser="super" in name, is_active="idle" not in name)
        for name in ("own", "grouped", "both", "super", "none", "other", "idle_own", "idle_super")
    }
    for name in ("own", "both", "idle_own"):
        people[name].user_permissions.add(permission)
    for name in ("grouped", "both"):
        people[name].groups.add(group)
    people["other"].user_permissions.add(Permission.objects.get(codename="review_item"))
    holding = set()
    for name, person in people.items():
        try:
            assert rights.current_holder(person, right) == person
        except rights.NotAllowed:
            assert not User.objects.get(pk=person.pk).has_perm(right)
        else:
            assert User.objects.get(pk=person.pk).has_perm(right)
            holding.add(name)
    assert holding == {"own", "grouped", "both", "super"}


def test_a_locked_item_is_read_whole(cast: Cast) -> None:
    item = held(cast)
    decision = decide_as(cast.alice, item).decision
    locked = locks.lock_item(item.public_id)
    due = locks.lock_due(decision.pk, now=decision.release_at)
    assert due is not None
    wide = ReviewItem.objects.select_related("action__agent", "action__gate_check__policy_version").get()
    for read in (locked, due.item):
        for each, stored in (
            (read, wide),
            (read.action, wide.action),
            (read.action.agent, wide.action.agent),
            (read.action.gate_check, wide.action.gate_check),
            (read.action.gate_check.policy_version, wide.action.gate_check.policy_version),
        ):
            assert each is not None
            assert stored is not None
            for field in stored._meta.concrete_fields:
                assert getattr(each, field.attname) == getattr(stored, field.attname), field.name
    assert locked.action.context == wide.action.context
    assert locked.action.agent_version == wide.action.agent_version
    stored_decision = Decision.objects.get(pk=decision.pk)
    for field in Decision._meta.concrete_fields:
        assert getattr(due.decision, field.attname) == getattr(stored_decision, field.attname), field.name
    assert due.decision.reviewer == cast.alice


def test_what_is_not_there_or_not_due_is_not_locked(cast: Cast) -> None:
    decision = decide_as(cast.alice, held(cast)).decision
    assert locks.lock_due(decision.pk, now=decision.decided_at) is None
    assert locks.lock_due(decision.pk + 1, now=decision.release_at) is None
    with pytest.raises(ReviewItem.DoesNotExist):
        locks.lock_item(ids.new("itm"))

"""Approvals by several people: each counts once, by name, and only while they might still give it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.contrib.auth.models import User

from hitl_site.lib.clock import database_now
from policies.models import Agent
from policies.services import policies
from reviews.choices import DecisionKind, ItemStatus
from reviews.models import ActionRequest, Decision, Permit, ReviewItem
from reviews.services import deadlines, decisions, rights
from reviews.tests.cast import Cast, decide_as, held, make_cast, make_person
from tests.concurrency.threads import at_once, errors, values

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 4


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    cast = make_cast()
    in_force(cast, approvals=2)
    return cast


def in_force(cast: Cast, *, approvals: int) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={
            "threshold": 0.9,
            "approvals_required": approvals,
            "undo_seconds": 0,
            "blind_share": 0,
            "denial_memory_seconds": 0,
        },
        author=cast.olga,
        reason="approvals",
        now=database_now(),
    )


def approve(person: User, item: ReviewItem, note: str = "") -> decisions.Decided:
    """Approve what was seen: the version is the one of the page, not of now."""
    return decisions.decide(
        item_id=item.public_id,
        reviewer=person,
        answer=decisions.Answer(kind=DecisionKind.APPROVE, note=note),
        shown_digest=item.action.digest,
        item_version=item.version,
        opening=None,
        now=database_now(),
    )


def released(item: ReviewItem) -> int:
    deadlines.release_due(now=database_now() + timedelta(seconds=1))
    return Permit.objects.filter(action=item.action).count()


def test_two_people_at_once_give_two_approvals_or_one_looks_again(cast: Cast) -> None:
    for _ in range(ROUNDS):
        item = held(cast)
        ended = at_once(partial(approve, cast.alice, item), partial(approve, cast.bob, item))
        # The first changed the item: the second saw another version and is told to look again.
        assert len(values(ended)) == 1
        assert [type(error) for error in errors(ended)] == [decisions.StaleView]
        assert released(item) == 0
        second = cast.bob if values(ended)[0].decision.reviewer == cast.alice else cast.alice
        assert decide_as(second, item).decision.terminal
        assert released(item) == 1


def test_one_person_in_many_tabs_is_one_approval(cast: Cast) -> None:
    for _ in range(ROUNDS):
        item = held(cast)
        ended = at_once(*(partial(approve, cast.alice, item, f"tab {tab}") for tab in range(4)))
        assert len(values(ended)) == 1
        assert {type(error) for error in errors(ended)} == {decisions.AlreadyDecided}
        assert Decision.objects.filter(item=item).count() == 1
        with pytest.raises(decisions.AlreadyDecided):
            decide_as(cast.alice, item, note="and again")
        item.refresh_from_db()
        assert (item.status, released(item)) == (ItemStatus.OPEN, 0)


def test_the_owner_is_none_of_them_not_even_one_who_became_it(cast: Cast) -> None:
    item = held(cast)
    with pytest.raises(rights.NotAllowed):
        decide_as(cast.carol, item)
    decide_as(cast.alice, item)
    Agent.objects.filter(pk=cast.clerk.pk).update(owner=cast.alice)
    assert not decide_as(cast.bob, item).decision.terminal
    assert released(item) == 0
    with pytest.raises(rights.NotAllowed):
        decide_as(cast.carol, item)
    assert decide_as(make_person("Rita", "reviewer"), item).decision.terminal


def test_the_approval_of_somebody_who_may_no_longer_review_does_not_count(cast: Cast) -> None:
    item = held(cast)
    decide_as(cast.alice, item)
    cast.alice.groups.clear()
    assert not decide_as(cast.bob, item).decision.terminal
    assert released(item) == 0
    assert decide_as(make_person("Rita", "reviewer"), item).decision.terminal
    assert released(item) == 1


def test_the_policy_in_force_may_ask_for_more_people_and_never_for_fewer(cast: Cast) -> None:
    item = held(cast)
    in_force(cast, approvals=3)
    assert not decide_as(cast.alice, item).decision.terminal
    in_force(cast, approvals=1)
    assert not decide_as(cast.bob, item).decision.terminal
    item.refresh_from_db()
    assert (item.approvals_required, released(item)) == (3, 0)
    assert decide_as(make_person("Rita", "reviewer"), item).decision.terminal
    assert released(item) == 1
    assert ActionRequest.objects.get(pk=item.action_id).state == "approved"

"""Several people, an agent and the clock at one item: one thing happens, and everybody is told which."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet

from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry, Observation
from policies.services import policies
from reviews.choices import ActionState, DecisionKind, ItemStatus
from reviews.models import ActionRequest, Decision, Permit, ReviewItem
from reviews.services import cancellations, claims, deadlines, decisions, rights
from reviews.tests.cast import Cast, decide_as, held, make_cast, make_person
from tests.concurrency.threads import at_once, errors, values

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 4
LATER = timedelta(seconds=6)


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def answer(person: User, item: ReviewItem, kind: DecisionKind = DecisionKind.APPROVE) -> decisions.Decided:
    """Answer what was seen before anybody was faster: the version is the one of the page, not of now."""
    return decisions.decide(
        item_id=item.public_id,
        reviewer=person,
        answer=decisions.Answer(
            kind=kind,
            reasons=() if kind == DecisionKind.APPROVE else ("wrong_arguments",),
            note=person.username,
        ),
        shown_digest=item.action.digest,
        item_version=item.version,
        opening=None,
        now=database_now(),
    )


@pytest.mark.parametrize("number", [2, 8])
def test_of_reviewers_at_once_one_decides_and_the_others_learn_who(cast: Cast, number: int) -> None:
    people = [cast.alice, cast.bob, *(make_person(f"Rita{n}", "reviewer") for n in range(number - 2))]
    for turn in range(ROUNDS):
        item = held(cast)
        kinds = [DecisionKind.APPROVE, DecisionKind.REJECT]
        ended = at_once(
            *(partial(answer, person, item, kinds[(n + turn) % 2]) for n, person in enumerate(people))
        )

        (winner,) = values(ended)
        assert Decision.objects.filter(item=item).count() == 1
        assert not winner.replayed
        assert len(errors(ended)) == number - 1
        for error in errors(ended):
            assert isinstance(error, decisions.AlreadyDecided)
            assert error.decision == winner.decision
            assert winner.decision.reviewer_name in str(error)
        recorded = LedgerEntry.objects.filter(verb="decision.recorded", action_id=item.action.public_id)
        assert recorded.count() == 1


def test_the_same_answer_sent_twice_at_once_is_one_answer(cast: Cast) -> None:
    for _ in range(ROUNDS):
        item = held(cast)
        ended = at_once(*(partial(answer, cast.alice, item) for _ in range(4)))
        assert errors(ended) == []
        assert {each.decision.pk for each in values(ended)} == {Decision.objects.get(item=item).pk}
        assert [each.replayed for each in values(ended)].count(False) == 1


def test_a_decision_and_the_deadline_leave_one_of_both(cast: Cast) -> None:
    for turn in range(ROUNDS):
        item = held(cast, timeout="1m")
        due = item.due_at
        decider, sweeper = at_once(
            partial(answer, cast.alice, item),
            partial(lambda moment: deadlines.expire_due(now=moment), due),
        )
        action = ActionRequest.objects.get(pk=item.action_id)
        item.refresh_from_db()
        if decider.error is None:
            assert (action.state, item.status, sweeper.value) == ("pending_review", "recorded", 0), turn
            assert deadlines.expire_due(now=due) == 0
        else:
            assert isinstance(decider.error, decisions.TimeRanOut)
            assert (action.state, item.status) == (ActionState.EXPIRED, ItemStatus.EXPIRED)
            assert Decision.objects.filter(item=item).count() == 0
        assert Permit.objects.filter(action=action).count() == 0


def test_a_decision_and_a_withdrawal_leave_nothing_to_run(cast: Cast) -> None:
    for _ in range(ROUNDS):
        item = held(cast)
        decider, taker = at_once(
            partial(answer, cast.alice, item),
            partial(
                lambda i: cancellations.cancel(
                    action_id=i.action.public_id, agent=cast.clerk, now=database_now()
                ),
                item,
            ),
        )
        assert taker.error is None
        assert decider.error is None or isinstance(decider.error, decisions.Cancelled)
        assert ActionRequest.objects.get(pk=item.action_id).state == ActionState.CANCELLED
        assert not Decision.objects.filter(item=item, undone_at=None).exists()
        assert deadlines.release_due(now=database_now() + LATER) == 0
    assert Permit.objects.count() == Observation.objects.count() == 0


def test_taking_back_and_release_leave_one_of_both(cast: Cast) -> None:
    for turn in range(2 * ROUNDS):
        item = held(cast)
        decided = decide_as(cast.alice, item, now=database_now() - timedelta(seconds=5))
        # Whoever reads the clock first would always win; here both believe that they are in time.
        due = decided.decision.release_at
        acts = [
            partial(
                lambda d, m: decisions.undo(
                    decision_id=d.public_id, reviewer=cast.alice, now=m - timedelta(milliseconds=1)
                ),
                decided.decision,
                due,
            ),
            partial(lambda m: deadlines.release_due(now=m), due),
        ]
        ended = at_once(*(acts if turn % 2 else reversed(acts)))
        undone = ended[0 if turn % 2 else 1]
        action = ActionRequest.objects.get(pk=item.action_id)
        decision = Decision.objects.get(item=item)
        item.refresh_from_db()
        if undone.error is None:
            assert (decision.released_at, item.status) == (None, ItemStatus.OPEN)
            assert (action.state, Permit.objects.filter(action=action).count()) == ("pending_review", 0)
        else:
            assert isinstance(undone.error, decisions.TooLateToUndo)
            assert (decision.undone_at, item.status) == (None, ItemStatus.DECIDED)
            assert (action.state, Permit.objects.filter(action=action).count()) == ("approved", 1)
    assert Observation.objects.count() == Permit.objects.count()


def test_two_sweepers_release_once(cast: Cast) -> None:
    now = database_now()
    items = [held(cast) for _ in range(8)]
    for item in items:
        decide_as(cast.alice, item, now=now)
    ended = at_once(*(lambda: deadlines.release_due(now=now + LATER) for _ in range(4)))
    released = sum(values(ended)) + deadlines.release_due(now=now + LATER)
    assert (errors(ended), released) == ([], 8)
    assert Permit.objects.count() == Observation.objects.count() == 8
    assert LedgerEntry.objects.filter(verb="decision.released").count() == 8
    assert set(ReviewItem.objects.values_list("status", flat=True)) == {"decided"}


def test_no_item_is_given_to_two_people(cast: Cast) -> None:
    people = [cast.alice, cast.bob, *(make_person(f"Rita{n}", "reviewer") for n in range(6))]
    for _ in range(ROUNDS):
        held(cast)
    ended = at_once(*(partial(_claim, person) for person in people))
    given = [item.pk for item in values(ended)]
    assert len(given) == len(set(given)) == ROUNDS
    assert all(isinstance(error, claims.NothingToClaim) for error in errors(ended))
    assert len(errors(ended)) == len(people) - ROUNDS
    held_by = ReviewItem.objects.exclude(claimed_by=None).values_list("claimed_by", flat=True)
    assert len(set(held_by)) == ROUNDS


def _claim(person: User) -> ReviewItem:
    return claims.claim_next(reviewer=person, now=database_now())


def test_who_lost_the_right_before_the_commit_has_decided_nothing(cast: Cast) -> None:
    def take_away(person: User) -> bool:
        person.groups.clear()
        # From here on nothing by this person may be committed: what is recorded now is all there will be.
        return Decision.objects.filter(reviewer=person).exists()

    for turn in range(ROUNDS):
        person = make_person(f"Leaver{turn}", "reviewer")
        item = held(cast)
        decider, remover = at_once(partial(answer, person, item), partial(take_away, person))
        assert remover.error is None
        if decider.error is None:
            assert remover.value is True
        else:
            assert isinstance(decider.error, rights.NotAllowed)
            assert Decision.objects.filter(item=item).count() == 0


def test_taking_a_right_away_waits_for_the_decision_under_way(cast: Cast) -> None:
    item = held(cast)
    with transaction.atomic():
        answer(cast.alice, item)
        (ended,) = at_once(lambda: _try_to_remove(cast.alice))
        assert ended.value == "55P03"  # lock_not_available: the right stands until we are done
    assert cast.alice.groups.count() == 1
    assert Decision.objects.count() == 1


def _try_to_remove(person: User) -> str:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '200ms'")
            person.groups.clear()
    except OperationalError as error:
        return str(getattr(error.__cause__, "sqlstate", ""))
    return ""


def test_a_group_that_lost_the_right_before_the_commit_has_decided_nothing(cast: Cast) -> None:
    def take_away() -> bool:
        _reviewers_right().delete()
        return Decision.objects.filter(reviewer=cast.alice, item=item).exists()

    for _ in range(ROUNDS):
        item = held(cast)
        decider, remover = at_once(partial(answer, cast.alice, item), take_away)
        _give_back()
        assert remover.error is None
        if decider.error is None:
            assert remover.value is True
        else:
            assert isinstance(decider.error, rights.NotAllowed)
            assert Decision.objects.filter(item=item).count() == 0


@pytest.mark.parametrize("act", ["change", "end"])
def test_taking_a_right_from_a_group_waits_for_the_decision_under_way(cast: Cast, act: str) -> None:
    item = held(cast)
    with transaction.atomic():
        answer(cast.alice, item)
        (ended,) = at_once(lambda: _try_on_the_group(act))
        assert ended.value == "55P03"
    assert _reviewers_right().count() == 1
    assert Decision.objects.count() == 1


def test_a_group_that_is_deleted_beside_a_decision_ends_before_or_after_it(cast: Cast) -> None:
    right = Permission.objects.get(codename="review_item")
    for turn in range(ROUNDS):
        group = Group.objects.create(name=f"Readers {turn}")
        group.permissions.add(right)
        person = make_person(f"Reader{turn}", group.name)
        item = held(cast)
        decider, remover = at_once(partial(answer, person, item), group.delete)
        assert remover.error is None
        assert Decision.objects.filter(item=item).count() == (decider.error is None)


def _reviewers_right() -> QuerySet[Any]:
    through = Group.permissions.through
    return through.objects.filter(group__name="reviewer", permission__codename="review_item")


def _give_back() -> None:
    Group.objects.get(name="reviewer").permissions.add(Permission.objects.get(codename="review_item"))


def _try_on_the_group(act: str) -> str:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '200ms'")
            if act == "change":
                _reviewers_right().delete()
            else:
                Group.objects.get(name="reviewer").delete()
    except OperationalError as error:
        return str(getattr(error.__cause__, "sqlstate", ""))
    return ""


def test_corrections_and_approvals_of_a_critical_act_need_two_who_say_the_same(cast: Cast) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.9, "approvals_required": 2, "undo_seconds": 5},
        author=cast.olga,
        reason="two",
        now=database_now(),
    )
    rita = make_person("Rita", "reviewer")
    for _ in range(ROUNDS):
        item = held(cast)
        ended = at_once(*(partial(_until_it_counts, person, item) for person in (cast.alice, cast.bob, rita)))
        assert [each for each in errors(ended) if not isinstance(each, decisions.AlreadyDecided)] == []
        assert Decision.objects.filter(item=item, terminal=True).count() == 1
        assert Decision.objects.filter(item=item).count() == 2
        item.refresh_from_db()
        assert item.status == ItemStatus.RECORDED


def _until_it_counts(person: User, item: ReviewItem) -> decisions.Decided:
    """Answer, and look again where somebody's first approval changed the item meanwhile, as a person does."""
    while True:
        try:
            return answer(person, ReviewItem.objects.select_related("action").get(pk=item.pk))
        except decisions.StaleView:
            continue

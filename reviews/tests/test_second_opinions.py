"""Second opinions: drawn as decisions go out, given blind by others, settled by a lead where they differ."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import DatabaseError, connection, transaction

from hitl_site.lib.clock import database_now
from policies.engine.sampling import audit_draw
from policies.models import ActionType, DoubleReview, LedgerEntry, Observation
from reviews.choices import ActionState, DecisionKind, ItemKind, ItemStatus
from reviews.models import ActionRequest, Decision, Permit, ReviewItem, SecondOpinion
from reviews.selectors import inbox, people
from reviews.services import (
    claims,
    deadlines,
    decisions,
    gatekeeping,
    passing_on,
    second_opinions,
    sweep,
)
from reviews.services.rights import NotAllowed
from reviews.tests.cast import REFUND, Cast, decide_as, held, make_cast, make_person, propose

LATER = timedelta(seconds=6)


def _draw_all(rate: float = 1.0) -> None:
    ActionType.objects.update(second_opinion_rate=rate)


def _decided(cast: Cast, kind: DecisionKind = DecisionKind.APPROVE, **answer: Any) -> ReviewItem:
    """Let Alice decide a held action and her answer go out; return its item."""
    item = held(cast)
    decide_as(cast.alice, item, kind, **answer)
    _release()
    item.refresh_from_db()
    return item


def _release() -> None:
    deadlines.release_due(now=database_now() + LATER)


def _second(item: ReviewItem) -> ReviewItem:
    return ReviewItem.objects.get(action=item.action_id, kind=ItemKind.SECOND_OPINION)


def _disagreement(item: ReviewItem) -> ReviewItem:
    return ReviewItem.objects.get(action=item.action_id, kind=ItemKind.ADJUDICATION)


def _lead(name: str = "Lena") -> User:
    return make_person(name, "lead")


def _verbs() -> list[str]:
    return list(
        LedgerEntry.objects.filter(verb__startswith="second_opinion.")
        .order_by("id")
        .values_list("verb", flat=True)
    )


def test_a_drawn_decision_is_asked_of_somebody_else_who_knows_nothing_of_it(cast: Cast) -> None:
    _draw_all()
    item = _decided(cast)

    second = _second(item)
    opinion = SecondOpinion.objects.get()
    assert (opinion.item, opinion.propensity, opinion.because) == (second, 1.0, "")
    assert opinion.first_decision == item.decisions.get()
    assert (second.blind, second.trigger, second.status) == (True, "audit", ItemStatus.OPEN)
    assert timedelta(days=2, hours=23) < second.due_at - database_now() < timedelta(days=3, seconds=10)
    # The decision itself went out as ever.
    assert ActionRequest.objects.get().state == ActionState.APPROVED
    assert Permit.objects.count() == 1
    assert _verbs() == ["second_opinion.drawn"]


def test_the_draw_is_the_one_an_auditor_computes(cast: Cast) -> None:
    _draw_all(0.5)
    items = [_decided(cast) for _ in range(8)]
    for item in items:
        expected = audit_draw(settings.AUDIT_DRAW_SECRET, item.action.public_id, "second_opinion") < 0.5
        assert ReviewItem.objects.filter(action=item.action, kind="second_opinion").exists() is expected
    assert set(SecondOpinion.objects.values_list("propensity", flat=True)) <= {0.5}


def test_a_routine_check_is_drawn_from_as_well(cast: Cast) -> None:
    _draw_all()
    action = propose(cast, confidence=0.97)
    # By chance it was drawn already.
    audit = action.items.filter(kind=ItemKind.AUDIT).first() or gatekeeping.open_item(
        action=action, check=action.gate_check, kind=ItemKind.AUDIT, now=database_now()
    )
    decide_as(cast.alice, audit)
    _release()
    assert _second(audit).status == ItemStatus.OPEN


def test_nothing_is_drawn_at_rate_0_of_a_drill_or_of_a_second_opinion(cast: Cast) -> None:
    item = _decided(cast)
    assert not SecondOpinion.objects.exists()
    _draw_all()
    decision = item.decisions.select_related("action__gate_check", "action__action_type").get()
    decision.action.gate_check.drill = True
    assert second_opinions.draw(decision=decision, now=database_now()) is None
    assert not SecondOpinion.objects.exists()

    decision.action.gate_check.drill = False
    assert second_opinions.draw(decision=decision, now=database_now()) is not None
    decide_as(cast.bob, _second(item))
    _release()
    assert SecondOpinion.objects.count() == 1


def test_the_first_reviewer_and_the_owner_are_neither_served_nor_shown_it_and_may_not_answer(
    cast: Cast,
) -> None:
    _draw_all()
    second = _second(_decided(cast))
    for person in (cast.alice, cast.carol):
        assert second not in inbox.my_turn(person)
        assert second not in inbox.visible_to(person)
        with pytest.raises(claims.NothingToClaim):
            claims.claim_next(reviewer=person, now=database_now())
        with pytest.raises(ReviewItem.DoesNotExist):
            claims.claim(item_id=second.public_id, reviewer=person, now=database_now())
        with pytest.raises(NotAllowed):
            decide_as(person, second)
        with pytest.raises(NotAllowed):
            passing_on.skip(
                item_id=second.public_id,
                reviewer=person,
                reason="conflict",  # type: ignore[arg-type]  # never read
                now=database_now(),
            )
    assert list(inbox.my_turn(cast.bob)) == [second]
    second.refresh_from_db()
    assert (second.status, second.claimed_by) == (ItemStatus.OPEN, None)
    assert second.decisions.count() == 0
    assert claims.claim_next(reviewer=cast.bob, now=database_now()) == second


def test_whoever_took_their_first_answer_back_is_no_first_reviewer(cast: Cast) -> None:
    _draw_all()
    item = held(cast)
    taken_back = decide_as(cast.bob, item).decision
    decisions.undo(decision_id=taken_back.public_id, reviewer=cast.bob, now=database_now())
    decide_as(cast.alice, item)
    _release()
    decide_as(cast.bob, _second(item))
    assert _second(item).decisions.get().reviewer == cast.bob


def test_two_who_agree_leave_a_double_review_and_nothing_to_settle(cast: Cast) -> None:
    _draw_all()
    item = _decided(cast)
    decide_as(cast.bob, _second(item))
    assert not DoubleReview.objects.exists()  # it rests in its undo window
    _release()

    review = DoubleReview.objects.get()
    assert (review.first_reviewer, review.second_reviewer) == (cast.alice, cast.bob)
    assert (review.first_kind, review.second_kind, review.agreed) == ("approve", "approve", True)
    assert (review.propensity, review.settled_kind, review.action_type) == (1.0, "", cast.refund)
    assert not ReviewItem.objects.filter(kind=ItemKind.ADJUDICATION).exists()
    assert _verbs() == ["second_opinion.drawn", "second_opinion.agreed"]
    # Of the agent it says nothing more, and nothing ran by it.
    assert Observation.objects.count() == 1
    assert Permit.objects.count() == 1


def test_the_same_verdict_with_other_arguments_is_a_disagreement(cast: Cast) -> None:
    _draw_all()
    item = _decided(cast, DecisionKind.CORRECT, arguments={**REFUND, "amount": 148})
    decide_as(cast.bob, _second(item), DecisionKind.CORRECT, arguments={**REFUND, "amount": 150})
    _release()
    assert DoubleReview.objects.get().agreed is False
    assert _disagreement(item).status == ItemStatus.OPEN


def test_a_second_opinion_neither_runs_nor_stops_anything(cast: Cast) -> None:
    _draw_all()
    item = _decided(cast)
    before = ActionRequest.objects.values().get()
    permit = Permit.objects.values().get()
    decide_as(cast.bob, _second(item), DecisionKind.REJECT)
    _release()
    decide_as(_lead(), _disagreement(item), DecisionKind.REJECT, note="The order was paid back in May.")
    _release()

    assert ActionRequest.objects.values().get() == before
    assert Permit.objects.values().get() == permit
    assert Observation.objects.get().error is False


def test_a_lead_who_gave_neither_answer_settles_a_disagreement(cast: Cast) -> None:
    _draw_all()
    lead, other = _lead(), _lead("Lutz")
    item = _decided(cast)
    decide_as(other, _second(item), DecisionKind.REJECT)
    _release()
    open_item = _disagreement(item)

    assert list(inbox.my_turn(lead)) == [open_item]
    for person in (cast.alice, cast.bob, other):
        assert open_item not in inbox.my_turn(person)
        with pytest.raises(NotAllowed):
            decide_as(person, open_item, DecisionKind.REJECT, note="No")
        with pytest.raises(NotAllowed):
            claims.claim(item_id=open_item.public_id, reviewer=person, now=database_now())
    with pytest.raises(decisions.InvalidAnswer, match="how you came to this"):
        decide_as(lead, open_item)
    assert open_item.decisions.count() == 0

    decision = decide_as(lead, open_item, note="The amount is what was paid.").decision
    assert DoubleReview.objects.get().settled_kind == ""
    _release()
    review = DoubleReview.objects.get()
    assert (review.settled_kind, review.settled_at is not None) == ("approve", True)
    assert _verbs()[-2:] == ["second_opinion.disagreed", "second_opinion.settled"]
    settled = LedgerEntry.objects.get(verb="second_opinion.settled")
    assert (settled.object_id, settled.action_id) == (decision.public_id, item.action.public_id)


def test_second_opinions_and_adjudications_are_taken_back_like_any_answer(cast: Cast) -> None:
    _draw_all()
    lead, item = _lead(), _decided(cast)
    second = _second(item)
    first_try = decide_as(cast.bob, second, DecisionKind.REJECT).decision
    decisions.undo(decision_id=first_try.public_id, reviewer=cast.bob, now=database_now())
    _release()
    second.refresh_from_db()
    assert second.status == ItemStatus.OPEN
    assert not DoubleReview.objects.exists()

    decide_as(cast.bob, second, DecisionKind.REJECT)
    _release()
    open_item = _disagreement(item)
    hasty = decide_as(lead, open_item, note="Hm").decision
    decisions.undo(decision_id=hasty.public_id, reviewer=lead, now=database_now())
    _release()
    assert DoubleReview.objects.get().settled_kind == ""
    open_item.refresh_from_db()
    assert open_item.status == ItemStatus.OPEN


def test_what_nobody_answers_in_time_lapses_without_a_record_and_is_counted(cast: Cast) -> None:
    _draw_all()
    second = _second(_decided(cast))
    claims.claim(item_id=second.public_id, reviewer=cast.bob, now=database_now())
    later = second.due_at + timedelta(seconds=1)

    with pytest.raises(decisions.TimeRanOut, match="what was decided first stands"):
        decide_as(cast.bob, second, now=later)
    assert sweep.next_due(now=database_now() + timedelta(days=2)) == second.due_at
    assert second_opinions.expire_due(now=second.due_at - timedelta(seconds=1)) == 0
    assert second_opinions.expire_due(now=later) == 1
    assert second_opinions.expire_due(now=later) == 0
    second.refresh_from_db()
    assert (second.status, second.closed_at, second.claimed_by) == (ItemStatus.EXPIRED, later, None)
    assert not DoubleReview.objects.exists()
    assert _verbs() == ["second_opinion.drawn", "second_opinion.expired"]
    assert ActionRequest.objects.get().state == ActionState.APPROVED


def test_an_answer_in_its_undo_window_at_the_deadline_counts(cast: Cast) -> None:
    _draw_all()
    second = _second(_decided(cast))
    decide_as(cast.bob, second, now=second.due_at - timedelta(seconds=1))
    assert second_opinions.expire_due(now=second.due_at + timedelta(seconds=1)) == 0
    deadlines.release_due(now=second.due_at + LATER)
    assert DoubleReview.objects.get().agreed


def test_somebody_is_asked_because_of_something_once(cast: Cast) -> None:
    item = held(cast)
    assert _ask(item) is None  # nothing is decided yet
    decide_as(cast.alice, item)
    assert _ask(item) is None  # nothing has gone out yet
    _release()

    opinion = _ask(item)
    assert opinion is not None
    assert (opinion.because, opinion.propensity) == ("A chargeback came.", None)
    assert _ask(item) is None
    assert _verbs() == ["second_opinion.asked"]
    second_opinions.expire_due(now=opinion.item.due_at)
    again = _ask(item)
    assert again is not None
    assert again.item_id != opinion.item_id


def _ask(item: ReviewItem) -> SecondOpinion | None:
    return second_opinions.ask(action=item.action, because="A chargeback came.", now=database_now())


def test_it_is_passed_on_only_to_those_who_could_answer_it(cast: Cast) -> None:
    _draw_all()
    lead, item = _lead(), _decided(cast)
    second = _second(item)
    assert set(people.receivers_of(second, sender=cast.bob)) == {lead}
    with pytest.raises(decisions.InvalidAnswer, match="cannot answer this one"):
        _pass_on(second, cast.bob, cast.alice)
    second.refresh_from_db()
    assert (second.escalated_to, second.escalations.count()) == (None, 0)
    _pass_on(second, cast.bob, lead)
    decide_as(lead, second, DecisionKind.REJECT)
    _release()
    other = _lead("Lutz")
    assert set(people.receivers_of(_disagreement(item), sender=lead)) == {other}
    assert cast.bob not in people.adjudicators()


def _pass_on(item: ReviewItem, sender: User, receiver: User) -> None:
    item.refresh_from_db()
    passing_on.escalate(
        item_id=item.public_id,
        reviewer=sender,
        note="You know them",
        item_version=item.version,
        to_user=receiver,
        now=database_now(),
    )


def test_why_it_was_asked_never_changes(cast: Cast) -> None:
    _draw_all()
    _decided(cast)
    with pytest.raises(DatabaseError), transaction.atomic():
        SecondOpinion.objects.update(propensity=0.5)
    with pytest.raises(DatabaseError), transaction.atomic():
        SecondOpinion.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_two_who_answer_at_once_leave_one_second_opinion() -> None:
    cast = make_cast()
    _draw_all()
    lead, item = _lead(), _decided(cast)
    second = _second(item)

    def answer(person: User) -> Callable[[], None]:
        return lambda: _try(lambda: decide_as(person, second, DecisionKind.REJECT))

    _at_once(answer(cast.bob), answer(lead), answer(cast.alice))
    assert second.decisions.count() == 1
    assert second.decisions.get().reviewer in {cast.bob, lead}


@pytest.mark.django_db(transaction=True)
def test_releasing_twice_at_once_draws_and_compares_once() -> None:
    cast = make_cast()
    _draw_all()
    item = held(cast)
    decide_as(cast.alice, item)
    _at_once(_release, _release)
    second = _second(item)
    assert SecondOpinion.objects.count() == 1
    decide_as(cast.bob, second, DecisionKind.REJECT)
    _at_once(_release, _release, lambda: second_opinions.expire_due(now=second.due_at))
    assert DoubleReview.objects.count() == 1
    assert ReviewItem.objects.filter(kind=ItemKind.ADJUDICATION).count() == 1
    assert _verbs() == ["second_opinion.drawn", "second_opinion.disagreed"]


def _try(act: Callable[[], object]) -> None:
    with suppress(decisions.UnableToDecide, NotAllowed):
        act()


def _at_once(*acts: Callable[[], object]) -> None:
    barrier = threading.Barrier(len(acts))
    failed: list[BaseException] = []

    def run(act: Callable[[], object]) -> None:
        try:
            barrier.wait(timeout=30)
            act()
        except BaseException as error:  # told to the test
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(act,)) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_a_lead_who_lost_the_right_settles_nothing(cast: Cast) -> None:
    _draw_all()
    lead, item = _lead(), _decided(cast)
    decide_as(cast.bob, _second(item), DecisionKind.REJECT)
    _release()
    assert lead.has_perm("reviews.adjudicate")
    lead.groups.set(Group.objects.filter(name="reviewer"))
    with pytest.raises(NotAllowed, match="for leads"):
        decide_as(lead, _disagreement(item), note="As it was paid")
    assert not Decision.objects.filter(reviewer=lead).exists()

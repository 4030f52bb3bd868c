"""A temporary second review: what one person answers takes a second person, until it ends."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.test import Client

from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.models import ActionType, DoubleReview, LedgerEntry
from reviews.choices import ActionState, DecisionKind, ItemKind, ItemStatus
from reviews.models import Decision, Notice, Permit, ReviewItem, SecondOpinion, SecondReview
from reviews.selectors import inbox
from reviews.selectors import second_reviews as questions
from reviews.services import deadlines, decisions, gatekeeping, second_reviews, sweep
from reviews.services.rights import NotAllowed
from reviews.services.second_reviews import UnableToReview
from reviews.tests.cast import Cast, decide_as, held, make_cast, make_person, propose

LATER = timedelta(seconds=6)
WEEK = timedelta(days=7)


def _lead(name: str = "Lena") -> User:
    return make_person(name, "lead")


def _start(
    lead: User,
    reviewer: User,
    *,
    action_type: ActionType | None = None,
    now: datetime | None = None,
    lasts: timedelta = WEEK,
) -> SecondReview:
    now = now or database_now()
    return second_reviews.start(
        reviewer=reviewer,
        action_type=action_type,
        reason="Missed planted errors",
        ends_at=now + lasts,
        by=lead,
        now=now,
    )


def _release(now: datetime | None = None) -> None:
    deadlines.release_due(now=(now or database_now()) + LATER)


def _said(verb: str) -> dict[str, object]:
    body = LedgerEntry.objects.get(verb=verb).payload.body
    assert isinstance(body, dict)
    return body


def test_what_the_person_approves_runs_when_another_person_says_the_same(cast: Cast) -> None:
    _start(_lead(), cast.alice)
    item = held(cast)
    first = decide_as(cast.alice, item).decision
    _release()
    item.refresh_from_db()
    assert (first.terminal, item.status, item.approvals_required) == (False, ItemStatus.OPEN, 2)
    assert (item.action.state, Permit.objects.count()) == (ActionState.PENDING_REVIEW, 0)
    assert not inbox.my_turn(cast.alice).exists()
    told = Client().get(
        f"/api/v1/actions/{item.action.public_id}", headers={"Authorization": f"Bearer {cast.token}"}
    )
    assert told.json()["approvals"] == {"required": 2, "given": 1}
    # Whoever is asked second is asked blind.
    browser = Client()
    browser.force_login(cast.bob)
    page = browser.get(f"/review/{item.public_id}/").content.decode()
    assert "1 of 2" in page
    assert "Alice" not in page

    decide_as(cast.bob, item)
    _release()
    item.refresh_from_db()
    assert (item.status, item.action.state) == (ItemStatus.DECIDED, ActionState.APPROVED)
    assert Permit.objects.count() == 1
    # Two have answered it: nobody is asked a third time.
    assert not SecondOpinion.objects.exists()


def test_a_correction_takes_the_very_same_correction(cast: Cast) -> None:
    _start(_lead(), cast.alice, action_type=cast.refund)
    item = held(cast)
    fixed = {"order": "SO-48213", "amount": 148, "message": "Sorry!"}
    decide_as(cast.alice, item, DecisionKind.CORRECT, arguments=fixed)
    decide_as(cast.bob, item)
    _release()
    item.refresh_from_db()
    assert (item.status, Permit.objects.count()) == (ItemStatus.OPEN, 0)
    assert item.disagreed_at is not None
    carl = make_person("Carl", "reviewer")
    decide_as(carl, item, DecisionKind.CORRECT, arguments=fixed)
    _release()
    item.action.refresh_from_db()
    assert item.action.state == ActionState.CORRECTED


def test_it_does_not_matter_who_answers_first(cast: Cast) -> None:
    """A critical action takes two anyway; with Alice among them the other is under no second review."""
    lead = _lead()
    ActionType.objects.update(risk=Risk.CRITICAL)
    for person in (cast.alice, cast.bob):
        _start(lead, person)
    item = held(cast)
    for person in (cast.bob, cast.alice):
        assert decide_as(person, item).decision.terminal is False
    item.refresh_from_db()
    assert item.approvals_required == 3
    assert decide_as(make_person("Carl", "reviewer"), item).decision.terminal is True

    # One of the two who would have been enough without it is.
    other = held(cast)
    assert decide_as(cast.alice, other).decision.terminal is False
    assert decide_as(lead, other).decision.terminal is True


def test_a_rejection_stops_at_once_and_is_asked_of_a_second_person_afterwards(cast: Cast) -> None:
    _start(_lead(), cast.alice)
    item = held(cast)
    assert decide_as(cast.alice, item, DecisionKind.REJECT).decision.terminal is True
    _release()
    item.action.refresh_from_db()
    assert item.action.state == ActionState.REJECTED
    opinion = SecondOpinion.objects.select_related("item").get()
    assert (opinion.because, opinion.propensity, opinion.asked_by) == (
        "A temporary second review",
        None,
        None,
    )
    assert opinion.item.blind is True
    decide_as(cast.bob, opinion.item)
    _release()
    # It was asked for, not drawn: it stands in no rate of agreement.
    assert (DoubleReview.objects.get().agreed, DoubleReview.objects.get().propensity) == (False, None)
    assert ReviewItem.objects.filter(kind=ItemKind.ADJUDICATION).count() == 1
    assert not Notice.objects.filter(kind="second_look").exists()


def test_a_routine_check_is_asked_of_a_second_person_and_a_draw_stays_a_draw(cast: Cast) -> None:
    _start(_lead(), cast.alice)
    for rate, propensity in ((0.0, None), (1.0, 1.0)):
        ActionType.objects.update(second_opinion_rate=rate)
        action = propose(cast, confidence=0.97)
        audit = action.items.filter(kind=ItemKind.AUDIT).first() or gatekeeping.open_item(
            action=action, check=action.gate_check, kind=ItemKind.AUDIT, now=database_now()
        )
        decide_as(cast.alice, audit)
        _release()
        assert SecondOpinion.objects.get(item__action=action).propensity == propensity


def test_it_is_of_one_action_type_where_it_says_so_and_of_one_person(cast: Cast) -> None:
    _start(_lead(), cast.alice, action_type=cast.note)
    assert decide_as(cast.alice, held(cast)).decision.terminal is True
    assert decide_as(cast.bob, held(cast)).decision.terminal is True
    note = held(cast, action_type="note.add", arguments={"text": "hi"}, confidence=0.2)
    assert decide_as(cast.alice, note).decision.terminal is False
    assert decide_as(cast.bob, held(cast, action_type="note.add", confidence=0.2)).decision.terminal is True


def test_it_ends_by_itself_whether_or_not_that_was_noted(cast: Cast) -> None:
    lead = _lead()
    now = database_now()
    review = _start(lead, cast.alice, now=now - WEEK, lasts=WEEK - timedelta(seconds=1))
    assert questions.of_person(cast.alice, at=now) == []
    assert decide_as(cast.alice, held(cast)).decision.terminal is True
    for _ in range(2):
        sweep.run(now=now)
    review.refresh_from_db()
    assert (review.ended_at, review.ended_by) == (review.ends_at, None)
    assert _said("second_review.lapsed")["before"] == {"in_force": True}
    assert _said("second_review.lapsed")["after"] == {"in_force": False}
    # Another may begin.
    assert _start(lead, cast.alice).ended_at is None


def test_a_lead_ends_it_with_a_reason_and_what_waits_goes_on_waiting(cast: Cast) -> None:
    lead = _lead()
    review = _start(lead, cast.alice)
    item = held(cast)
    decide_as(cast.alice, item)
    for _ in range(2):
        second_reviews.end(review_id=review.public_id, reason="We talked", by=lead, now=database_now())
    review.refresh_from_db()
    assert (review.ended_by, review.end_reason) == (lead, "We talked")
    assert _said("second_review.ended")["reason"] == "We talked"
    _release()
    item.refresh_from_db()
    assert (item.status, Permit.objects.count()) == (ItemStatus.OPEN, 0)
    assert decide_as(cast.alice, held(cast)).decision.terminal is True


def test_who_is_not_a_lead_and_the_person_themselves_change_nothing(cast: Cast) -> None:
    lead, now = _lead(), database_now()
    with pytest.raises(NotAllowed):
        _start(cast.bob, cast.alice)
    with pytest.raises(UnableToReview, match="Somebody else"):
        _start(lead, lead)
    for lasts in (timedelta(0), timedelta(days=91)):
        with pytest.raises(UnableToReview, match="90 days"):
            _start(lead, cast.alice, lasts=lasts)
    with pytest.raises(UnableToReview, match="Say why"):
        second_reviews.start(
            reviewer=cast.alice, action_type=None, reason=" ", ends_at=now + WEEK, by=lead, now=now
        )
    assert not SecondReview.objects.exists()

    cast.alice.groups.add(Group.objects.get(name="lead"))
    review = _start(lead, cast.alice)
    with pytest.raises(UnableToReview, match="so already"):
        _start(lead, cast.alice)
    for by, said in ((cast.alice, "I am fine"), (lead, " ")):
        with pytest.raises(UnableToReview):
            second_reviews.end(review_id=review.public_id, reason=said, by=by, now=now)
    with pytest.raises(NotAllowed):
        second_reviews.end(review_id=review.public_id, reason="Why not", by=cast.bob, now=now)
    review.refresh_from_db()
    assert review.ended_at is None
    assert LedgerEntry.objects.filter(verb__startswith="second_review.").count() == 1


def test_a_right_taken_from_the_lead_is_asked_in_the_act(cast: Cast) -> None:
    lead = _lead()
    lead.has_perm("reviews.adjudicate")
    lead.groups.clear()
    with pytest.raises(NotAllowed):
        _start(lead, cast.alice)
    assert not SecondReview.objects.exists()


def test_second_looks_are_for_others_meanwhile(cast: Cast) -> None:
    lead = _lead()
    ActionType.objects.update(second_opinion_rate=1.0)
    item = held(cast)
    decide_as(cast.alice, item)
    _release()
    second = ReviewItem.objects.get(kind=ItemKind.SECOND_OPINION)
    assert second in inbox.my_turn(cast.bob)
    _start(lead, cast.bob)
    assert second not in inbox.my_turn(cast.bob)
    with pytest.raises(NotAllowed, match="second looks are for others"):
        decide_as(cast.bob, second)
    assert second in inbox.my_turn(make_person("Carl", "reviewer"))


def test_a_drill_is_answered_as_ever(cast: Cast) -> None:
    """Only one person answers a drill; what it would take to run it is nothing that anybody is told."""
    _start(_lead(), cast.alice)
    item = held(cast)
    item.action.drill = True
    needed = second_reviews.people_needed(
        item=item, kind="approve", people={cast.alice.pk}, now=database_now()
    )
    assert needed == 1


def test_it_lapses_with_the_deadline_and_runs_nothing(cast: Cast) -> None:
    _start(_lead(), cast.alice)
    item = held(cast)
    decide_as(cast.alice, item)
    deadlines.expire_due(now=item.due_at + LATER)
    item.action.refresh_from_db()
    assert (item.action.state, Permit.objects.count()) == (ActionState.EXPIRED, 0)


def test_the_database_lets_nothing_of_it_change_but_its_end(cast: Cast) -> None:
    review = _start(_lead(), cast.alice)
    for change in ({"ends_at": database_now()}, {"reviewer": cast.bob}, {"action_type": cast.note}):
        with pytest.raises(DatabaseError, match="only ends"), transaction.atomic():
            SecondReview.objects.filter(pk=review.pk).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        SecondReview.objects.filter(pk=review.pk).delete()
    with pytest.raises(IntegrityError), transaction.atomic():
        SecondReview.objects.filter(pk=review.pk).update(
            ended_at=database_now(), ended_by=cast.alice, end_reason="Mine"
        )
    SecondReview.objects.filter(pk=review.pk).update(ended_at=database_now())
    with pytest.raises(DatabaseError, match="only ends"), transaction.atomic():
        SecondReview.objects.filter(pk=review.pk).update(ended_at=None)


def test_the_page_begins_and_ends_it_and_the_person_reads_why(cast: Cast) -> None:
    lead = _lead()
    browser = Client()
    browser.force_login(lead)
    url = "/team/quality/alice/"
    bad = browser.post(f"{url}second-review/", {"action_type": "refund.issue", "lasts": "28"})
    assert bad.status_code == 422
    assert '<option value="refund.issue" selected>' in bad.content.decode()
    given = {"action_type": "refund.issue", "lasts": "28", "reason": "Eleven planted errors missed"}
    assert browser.post(f"{url}second-review/", given).status_code == 302
    again = browser.post(f"{url}second-review/", given)
    assert again.status_code == 422
    assert "That is so already" in again.content.decode()
    review = SecondReview.objects.get()
    assert review.ends_at - review.started_at == timedelta(days=28)
    assert "Second review" in browser.get("/team/quality/").content.decode() or not Decision.objects.exists()

    person = Client()
    person.force_login(cast.alice)
    own = person.get(url).content.decode()
    assert "Eleven planted errors missed" in own
    assert "Ask for one" not in own
    page = person.get(f"/review/{held(cast).public_id}/").content.decode()
    assert "a second person answers after you" in page
    assert person.post(f"{url}second-review/", given).status_code == 403

    end = f"{url}second-review/{review.public_id}/end/"
    assert browser.post(end, {"reason": ""}).status_code == 422
    assert browser.post(end, {"reason": "We went through them"}).status_code == 302
    review.refresh_from_db()
    assert review.ended_by == lead


@pytest.mark.django_db(transaction=True)
def test_a_start_and_an_answer_at_once_leave_one_of_the_two_orders() -> None:
    cast, lead = make_cast(), _lead()
    item = held(cast)
    holds, go_on = threading.Event(), threading.Event()
    found: list[decisions.Decided] = []

    def begin() -> None:
        with transaction.atomic():
            _start(lead, cast.alice)
            holds.set()
            go_on.wait(timeout=20)
        connection.close()

    def answer() -> None:
        found.append(decide_as(cast.alice, item))
        connection.close()

    starting, answering = threading.Thread(target=begin), threading.Thread(target=answer)
    starting.start()
    assert holds.wait(timeout=20)
    answering.start()
    # The answer waits for the start that holds its person, and then finds it.
    answering.join(timeout=0.5)
    assert found == []
    go_on.set()
    starting.join(timeout=20)
    answering.join(timeout=20)
    assert [each.decision.terminal for each in found] == [False]


@pytest.mark.django_db(transaction=True)
def test_two_leads_who_ask_for_each_other_at_once_wait_and_are_both_heard() -> None:
    make_cast()
    one, other = _lead("Lena"), _lead("Leo")
    barrier = threading.Barrier(2)

    def ask(by: User, about: User) -> None:
        barrier.wait(timeout=20)
        _start(by, about)
        connection.close()

    threads = [threading.Thread(target=ask, args=pair) for pair in ((one, other), (other, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert SecondReview.objects.count() == 2

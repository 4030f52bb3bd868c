"""Floor times on the quality pages: what right approvals take, and what that must never decide."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from hitl_site.lib.clock import database_now
from policies.models import ActionType, DoubleReview, LedgerEntry, Observation
from policies.services import action_types
from policies.services.ledger import Actor
from reviews.choices import DecisionKind
from reviews.models import Decision
from reviews.selectors import attention, floor_times, quality
from reviews.services import deadlines, decisions
from reviews.services.attention import Opening
from reviews.tests.cast import Cast, decide_as, held, make_person
from reviews.tests.test_trust_pages import browser_of

pytestmark = pytest.mark.django_db

SECOND: Final = 1000
GERMAN: Final = {"accept-language": "de"}


def declare(cast: Cast, milliseconds: int) -> None:
    action_types.change(
        action_type=cast.refund,
        reading_floor_ms=milliseconds,
        actor=Actor.person(cast.olga),
        now=database_now(),
    )


def answered(
    cast: Cast, person: User, *, took: int, kind: DecisionKind = DecisionKind.APPROVE, released: bool = True
) -> Decision:
    """Let somebody answer a held action after so many milliseconds, and the answer go out."""
    item, now = held(cast), database_now()
    reasons = () if kind == DecisionKind.APPROVE else ("wrong_arguments",)
    opened_at = now - timedelta(milliseconds=took)
    decision = decisions.decide(
        item_id=item.public_id,
        reviewer=person,
        answer=decisions.Answer(kind=kind, reasons=reasons),
        shown_digest=item.action.digest,
        item_version=item.version,
        opening=Opening(token="", opened_at=opened_at, arguments_seen=True, parts_opened=()),
        now=now,
    ).decision
    if released:
        deadlines.release_due(now=now + timedelta(seconds=6))
    return decision


def second_look(
    decision: Decision, by: User, *, second: str = "approve", settled: str = "", drawn: bool = True
) -> None:
    """Keep what a second person said of it."""
    now = database_now()
    DoubleReview.objects.create(
        gate_check=decision.action.gate_check,
        action_type=decision.action.action_type,
        first_reviewer=decision.reviewer,
        second_reviewer=by,
        first_kind=decision.kind,
        second_kind=second,
        agreed=decision.kind == second,
        settled_kind=settled,
        settled_at=now if settled else None,
        propensity=0.5 if drawn else None,
        reviewed_at=now,
    )


def right_approvals(cast: Cast, number: int, *, took: int) -> None:
    """Let three people approve in turn, each confirmed by another; ``took`` is that of the fastest."""
    people = (cast.alice, cast.bob, made(cast, "Rita"))
    for place in range(number):
        person = people[place % 3]
        second_look(
            answered(cast, person, took=took + place * SECOND // 10, released=False),
            people[(place + 1) % 3],
        )
    deadlines.release_due(now=database_now() + timedelta(seconds=6))


def made(cast: Cast, name: str) -> User:
    return User.objects.filter(username=name.lower()).first() or make_person(name, "reviewer")


def floors_of(cast: Cast) -> list[floor_times.FloorTime]:
    return floor_times.by_type(since=database_now() - quality.PERIOD)


def text(page: bytes) -> str:
    return " ".join(page.decode().split())


def test_until_59_right_approvals_are_known_the_declared_reading_floor_holds(cast: Cast) -> None:
    declare(cast, 3 * SECOND)
    right_approvals(cast, 58, took=20 * SECOND)
    (floor,) = floors_of(cast)
    assert (floor.action_type, floor.n, floor.people) == (cast.refund, 58, 3)
    assert (floor.declared_ms, floor.measured_ms, floor.floor_ms) == (3000, None, 3000)
    lead = browser_of(make_person("Lea", "lead"))
    page = text(lead.get("/team/quality/").content)
    assert 'Too few: <span class="num">58</span>' in page
    assert '<b class="b num">3.0 s</b><br><span class="sm t2">as declared</span>' in page

    second_look(answered(cast, cast.alice, took=60 * SECOND), cast.bob)
    (floor,) = floors_of(cast)
    # Of 59 the third fastest: two, 3.4%, were faster.
    entries = LedgerEntry.objects.count()
    assert (floor.n, floor.measured_ms, floor.floor_ms, floor.is_measured) == (59, 20_200, 20_200, True)
    page = text(lead.get("/team/quality/").content)
    assert '<span class="num">20.2 s at least</span>' in page
    assert '<span class="sm t2 num">of 59, by 3 people</span>' in page
    assert '<b class="b num">20.2 s</b><br><span class="sm t2">as measured</span>' in page
    # To look at it declares nothing.
    assert LedgerEntry.objects.count() == entries
    assert ActionType.objects.get(pk=cast.refund.pk).reading_floor_ms == 3000


def test_a_slow_team_moves_the_signal_and_takes_nobodys_answer_away(cast: Cast) -> None:
    """What Dora approved in good time stays evidence; that others take longer is something to look at."""
    declare(cast, 3 * SECOND)
    dora = made(cast, "Dora")
    before = [answered(cast, dora, took=10 * SECOND) for _ in range(30)]
    kept = list(Observation.objects.order_by("pk").values_list("pk", "considered", "error"))
    assert len(kept) == 30
    assert quality.of_person(dora, now=database_now()).too_fast.k == 0

    right_approvals(cast, 59, took=20 * SECOND)
    floors = floor_times.measured(floors_of(cast))
    assert floors == {cast.refund.pk: 20_200}
    found = quality.of_person(dora, floors=floors, now=database_now())
    assert (found.too_fast.k, found.too_fast.n) == (30, 30)
    assert found.signals[0] == "100% of the approvals were under the floor time of their type."
    (everybody,) = [
        each for each in quality.of_everybody(floors=floors, now=database_now()) if each.person == dora
    ]
    assert everybody.too_fast == found.too_fast
    page = text(browser_of(dora).get("/team/quality/dora/").content)
    assert "100% of the approvals were under the floor time of their type." in page

    # Evidence is as it was, and what is given from now on is measured by the declared floor alone.
    assert all(each.considered for each in Decision.objects.filter(pk__in=[each.pk for each in before]))
    assert list(Observation.objects.order_by("pk").values_list("pk", "considered", "error"))[:30] == kept
    assert attention.floor_of(before[0].action) == 3 * SECOND
    assert answered(cast, dora, took=10 * SECOND).considered
    assert not answered(cast, dora, took=2 * SECOND).considered


def test_a_fast_team_lowers_neither_the_signal_nor_what_counts_as_evidence(cast: Cast) -> None:
    declare(cast, 30 * SECOND)
    right_approvals(cast, 59, took=SECOND)
    (floor,) = floors_of(cast)
    assert (floor.measured_ms, floor.floor_ms, floor.is_measured) == (1200, 30_000, False)
    lead = browser_of(make_person("Lea", "lead"))
    page = text(lead.get("/team/quality/").content)
    assert '<b class="b num">30.0 s</b><br><span class="sm t2">as declared</span>' in page

    dora = made(cast, "Dora")
    quick = [answered(cast, dora, took=10 * SECOND) for _ in range(30)]
    assert not any(each.considered for each in quick)
    assert attention.floor_of(quick[0].action) == 30 * SECOND
    assert not Observation.objects.filter(considered=True).exists()
    found = quality.of_person(dora, floors=floor_times.measured([floor]), now=database_now())
    assert (found.too_fast.k, found.too_fast.n) == (30, 30)


def test_only_right_approvals_that_were_drawn_and_given_one_at_a_time_say_how_long_it_takes(
    cast: Cast,
) -> None:
    second_look(answered(cast, cast.alice, took=9 * SECOND), cast.bob)
    second_look(answered(cast, cast.alice, took=8 * SECOND), cast.bob, second="reject", settled="approve")
    second_look(answered(cast, cast.alice, took=SECOND), cast.bob, second="reject", settled="reject")
    second_look(answered(cast, cast.alice, took=SECOND), cast.bob, second="reject")
    second_look(answered(cast, cast.alice, took=SECOND), cast.bob, drawn=False)
    # Both rejected; an answer that has not gone out; one that was not looked at twice.
    second_look(answered(cast, cast.alice, took=SECOND, kind=DecisionKind.REJECT), cast.bob, second="reject")
    answered(cast, cast.alice, took=SECOND)
    second_look(answered(cast, cast.alice, took=SECOND, released=False), cast.bob)
    (floor,) = floors_of(cast)
    assert (floor.n, floor.people, floor.measured_ms) == (2, 1, None)


def test_the_second_persons_own_answer_counts_by_its_own_time(cast: Cast) -> None:
    ActionType.objects.filter(pk=cast.refund.pk).update(second_opinion_rate=1.0)
    first = answered(cast, cast.alice, took=9 * SECOND)
    asked = first.action.items.get(kind="second_opinion")
    decide_as(cast.bob, asked)
    deadlines.release_due(now=database_now() + timedelta(seconds=6))
    (floor,) = floors_of(cast)
    assert (floor.n, floor.people) == (2, 2)


def test_two_people_alone_make_no_floor_and_the_page_says_so_in_german(cast: Cast) -> None:
    for _ in range(59):
        second_look(answered(cast, cast.alice, took=9 * SECOND, released=False), cast.bob)
    deadlines.release_due(now=database_now() + timedelta(seconds=6))
    (floor,) = floors_of(cast)
    assert (floor.n, floor.people, floor.measured_ms, floor.floor_ms) == (59, 1, None, 0)
    lead = browser_of(make_person("Lea", "lead"))
    assert 'Too few people: <span class="num">1</span>' in text(lead.get("/team/quality/").content)
    page = text(lead.get("/team/quality/", headers=GERMAN).content)
    assert 'Zu wenige Personen: <span class="num">1</span>' in page
    assert "Was eine Freigabe mindestens dauert" in page


def test_floor_times_take_two_queries_however_many_there_are(cast: Cast) -> None:
    right_approvals(cast, 6, took=SECOND)
    since = database_now() - quality.PERIOD
    with CaptureQueriesContext(connection) as asked:
        assert [each.n for each in floor_times.by_type(since=since)] == [6]
    assert len(asked) == 2

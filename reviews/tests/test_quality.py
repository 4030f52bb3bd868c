"""Reviewing well: numbers that are kept back while too few, signals without consequences, one's own page."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from hitl_site.groups import GROUPS
from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.models import DoubleReview, DrillResult
from policies.services import action_types
from policies.services.ledger import Actor
from policies.statistics.detection import evidence_of_misses
from policies.statistics.differences import difference_of_shares
from reviews.choices import DecisionKind
from reviews.models import Decision
from reviews.selectors import capacity, quality
from reviews.services import deadlines
from reviews.tests.cast import Cast, decide_as, held, make_person
from reviews.tests.test_trust_pages import browser_of

pytestmark = pytest.mark.django_db


def drills(cast: Cast, person: User, *caught: bool) -> None:
    now = database_now()
    for number, seen in enumerate(caught):
        DrillResult.objects.create(
            drill_id=f"act_{person.pk}_{number}",
            action_type=cast.refund,
            reviewer=person,
            error_kind="wrong_value",
            caught=seen,
            decided_at=now - timedelta(minutes=len(caught) - number),
        )


def test_evidence_of_misses_grows_with_misses_and_is_a_fair_bet() -> None:
    assert evidence_of_misses([]) == 1.0
    assert evidence_of_misses([True] * 50) == 1.0
    assert evidence_of_misses([False]) == pytest.approx(sum((0.3, 0.4, 0.5, 0.6, 0.8)) / 5 / 0.2)
    # What somebody who catches exactly 80% is worth on average after one drill: nothing gained.
    bets = (0.3, 0.4, 0.5, 0.6, 0.8)
    assert sum(0.2 * bet / 0.2 + 0.8 * (1 - bet) / 0.8 for bet in bets) / 5 == pytest.approx(1.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        evidence_of_misses([True], least_catch=1.0)


def test_the_difference_of_shares_is_newcombes() -> None:
    # Newcombe (1998), table II, example (a): 56/70 and 48/80.
    found = difference_of_shares(56, 70, 48, 80)
    assert (round(found.value, 4), round(found.low, 4), round(found.high, 4)) == (0.2, 0.0524, 0.3339)


def test_numbers_are_kept_back_while_they_are_few(cast: Cast) -> None:
    decide_as(cast.alice, held(cast))
    drills(cast, cast.alice, *[True] * 29)
    found = quality.of_person(cast.alice, now=database_now())
    assert (found.decisions, found.drills.n, found.drills.is_enough, found.bias) == (1, 29, False, None)
    page = browser_of(cast.alice).get("/team/quality/alice/").content.decode()
    assert "100%" not in page
    drills(cast, cast.bob, *[True] * 24, *[False] * 6)
    other = quality.of_person(cast.bob, now=database_now())
    assert (other.drills.k, other.drills.n, other.drills.is_enough) == (24, 30, True)
    assert not other.is_flagged


def test_two_signals_are_worth_a_conversation_and_one_is_not(cast: Cast) -> None:
    drills(cast, cast.alice, *[False] * 6)
    found = quality.of_person(cast.alice, now=database_now())
    assert found.is_flagged
    assert (len(found.signals), found.coaching) == (1, False)
    action_types.change(
        action_type=cast.refund, reading_floor_ms=60_000, actor=Actor.person(cast.olga), now=database_now()
    )
    for _ in range(30):
        decide_as(cast.alice, held(cast))
    found = quality.of_person(cast.alice, now=database_now())
    assert (found.too_fast.k, found.too_fast.n, found.coaching) == (30, 30, True)
    assert cast.alice.has_perm("reviews.review_item")


def test_what_was_settled_otherwise_is_weighted_by_its_draw(cast: Cast) -> None:
    for propensity, agreed, settled in (
        (0.5, True, ""),
        (0.25, False, "reject"),
        (0.25, False, ""),
        (None, False, "reject"),
    ):
        item = held(cast)
        DoubleReview.objects.create(
            gate_check=item.action.gate_check,
            action_type=cast.refund,
            first_reviewer=cast.alice,
            second_reviewer=cast.bob,
            first_kind="approve",
            second_kind="approve" if agreed else "reject",
            agreed=agreed,
            settled_kind=settled,
            settled_at=database_now() if settled else None,
            propensity=propensity,
            reviewed_at=database_now(),
        )
    found = quality.of_person(cast.alice, now=database_now())
    assert (found.agreement.k, found.agreement.n) == (1, 3)
    assert found.overturned.n == 2
    assert found.overturned.rate == pytest.approx(4 / 6)
    assert (found.wrong_approvals, found.wrong_objections, found.open) == (1, 0, 1)
    page = browser_of(cast.alice).get("/team/quality/alice/").content.decode()
    assert "The second person said: reject." in page


@pytest.mark.parametrize("group", GROUPS)
def test_leads_see_everybody_and_reviewers_themselves(cast: Cast, group: str) -> None:
    reader = make_person("Reader", group)
    browser = browser_of(reader)
    index = browser.get("/team/quality/")
    expected = {"lead": 200, "reviewer": 302}.get(group, 403)
    assert index.status_code == expected
    assert browser.get("/team/quality/alice/").status_code == (200 if group == "lead" else 403)
    own = browser.get("/team/quality/reader/").status_code
    assert own == (200 if group in {"lead", "reviewer"} else 403)


def test_people_stand_by_name(cast: Cast) -> None:
    for person in (cast.bob, cast.alice):
        decide_as(person, held(cast))
    page = browser_of(make_person("Lea", "lead")).get("/team/quality/")
    assert [each.person.username for each in page.context["people"]] == ["alice", "bob"]


def test_the_busiest_hour_is_the_ninety_fifth_percentile() -> None:
    assert capacity.busiest_hour([]) == 0.0
    assert capacity.busiest_hour(range(1, 101)) == 95.0
    assert capacity.busiest_hour([7]) == 7.0


def test_uneven_handling_takes_more_people() -> None:
    even = capacity.need_of(60, 3, 5, 1.0)
    uneven = capacity.need_of(60, 3, 5, 3.0)
    assert (even.at_work, even.rostered) == (5, 8)
    assert even.busy == pytest.approx(0.6)
    assert uneven.at_work > even.at_work
    assert min(even.in_time, uneven.in_time) >= capacity.TARGET


@pytest.mark.parametrize("group", GROUPS)
def test_capacity_says_what_it_knows(cast: Cast, group: str) -> None:
    answer = browser_of(make_person("Reader", group)).get("/capacity/")
    may = group in {"lead", "ops_admin", "manager", "auditor"}
    assert answer.status_code == (200 if may else 403)
    if may:
        assert "Not enough to say how many people it takes" in answer.content.decode()


def test_capacity_is_computed_from_what_came_and_what_it_took(cast: Cast) -> None:
    # What is risky is read for three seconds by this cast, everything else for none.
    action_types.declare(
        name="wire.send", title="Wire", risk=Risk.HIGH, actor=Actor.person(cast.olga), now=database_now()
    )
    for _ in range(30):
        decide_as(cast.alice, held(cast, action_type="wire.send", arguments={}))
    held(cast)
    deadlines.release_due(now=database_now() + timedelta(minutes=5))
    found = capacity.capacity(action_type=cast.refund, now=database_now())
    assert (found.minutes, found.cv, found.waiting, found.people) == (0.05, 0.0, 1, 1)
    assert found.need is not None
    assert found.in_a_week is not None
    assert Decision.objects.filter(kind=DecisionKind.APPROVE).count() == 30
    page = browser_of(cast.dan).get("/capacity/?type=refund.issue")
    assert "people reviewing at once" in page.content.decode() or found.need.at_work == 1
    assert browser_of(cast.dan).get("/capacity/?type=nothing").status_code == 404

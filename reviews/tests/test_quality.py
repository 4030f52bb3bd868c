"""Reviewing well: numbers that are kept back while too few, signals without consequences, one's own page."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.template.loader import render_to_string

from hitl_site.groups import GROUPS
from hitl_site.lib.clock import database_now
from hitl_site.lib.textdiff import json_changes
from policies.choices import Risk
from policies.models import DoubleReview, DrillResult
from policies.services import action_types
from policies.services.ledger import Actor
from policies.statistics.detection import chance_of_run, evidence_of_misses, sensitivity_and_criterion
from policies.statistics.differences import difference_of_shares
from reviews.choices import DecisionKind
from reviews.models import Decision
from reviews.selectors import capacity, coaching, quality
from reviews.services import deadlines, decisions
from reviews.services.attention import Opening
from reviews.tests.cast import Cast, decide_as, held, make_person
from reviews.tests.test_trust_pages import browser_of

pytestmark = pytest.mark.django_db


def drills(cast: Cast, person: User, *caught: bool, took: int | None = None, begin: int = 0) -> None:
    now = database_now()
    for number, seen in enumerate(caught, start=begin):
        DrillResult.objects.create(
            drill_id=f"act_{person.pk}_{number}",
            action_type=cast.refund,
            reviewer=person,
            error_kind="wrong_value",
            caught=seen,
            decision_ms=took,
            decided_at=now - timedelta(minutes=begin + len(caught) - number),
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


def look(cast: Cast, person: User, *, seconds: int) -> None:
    """Approve a held action after that long."""
    item, now = held(cast), database_now()
    decisions.decide(
        item_id=item.public_id,
        reviewer=person,
        answer=decisions.Answer(kind=DecisionKind.APPROVE),
        shown_digest=item.action.digest,
        item_version=item.version,
        opening=Opening(
            token="", opened_at=now - timedelta(seconds=seconds), arguments_seen=True, parts_opened=()
        ),
        now=now,
    )


def second_opinions(cast: Cast, number: int, first: str, second: str) -> None:
    for _ in range(number):
        DoubleReview.objects.create(
            gate_check=held(cast).action.gate_check,
            action_type=cast.refund,
            first_reviewer=cast.alice,
            second_reviewer=cast.bob,
            first_kind=first,
            second_kind=second,
            agreed=first == second,
            propensity=0.1,
            reviewed_at=database_now(),
        )


def test_a_planted_error_that_takes_no_more_time_is_a_signal(cast: Cast) -> None:
    for person, milliseconds in ((cast.alice, 20_000), (cast.bob, 60_000)):
        for place in range(30):
            look(cast, person, seconds=20 + place)
        drills(cast, person, *[True] * 29, took=milliseconds)
        # One too few to compare.
        assert quality.of_person(person, now=database_now()).longer is None
        drills(cast, person, True, took=milliseconds, begin=29)
    found = quality.of_person(cast.alice, now=database_now())
    assert found.longer is not None
    assert found.longer.share == pytest.approx(0.5 / 30)
    assert found.signals == ["Takes no more time over planted errors than over other items."]
    other = quality.of_person(cast.bob, now=database_now())
    assert other.longer is not None
    assert (other.longer.share, other.signals) == (1.0, [])
    page = " ".join(browser_of(cast.alice).get("/team/quality/alice/").content.decode().split())
    assert '<b class="b num">2%</b> <span class="sm t2">of pairs; so much by' in page
    assert "by chance: over 99.9%</span>" in page


def test_a_run_of_approvals_that_chance_hardly_brings_is_a_signal(cast: Cast) -> None:
    for place in range(30):
        kind = DecisionKind.REJECT if place % 2 and place < 16 else DecisionKind.APPROVE
        decide_as(cast.alice, held(cast, arguments={"order": f"A{place}", "amount": 1}), kind)
    found = quality.of_person(cast.alice, now=database_now())
    assert (found.approvals.k, found.approvals.n, found.longest_run) == (22, 30, 14)
    assert found.run_chance == pytest.approx(chance_of_run(14, trials=30, rate=22 / 30))
    # One in fifteen: not rare enough.
    assert (round(found.run_chance, 3), found.signals) == (0.068, [])
    page = " ".join(browser_of(cast.alice).get("/team/quality/alice/").content.decode().split())
    assert '<b class="b num">14</b> <span class="sm t2">of 30; as many by chance: 6.8%</span>' in page
    rare = replace(found, longest_run=28, run_chance=0.0002)
    assert rare.signals == ["Approved 28 in a row, which chance hardly ever brings."]


def test_a_drill_that_was_right_says_how_leniently_one_judges(cast: Cast) -> None:
    drills(cast, cast.alice, *[True] * 27, *[False] * 3)
    assert quality.of_person(cast.alice, now=database_now()).sensitivity is None
    for number in range(30):
        DrillResult.objects.create(
            drill_id=f"act_right_{number}",
            action_type=cast.refund,
            reviewer=cast.alice,
            caught=number > 0,
            decided_at=database_now(),
        )
    found = quality.of_person(cast.alice, now=database_now())
    assert (found.clean.k, found.clean.n, found.drills.n) == (29, 30, 30)
    assert found.sensitivity == sensitivity_and_criterion(27, 30, 1, 30)
    # Not caught: let pass though wrong, or objected to though right.
    assert [round(each, 2) for each in found.sensitivity or ()] == [2.87, 0.22]


def test_agreement_on_a_type_says_how_often_objections_are_shared(cast: Cast) -> None:
    lead = browser_of(make_person("Lea", "lead"))
    second_opinions(cast, 24, "approve", "approve")
    second_opinions(cast, 4, "reject", "reject")
    second_opinions(cast, 1, "approve", "reject")
    (few,) = lead.get("/team/quality/").context["agreements"]
    assert (few.found.n, few.is_enough, few.is_low) == (29, False, False)
    second_opinions(cast, 1, "reject", "approve")
    answer = lead.get("/team/quality/")
    (each,) = answer.context["agreements"]
    assert (each.found.n, each.found.non_approvals) == (30, 6)
    assert each.found.raw == pytest.approx(28 / 30)
    assert each.found.on_non_approvals == pytest.approx(4 / 6)
    # By hand: 4 of 60 ratings differ, 1000 of 3540 would by chance.
    assert each.found.krippendorff == pytest.approx(1 - (4 / 60) / (1000 / 3540))
    assert each.found.gwet_ac1 == pytest.approx((28 / 30 - 5 / 36) / (1 - 5 / 36))
    assert not each.is_low
    page = " ".join(answer.content.decode().split())
    for words in ('<b class="b num">0.76</b>', '<b class="b num">67%</b>', '<span class="num">0.92</span>'):
        assert words in page
    assert "Promotions wait" not in page
    second_opinions(cast, 3, "approve", "reject")
    answer = lead.get("/team/quality/")
    assert answer.context["agreements"][0].is_low
    assert "Promotions wait" in answer.content.decode()
    # Of one person: the same answer, and the same where somebody objected.
    found = quality.of_person(cast.alice, now=database_now())
    assert ((found.agreement.k, found.agreement.n), (found.objected.k, found.objected.n)) == (
        (28, 33),
        (4, 9),
    )


def test_the_table_of_each_lesson_has_a_name_of_its_own(cast: Cast) -> None:
    for number in range(2):
        lesson = coaching.Lesson(
            action=held(cast, arguments={"order": f"A{number}", "amount": 1}).action,
            at=database_now(),
            error_kind="",
            said="Approve",
            right="Correct",
            changes=tuple(json_changes({"amount": 1}, {"amount": 2})),
            note="",
        )
        shown = render_to_string("reviews/quality_of/_lesson.html", {"lesson": lesson, "own": False})
        name = lesson.action.public_id
        assert f'aria-labelledby="changes-{name} lesson-{name}"' in shown
        assert [shown.count(f'id="{part}-{name}"') for part in ("changes", "lesson")] == [1, 1]

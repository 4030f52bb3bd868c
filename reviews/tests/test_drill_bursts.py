"""Five drills begin a shift: for one person alone, told at once, counted apart, never before urgent work."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse

from hitl_site.lib.clock import database_now
from policies.models import ActionType, DrillResult, LedgerEntry
from policies.selectors.catch_rate import catch_rate, warm_up_rate
from policies.selectors.evidence_limits import limits_of
from policies.selectors.trust import TrustFilter
from policies.services import action_types, ledger
from policies.services.ledger import Actor
from reviews.choices import DecisionKind, SeedState, SkipReason
from reviews.models import ActionRequest, Delivery, Drill, DrillBurst, DrillSeed, ItemView, Permit, ReviewItem
from reviews.selectors import coaching, drill_bursts, inbox, navigation, quality, trust_report
from reviews.selectors.drills import expected_of
from reviews.services import claims, deadlines, drills, passing_on, rights, team
from reviews.tests.browsing import browser_of, open_form, text_of, url
from reviews.tests.cast import Cast, decide_as, held, make_cast, make_person
from reviews.tests.drilling import UNDO_IS_OVER, seed, serve

pytestmark = pytest.mark.django_db


def switch(cast: Cast, on: bool) -> None:
    action_types.change(
        action_type=cast.refund, drill_burst=on, actor=Actor.person(cast.olga), now=database_now()
    )


def seeds(cast: Cast, *, wrong: int = 3, right: int = 2) -> None:
    for _ in range(wrong):
        seed(cast)
    for _ in range(right):
        seed(cast, DecisionKind.APPROVE)


@pytest.fixture
def ready(cast: Cast) -> ReviewItem:
    """Return a real item that waits, where five drills are in use and the switch is on."""
    seeds(cast)
    switch(cast, True)
    return held(cast)


def next_of(client: Client, **fields: str) -> ReviewItem:
    """Ask for the next item as the inbox does, and return it."""
    answer = client.post(reverse("reviews:next"), fields)
    assert answer.status_code == 302
    return ReviewItem.objects.get(public_id=answer.headers["Location"].split("/review/")[1].split("/")[0])


def is_burst(item: ReviewItem) -> bool:
    return Drill.objects.filter(action=item.action, burst__isnull=False).exists()


def post(client: Client, item: ReviewItem, *, right: bool = True) -> ReviewItem | None:
    """Answer a drill on its page, and return the item that comes next."""
    drill = Drill.objects.select_related("seed").get(action=item.action)
    assert drill.seed is not None
    rejects = drill.seed.planted == right
    fields: dict[str, Any] = {**open_form(client, item), "kind": "reject" if rejects else "approve"}
    if rejects:
        fields["reasons"] = ["wrong_arguments"]
    answer = client.post(url("decide", item), fields)
    assert answer.status_code == 302, text_of(answer)
    place = answer.headers["Location"]
    if "/done/" in place:
        return None
    return ReviewItem.objects.get(public_id=place.split("/review/")[1].split("/")[0])


def strip_of(client: Client, item: ReviewItem | None) -> str:
    """Return what the page says of the last answer."""
    place = reverse("reviews:done") if item is None else url("review", item)
    page = text_of(client.get(place))
    return page[page.index('id="undo"') :].split("</div>")[0]


def test_five_drills_come_first_are_told_at_once_and_then_the_real_ones(
    cast: Cast, ready: ReviewItem
) -> None:
    alice = browser_of(cast.alice)
    item: ReviewItem | None = next_of(alice)
    met = []
    for place in range(1, 6):
        assert item is not None
        assert is_burst(item)
        met.append(item.pk)
        item = post(alice, item, right=place != 2)
        said = strip_of(alice, item)
        assert "This was a drill." in said
        if place < 5:
            assert "as your shift begins; none of these counts." in said
    assert item == ready
    assert "4 of 5 right; now the real ones." in strip_of(alice, item)
    assert len(set(met)) == 5

    burst = DrillBurst.objects.get()
    assert (burst.reviewer, burst.action_type, burst.like) == (cast.alice, cast.refund, ready.action)
    made = Drill.objects.filter(burst=burst).select_related("seed")
    assert len({drill.seed_id for drill in made}) == 5
    assert sum(drill.seed.planted for drill in made if drill.seed is not None) == 3
    entries = LedgerEntry.objects.filter(object_id=burst.public_id).order_by("id")
    assert [entry.verb for entry in entries] == ["drill_burst.began", "drill_burst.ended"]
    told: Any = entries[1].payload.body
    assert (told["served"], told["answered"], told["right"]) == (5, 5, 4)
    assert ledger.verify().is_intact


def test_none_of_it_is_in_a_catch_rate_or_in_evidence(cast: Cast, ready: ReviewItem) -> None:
    before = limits_of(cast.refund)
    alice = browser_of(cast.alice)
    item: ReviewItem | None = next_of(alice)
    for place in range(5):
        assert item is not None
        item = post(alice, item, right=place > 0)
    results = DrillResult.objects.filter(reviewer=cast.alice)
    assert (results.count(), results.filter(warm_up=True).count()) == (5, 5)

    now = database_now()
    planted = results.exclude(error_kind="")
    seen = planted.filter(caught=True).count()
    assert catch_rate(cast.refund).planted == 0
    assert (warm_up_rate(cast.refund).planted, warm_up_rate(cast.refund).caught) == (3, seen)
    assert limits_of(cast.refund) == before
    assert limits_of(cast.refund).catch is None
    assert trust_report.drills(TrustFilter()) == {}
    for found in (quality.of_person(cast.alice, now=now), *quality.of_everybody(now=now)):
        if found.person == cast.alice:
            assert (found.drills.n, found.evidence) == (0, 1.0)
            assert (found.warm_up.k, found.warm_up.n) == (seen, 3)
    missed = coaching.missed_drills(cast.alice, since=now - timedelta(days=1))
    assert [lesson.note[:37] for lesson in missed] == ["One of the drills that began the shif"] * (3 - seen)
    page = text_of(alice.get(reverse("reviews:quality_of", args=["alice"])))
    assert "Caught in warm-ups" in page
    shown = text_of(browser_of(cast.olga).get(reverse("datasets:drills")))
    assert "Five of them begin a shift." in shown
    assert "Apart: planted errors in warm-ups" in shown

    # One that was drawn counts as ever.
    for right in DrillSeed.objects.filter(planted=False):
        drills.judge_seed(seed=right, state=SeedState.RETIRED, judged_by=cast.olga, now=database_now())
    drawn = serve(cast)
    decide_as(cast.alice, drawn, DecisionKind.CORRECT, arguments=expected_of(Drill.objects.latest("id")))
    assert (catch_rate(cast.refund).planted, warm_up_rate(cast.refund).planted) == (1, 3)


@pytest.mark.parametrize("warm_up", [True, False])
def test_the_database_keeps_the_two_apart(cast: Cast, ready: ReviewItem, warm_up: bool) -> None:
    item = serve(cast) if warm_up else next_of(browser_of(cast.alice))
    with pytest.raises(DatabaseError, match="is a warm-up, and nothing else is"), transaction.atomic():
        DrillResult.objects.create(
            drill_id=item.action.public_id,
            action_type=cast.refund,
            reviewer=cast.alice,
            caught=True,
            warm_up=warm_up,
            decided_at=database_now(),
        )
    assert DrillResult.objects.count() == 0


def test_it_is_switched_off_until_somebody_switches_it_on(cast: Cast) -> None:
    seeds(cast)
    real = held(cast)
    assert ActionType.objects.get(pk=cast.refund.pk).drill_burst is False
    assert next_of(browser_of(cast.alice)) == real
    assert DrillBurst.objects.count() == 0


def test_switched_off_it_stops_at_once(cast: Cast, ready: ReviewItem) -> None:
    alice = browser_of(cast.alice)
    item = next_of(alice)
    assert is_burst(item)
    cast.refund.refresh_from_db()
    switch(cast, False)
    assert post(alice, item) == ready
    assert Drill.objects.filter(burst__isnull=False).count() == 1


@pytest.mark.parametrize(("wrong", "right"), [(2, 3), (3, 1), (0, 5)])
def test_with_too_few_seeds_there_is_none(cast: Cast, wrong: int, right: int) -> None:
    seeds(cast, wrong=wrong, right=right)
    switch(cast, True)
    real = held(cast)
    assert next_of(browser_of(cast.alice)) == real
    assert DrillBurst.objects.count() == 0
    page = text_of(browser_of(cast.olga).get(reverse("datasets:drills")))
    assert "takes five in use, three of them with an error: none begins so yet." in page


def test_a_retired_seed_is_none(cast: Cast, ready: ReviewItem) -> None:
    drills.judge_seed(
        seed=DrillSeed.objects.latest("id"), state=SeedState.RETIRED, judged_by=cast.olga, now=database_now()
    )
    assert next_of(browser_of(cast.alice)) == ready


def test_nobody_meets_drills_of_a_type_that_is_not_theirs(cast: Cast, ready: ReviewItem) -> None:
    note = held(cast, action_type="note.add", arguments={}, confidence=0.2)
    team.set_skills(person=cast.alice, names=["note.add"], by=make_lead(), now=database_now())
    assert next_of(browser_of(cast.alice)) == note
    # Carol owns the agent: nothing of it is hers to decide.
    with pytest.raises(claims.NothingToClaim):
        claims.claim_next(reviewer=cast.carol, now=database_now())
    assert DrillBurst.objects.count() == 0


def make_lead() -> Any:
    return make_person("Lena", "lead")


def test_who_is_off_duty_by_the_rota_only_helps_out(cast: Cast, ready: ReviewItem) -> None:
    now = database_now()
    elsewhere = (now + timedelta(days=3)).date()
    team.add_shift(
        person=cast.alice,
        by=make_lead(),
        weekday=None,
        on_date=elsewhere,
        starts=datetime(2026, 1, 1, 9).time(),
        ends=datetime(2026, 1, 1, 10).time(),
        time_zone="UTC",
        now=now,
    )
    assert next_of(browser_of(cast.alice)) == ready
    assert DrillBurst.objects.count() == 0


@pytest.mark.parametrize(
    ("hours", "begins"), [(0.5, False), (3.9, False), (4.1, True), (20, True)], ids=lambda each: str(each)
)
@pytest.mark.parametrize("work", ["answered", "looked"])
def test_a_shift_begins_after_four_hours_without_work(
    cast: Cast, work: str, hours: float, begins: bool
) -> None:
    seeds(cast)
    then = database_now() - timedelta(hours=hours)
    if work == "answered":
        decide_as(cast.alice, held(cast, now=then), now=then)
    else:
        ItemView.objects.create(
            public_id="view_" + "0" * 32,
            item=held(cast, now=then),
            reviewer=cast.alice,
            opened_at=then,
            last_seen_at=then,
        )
    switch(cast, True)
    held(cast)
    now = database_now()
    found = drill_bursts.beginning(cast.alice, now=now)
    assert (found is not None) is begins
    if found is not None:
        assert found.rested_since == then
    assert is_burst(claims.claim_next(reviewer=cast.alice, now=now)) is begins


def test_who_opens_the_first_item_from_the_list_meets_the_drills_after_it(
    cast: Cast, ready: ReviewItem
) -> None:
    yesterday, now = database_now() - timedelta(hours=20), database_now()
    decide_as(cast.alice, held(cast, now=yesterday), now=yesterday)
    decide_as(cast.alice, held(cast), now=now - timedelta(minutes=5))
    assert is_burst(claims.claim_next(reviewer=cast.alice, now=now))
    # In the midst of a shift it does not begin any more.
    decide_as(cast.bob, held(cast), now=now)
    assert drill_bursts.beginning(cast.bob, now=now + timedelta(minutes=16)) is None


def test_there_is_one_in_a_shift_and_another_in_the_next(cast: Cast, ready: ReviewItem) -> None:
    alice = browser_of(cast.alice)
    item: ReviewItem | None = next_of(alice)
    for _ in range(5):
        assert item is not None
        item = post(alice, item)
    assert item == ready
    assert next_of(alice) == ready
    now = database_now()
    assert claims.claim_next(reviewer=cast.alice, now=now) == ready
    assert DrillBurst.objects.count() == 1

    later = now + timedelta(hours=5)
    assert is_burst(claims.claim_next(reviewer=cast.alice, now=later))
    assert DrillBurst.objects.count() == 2


@pytest.mark.parametrize(("minutes", "begins"), [(14, False), (16, True)])
def test_what_is_due_soon_goes_before_it(cast: Cast, ready: ReviewItem, minutes: int, begins: bool) -> None:
    now = ready.due_at - timedelta(minutes=minutes)
    assert is_burst(claims.claim_next(reviewer=cast.alice, now=now)) is begins
    assert DrillBurst.objects.count() == int(begins)


def test_what_becomes_due_goes_before_the_rest(cast: Cast, ready: ReviewItem) -> None:
    alice = browser_of(cast.alice)
    first = next_of(alice)
    urgent = held(cast)
    ReviewItem.objects.filter(pk=urgent.pk).update(due_at=database_now() + timedelta(minutes=10))
    assert post(alice, first) == urgent
    assert "as your shift begins" in strip_of(alice, urgent)
    # A drill that waits in their turn does not go before it either.
    decide_as(cast.alice, urgent)
    second = next_of(alice)
    assert is_burst(second)
    other = held(cast)
    ReviewItem.objects.filter(pk=other.pk).update(due_at=database_now() + timedelta(minutes=10))
    assert next_of(alice) == other
    # Somebody else is on it: nothing of Alice's is urgent.
    claims.claim(item_id=other.public_id, reviewer=cast.bob, now=database_now(), take_over=True)
    assert next_of(alice) == second


def test_what_was_put_off_for_an_hour_waits_for_all_that_is_real(cast: Cast, ready: ReviewItem) -> None:
    now = database_now()
    drill = claims.claim_next(reviewer=cast.alice, now=now)
    later = now + drill_bursts.LONGEST
    assert is_burst(drill)
    assert claims.claim_next(reviewer=cast.alice, now=later) == ready
    decide_as(cast.alice, ready, now=later)
    assert claims.claim_next(reviewer=cast.alice, now=later) == drill
    assert Drill.objects.filter(burst__isnull=False).count() == 1


def test_a_search_finds_what_was_searched_for(cast: Cast, ready: ReviewItem) -> None:
    alice = browser_of(cast.alice)
    assert next_of(alice, q="SO-48213") == ready
    assert DrillBurst.objects.count() == 0
    assert is_burst(next_of(alice, type="refund.issue"))


def test_others_neither_see_nor_hold_nor_answer_it(cast: Cast, ready: ReviewItem) -> None:
    bob, dan = browser_of(cast.bob), browser_of(cast.dan)

    def seen_by(client: Client, **view: str) -> list[str]:
        page = client.get(reverse("reviews:inbox"), view).context["page"]
        return [row.item.public_id for group in page.groups for row in group.rows]

    def badges() -> list[tuple[str, int | None]]:
        here, now = navigation.Here("/inbox/", {}), database_now()
        found = [navigation.sections(each, here=here, now=now) for each in (cast.bob, cast.dan)]
        return [(str(entry.label), entry.count) for nav in found for part in nav for entry in part.entries]

    before = badges()
    assert ("Everything open", 1) in before
    deliveries = Delivery.objects.count()
    drill = next_of(browser_of(cast.alice))
    assert is_burst(drill)
    for client in (bob, dan):
        assert seen_by(client, view="all") == [ready.public_id]
        assert client.get(url("review", drill)).status_code == 404
    assert seen_by(bob) == [ready.public_id]
    assert badges() == before
    assert Delivery.objects.count() == deliveries
    assert set(inbox.my_turn(cast.alice)) == {drill, ready}
    assert bob.post(url("claim", drill)).status_code == 404
    with pytest.raises(rights.NotAllowed, match="for somebody else"):
        decide_as(cast.bob, drill)
    with pytest.raises(rights.NotAllowed, match="for somebody else"):
        passing_on.skip(
            item_id=drill.public_id, reviewer=cast.bob, reason=SkipReason.NEED_TIME, now=database_now()
        )
    drill.refresh_from_db()
    assert (drill.status, drill.claimed_by) == ("open", cast.alice)
    # Closed, it is a story like any other.
    deadlines.expire_due(now=drill.due_at)
    assert bob.get(url("review", drill)).status_code == 200


def test_skipped_or_passed_on_the_next_one_comes(cast: Cast, ready: ReviewItem) -> None:
    alice = browser_of(cast.alice)
    first = next_of(alice)
    alice.post(url("skip", first), {"reason": "need_time"})
    second = next_of(alice)
    assert is_burst(second)
    assert second != first
    passing_on.escalate(
        item_id=second.public_id,
        reviewer=cast.alice,
        note="Is this right?",
        item_version=second.version,
        to_user=cast.bob,
        now=database_now(),
    )
    assert second in inbox.my_turn(cast.bob)
    decide_as(cast.bob, second, DecisionKind.REJECT)
    assert DrillResult.objects.get(reviewer=cast.bob).warm_up is True
    third = next_of(alice)
    assert third not in {first, second, ready}
    assert Drill.objects.filter(burst__isnull=False).count() == 3


def test_one_person_closes_it_where_the_policy_takes_two(cast: Cast, ready: ReviewItem) -> None:
    from policies.services import policies

    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.9, "audit_rate": 0.01, "approvals_required": 2},
        author=cast.olga,
        reason="Two people",
        now=database_now(),
    )
    drill = next_of(browser_of(cast.alice))
    decide_as(cast.alice, drill)
    drill.refresh_from_db()
    assert drill.status == "recorded"


def test_it_never_gets_a_permit_and_a_real_item_is_never_reserved(cast: Cast, ready: ReviewItem) -> None:
    drill = next_of(browser_of(cast.alice))
    permits = Permit.objects.count()
    now = database_now()
    decide_as(cast.alice, drill, now=now)
    deadlines.release_due(now=now + timedelta(minutes=2) + UNDO_IS_OVER)
    action = ActionRequest.objects.get(pk=drill.action_id)
    assert (action.drill, action.state, Permit.objects.count()) == (True, "approved", permits)
    with pytest.raises(DatabaseError, match="no permit without a decision"), transaction.atomic():
        Permit.objects.create(
            public_id="prm_" + "0" * 32,
            action=action,
            agent=action.agent,
            digest=action.final_digest,
            basis="approved",
            issued_at=now,
            expires_at=now + timedelta(minutes=5),
        )
    with pytest.raises(DatabaseError, match="a real item is for everybody"), transaction.atomic():
        ReviewItem.objects.filter(pk=ready.pk).update(reserved_for=cast.alice)
    with pytest.raises(DatabaseError, match="a burst only ends"), transaction.atomic():
        DrillBurst.objects.update(reviewer=cast.bob)
    assert Permit.objects.count() == permits


@pytest.mark.django_db(transaction=True)
def test_two_tabs_at_once_begin_one_burst_and_get_one_drill() -> None:
    cast = make_cast()
    seeds(cast)
    switch(cast, True)
    held(cast)
    barrier, met, problems = threading.Barrier(4), [], []

    def ask() -> None:
        try:
            client = browser_of(cast.alice)
            barrier.wait()
            met.append(next_of(client))
        except Exception as problem:
            problems.append(problem)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert DrillBurst.objects.count() == 1
    drill = Drill.objects.get(burst__isnull=False)
    # A tab that came while another wrote to the drill goes on with real work; none gets a second drill.
    assert {item.action_id for item in met if item.action.drill} == {drill.action_id}
    assert LedgerEntry.objects.filter(verb="drill_burst.began").count() == 1

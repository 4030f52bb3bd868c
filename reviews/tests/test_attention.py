"""Attention: what is risky is read before it runs, what is quick does not count, who is fast is told once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.models import ActionType, LedgerEntry, Observation
from policies.services import action_types
from policies.services.ledger import Actor
from reviews.choices import DecisionKind, PaceAnswer
from reviews.models import Decision, PaceNotice, ReviewItem
from reviews.selectors import attention as questions
from reviews.services import attention, claims, deadlines, decisions, pace
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import REFUND, Cast, held

pytestmark = pytest.mark.django_db
SECOND = timedelta(seconds=1)


def declare(cast: Cast, **changes: Any) -> None:
    action_types.change(action_type=cast.refund, actor=Actor.person(cast.olga), now=database_now(), **changes)


def answer(
    cast: Cast,
    item: ReviewItem,
    kind: DecisionKind = DecisionKind.APPROVE,
    *,
    after: timedelta = timedelta(0),
    seen: bool = True,
    now: datetime | None = None,
) -> Decision:
    """Answer as Alice, who opened the item that long ago and saw its end or not."""
    now = now or database_now()
    item.refresh_from_db()
    token = attention.view_token(item=item, reviewer=cast.alice, now=now - after)
    if seen:
        attention.note(
            token=token,
            item_id=item.public_id,
            reviewer=cast.alice,
            arguments_seen=True,
            parts_opened=["timeline"],
            editing=False,
            now=now,
        )
    return decisions.decide(
        item_id=item.public_id,
        reviewer=cast.alice,
        answer=decisions.Answer(kind, reasons=() if kind == DecisionKind.APPROVE else ("wrong_arguments",)),
        shown_digest=item.action.digest,
        item_version=item.version,
        opening=attention.opening(token=token, item_id=item.public_id, reviewer=cast.alice),
        now=now,
    ).decision


@pytest.mark.parametrize(
    ("after", "seen", "words"),
    [
        (3 * SECOND, False, "Go to the end"),
        (1.9 * SECOND, True, "two seconds"),
    ],
)
def test_what_is_risky_does_not_run_unread(cast: Cast, after: timedelta, seen: bool, words: str) -> None:
    declare(cast, risk=Risk.HIGH)
    item = held(cast)
    with pytest.raises(decisions.NotRead, match=words):
        answer(cast, item, after=after, seen=seen)
    assert Decision.objects.count() == 0
    assert answer(cast, item, after=2 * SECOND).kind == DecisionKind.APPROVE


def test_what_was_declared_risky_after_it_was_held_does_not_run_unread_either(cast: Cast) -> None:
    item = held(cast)
    declare(cast, risk=Risk.HIGH)
    with pytest.raises(decisions.NotRead, match="Go to the end"):
        answer(cast, item, after=3 * SECOND, seen=False)
    assert Decision.objects.count() == 0
    assert answer(cast, item, after=2 * SECOND).kind == DecisionKind.APPROVE


def test_what_is_declared_harmless_after_it_was_held_is_read_all_the_same(cast: Cast) -> None:
    declare(cast, risk=Risk.HIGH)
    item = held(cast)
    declare(cast, risk=Risk.MEDIUM)
    with pytest.raises(decisions.NotRead, match="Go to the end"):
        answer(cast, item, after=3 * SECOND, seen=False)


def test_to_reject_it_nothing_has_to_be_read(cast: Cast) -> None:
    declare(cast, risk=Risk.CRITICAL)
    assert answer(cast, held(cast), DecisionKind.REJECT, seen=False).kind == DecisionKind.REJECT


def test_the_page_says_what_is_missing_and_loses_nothing(cast: Cast) -> None:
    declare(cast, risk=Risk.HIGH)
    item = held(cast)
    alice = browser_of(cast.alice)
    page = alice.get(reverse("reviews:review", args=[item.public_id])).content.decode()
    assert "I have read this proposal to its end" in page
    token = attention.view_token(item=item, reviewer=cast.alice, now=database_now())
    fields = {"kind": "approve", "note": "As agreed", "token": token, "seen_end": ""}
    fields |= {"shown_digest": item.action.digest, "item_version": str(item.version), "editor": "form"}
    refused = alice.post(reverse("reviews:decide", args=[item.public_id]), fields)
    assert refused.status_code == 422
    assert "Go to the end of the proposal" in text_of(refused)
    assert "As agreed" in refused.content.decode()
    assert Decision.objects.count() == 0


def test_a_longer_proposal_takes_longer_to_count(cast: Cast) -> None:
    declare(cast, reading_floor_ms=2000)
    long = {**REFUND, "message": "word " * 50}
    short, longer = held(cast), held(cast, arguments=long)
    assert (questions.floor_of(short.action), questions.floor_of(longer.action)) == (2000, 5200)
    assert answer(cast, short, after=3 * SECOND).considered
    assert not answer(cast, longer, after=3 * SECOND).considered


def test_a_quick_approval_runs_and_is_no_evidence_and_its_giver_is_told(cast: Cast) -> None:
    declare(cast, reading_floor_ms=5000)
    now = database_now()
    decision = answer(cast, held(cast), after=SECOND, now=now)
    assert (decision.considered, decision.decision_ms, decision.channel) == (False, 1000, "web")
    assert decision.parts_opened == ["timeline"]
    alice = browser_of(cast.alice)
    told = "This one was quick: it will not count as evidence."
    assert told in text_of(alice.get(reverse("reviews:done")))
    assert told in text_of(alice.get(reverse("reviews:history")))
    deadlines.release_due(now=now + 6 * SECOND)
    assert Observation.objects.get().considered is False


def test_a_person_reads_how_many_of_their_own_approvals_count(cast: Cast) -> None:
    declare(cast, reading_floor_ms=5000)
    for after in (SECOND, 9 * SECOND, 9 * SECOND):
        answer(cast, held(cast), after=after)
    answer(cast, held(cast), DecisionKind.REJECT)
    since = database_now() - timedelta(days=1)
    (row,) = questions.considered_rates(cast.alice, since=since)
    assert (row.action_type, row.approvals, row.considered) == ("refund.issue", 3, 2)
    assert questions.considered_rates(cast.bob, since=since) == []
    assert "2 (67%)" in text_of(browser_of(cast.alice).get(reverse("reviews:history")))
    assert "Approvals that count" not in text_of(browser_of(cast.bob).get(reverse("reviews:history")))


def hurry(cast: Cast, *, number: int = 20, slow: int | None = None, gap: timedelta = SECOND) -> datetime:
    """Let Alice answer so many items a second after each other; ``slow`` is the place of one she read."""
    declare(cast, reading_floor_ms=5000)
    item = held(cast)
    now = database_now()
    first = answer(cast, item, after=6 * SECOND if slow == 0 else SECOND, now=now)
    rows = []
    for place in range(1, number):
        row = Decision.objects.get(pk=first.pk)
        row.pk = None
        row.public_id = f"dec_{place:032x}"
        row.item = held(cast)
        row.action = row.item.action
        row.decision_ms = 6000 if place == slow else 900
        row.decided_at = now + place * gap
        row.undone_at = None
        rows.append(row)
    Decision.objects.bulk_create(rows)
    return now + number * gap


def test_twenty_answers_without_a_look_put_up_one_card_in_a_sitting(cast: Cast) -> None:
    now = hurry(cast)
    found = pace.notice(reviewer=cast.alice, now=now)
    assert found is not None
    assert (found.median_ms, found.usual_ms) == (900, None)
    assert pace.notice(reviewer=cast.alice, now=now + SECOND) is None
    assert PaceNotice.objects.count() == 1
    assert LedgerEntry.objects.filter(verb="pace.noticed").count() == 1
    assert pace.notice(reviewer=cast.bob, now=now) is None


@pytest.mark.parametrize(
    "hurried", [{"number": 19}, {"slow": 3}, {"gap": timedelta(minutes=31)}], ids=["few", "read", "apart"]
)
def test_fewer_one_that_was_read_or_long_pauses_put_up_none(cast: Cast, hurried: dict[str, Any]) -> None:
    now = hurry(cast, **hurried)
    assert pace.notice(reviewer=cast.alice, now=now) is None


def test_to_take_five_stops_what_is_served_and_says_until_when(cast: Cast) -> None:
    ActionType.objects.update(reading_floor_ms=5000)
    item = held(cast)
    now = database_now()
    PaceNotice.objects.create(reviewer=cast.alice, sitting_began_at=now, median_ms=900, shown_at=now)
    alice = browser_of(cast.alice)
    page = text_of(alice.get(reverse("reviews:review", args=[item.public_id])))
    assert "Take five?" in page
    assert ">1 s</b> an item" in page

    taken = alice.post(reverse("reviews:pace"), {"answer": "take_five", "item": item.public_id})
    assert taken.url == reverse("reviews:break")  # type: ignore[attr-defined]  # a redirect
    assert "You are taking five" in text_of(alice.get(reverse("reviews:break")))
    assert alice.post(reverse("reviews:next")).url == reverse("reviews:break")  # type: ignore[attr-defined]  # a redirect
    with pytest.raises(claims.OnABreak):
        claims.claim_next(reviewer=cast.alice, now=database_now())
    later = database_now() + pace.BREAK + SECOND
    assert claims.claim_next(reviewer=cast.alice, now=later) == item
    assert claims.claim_next(reviewer=cast.bob, now=later + timedelta(hours=1)) == item


def test_the_card_stands_in_the_inbox_as_well_for_that_person_alone(cast: Cast) -> None:
    held(cast)
    now = database_now()
    PaceNotice.objects.create(reviewer=cast.alice, sitting_began_at=now, median_ms=900, shown_at=now)
    alice = browser_of(cast.alice)
    page = text_of(alice.get(reverse("reviews:inbox")))
    assert "Take five?" in page
    assert "Take five?" not in text_of(browser_of(cast.bob).get(reverse("reviews:inbox")))
    form = page.partition('<form id="pace-form"')[2].partition("</form>")[0]
    assert "csrfmiddlewaretoken" in form
    assert 'name="item"' not in form
    gone_on = alice.post(reverse("reviews:pace"), {"answer": "go_on"})
    assert gone_on.url == reverse("reviews:inbox")  # type: ignore[attr-defined]  # a redirect
    assert "Take five?" not in text_of(alice.get(reverse("reviews:inbox")))


def test_to_go_on_takes_the_card_away_and_ends_a_break(cast: Cast) -> None:
    now = database_now()
    item = held(cast)
    PaceNotice.objects.create(reviewer=cast.alice, sitting_began_at=now, median_ms=900, shown_at=now)
    alice = browser_of(cast.alice)
    gone_on = alice.post(reverse("reviews:pace"), {"answer": "go_on", "item": item.public_id})
    assert gone_on.url == reverse("reviews:review", args=[item.public_id])  # type: ignore[attr-defined]  # a redirect
    assert "Take five?" not in text_of(alice.get(reverse("reviews:review", args=[item.public_id])))
    with pytest.raises(pace.NothingToAnswer):
        pace.answer(reviewer=cast.alice, said=PaceAnswer.GO_ON, now=now)

    PaceNotice.objects.create(
        reviewer=cast.alice, sitting_began_at=now + SECOND, median_ms=900, shown_at=database_now()
    )
    pace.answer(reviewer=cast.alice, said=PaceAnswer.TAKE_FIVE, now=database_now())
    pace.answer(reviewer=cast.alice, said=PaceAnswer.GO_ON, now=database_now())
    assert claims.claim_next(reviewer=cast.alice, now=database_now()) == item
    verbs = LedgerEntry.objects.filter(verb__startswith="pace.").order_by("id").values_list("verb", flat=True)
    assert list(verbs) == ["pace.answered", "pace.answered", "pace.break_ended"]

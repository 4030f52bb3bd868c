"""Several items at once: under which conditions, what becomes of each, and that nothing of it is evidence."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.models import ActionType, LedgerEntry, Observation
from policies.services import action_types
from policies.services.ledger import Actor
from reviews.choices import DecisionKind, ItemStatus
from reviews.models import Decision, Escalation, ReviewItem
from reviews.services import decisions as deciding
from reviews.services import sweep
from reviews.tests.browsing import browser_of, fields_in, text_of
from reviews.tests.cast import Cast, decide_as, held

SEVERAL = "/review/several/"


def note(cast: Cast, number: int, **body: Any) -> ReviewItem:
    """Hold a note, which is of low risk."""
    given = {"action_type": "note.add", "arguments": {"text": f"Note {number}"}, "confidence": 0.1}
    return held(cast, **(given | body), idempotency_key=f"note-{number}")


def notes(cast: Cast, number: int = 3) -> list[ReviewItem]:
    return [note(cast, each) for each in range(number)]


def chosen(items: list[ReviewItem], way: str = "look") -> str:
    return f"{SEVERAL}?way={way}&" + "&".join(f"items={item.public_id}" for item in items)


def form_of(client: Client, items: list[ReviewItem]) -> dict[str, Any]:
    """Open the page with these items; return what its form would send."""
    page = text_of(client.get(chosen(items)))
    shown = re.findall(r'name="shown" value="([^"]+)"', page)
    return {"shown": shown, "looked": re.findall(r'name="looked" value="([^"]+)"', page)}


def test_several_are_approved_each_by_a_decision_of_its_own_that_is_no_evidence(cast: Cast) -> None:
    items, alice = notes(cast), browser_of(cast.alice)
    answer = alice.post(SEVERAL, form_of(alice, items) | {"do": "approve"})
    assert answer.status_code == 200
    assert "3 of 3 done" in text_of(answer)
    made = Decision.objects.filter(item__in=items)
    assert [(one.kind, one.bulk, one.considered, one.reviewer) for one in made] == [
        ("approve", True, False, cast.alice)
    ] * 3
    assert LedgerEntry.objects.filter(verb="decision.recorded").count() == 3
    later = made[0].release_at
    sweep.run(now=later)
    assert set(Observation.objects.values_list("considered", flat=True)) <= {False}


def test_without_a_look_at_all_the_number_is_to_be_typed(cast: Cast) -> None:
    items, alice = notes(cast), browser_of(cast.alice)
    form = form_of(alice, items)
    for given in ({}, {"count": "2"}, {"looked": form["looked"][:2]}):
        refused = alice.post(SEVERAL, {"shown": form["shown"], "do": "approve", **given})
        assert refused.status_code == 422
        assert "type 3 to approve them" in text_of(refused)
    assert not Decision.objects.exists()
    assert "3 of 3 done" in text_of(
        alice.post(SEVERAL, {"shown": form["shown"], "do": "approve", "count": "3"})
    )


def test_several_are_rejected_for_one_reason_and_never_for_none(cast: Cast) -> None:
    items, alice = notes(cast), browser_of(cast.alice)
    form = form_of(alice, items)
    none = alice.post(SEVERAL, form | {"do": "reject", "note": "kept <words>"})
    assert none.status_code == 422
    assert "choose at least one reason" in text_of(none)
    assert "kept &lt;words&gt;" in text_of(none)
    assert not Decision.objects.exists()
    reason = re.findall(r'name="reasons" value="(\w+)"', text_of(none))[0]
    alice.post(SEVERAL, form | {"do": "reject", "reasons": [reason], "note": "no"})
    assert set(Decision.objects.values_list("kind", "note", "bulk")) == {("reject", "no", True)}


def test_several_are_passed_on_with_one_note(cast: Cast) -> None:
    items, alice = notes(cast, 2), browser_of(cast.alice)
    form = form_of(alice, items) | {"do": "escalate", "to_user": str(cast.bob.pk)}
    assert alice.post(SEVERAL, form).status_code == 422
    assert "2 of 2 done" in text_of(alice.post(SEVERAL, form | {"note": "yours"}))
    assert set(Escalation.objects.values_list("to_user", "note")) == {(cast.bob.pk, "yours")}


def test_what_somebody_decided_meanwhile_keeps_nobody_from_the_rest(cast: Cast) -> None:
    items, alice = notes(cast), browser_of(cast.alice)
    form = form_of(alice, items)
    decide_as(cast.bob, items[1])
    page = text_of(alice.post(SEVERAL, form | {"do": "approve"}))
    assert "2 of 3 done" in page
    assert "Bob has decided this item already." in page
    assert Decision.objects.filter(reviewer=cast.alice).count() == 2


def test_the_same_request_twice_changes_nothing_more(cast: Cast) -> None:
    items, alice = notes(cast), browser_of(cast.alice)
    form = form_of(alice, items) | {"do": "approve"}
    alice.post(SEVERAL, form)
    assert "3 of 3 done" in text_of(alice.post(SEVERAL, form))
    assert Decision.objects.count() == 3


def test_all_are_taken_back_at_once_until_they_have_gone_out(cast: Cast) -> None:
    items, alice = notes(cast), browser_of(cast.alice)
    page = text_of(alice.post(SEVERAL, form_of(alice, items) | {"do": "approve"}))
    ids = re.findall(r'name="decisions" value="([^"]+)"', page)
    assert len(ids) == 3
    others = browser_of(cast.bob).post(f"{SEVERAL}undo/", {"decisions": ids})
    assert others.status_code == 302  # none of them is Bob's
    assert "3 of 3 done" in text_of(alice.post(f"{SEVERAL}undo/", {"decisions": ids}))
    assert {item.status for item in ReviewItem.objects.all()} == {ItemStatus.OPEN}
    again = form_of(alice, items) | {"do": "approve"}
    alice.post(SEVERAL, again)
    fresh = list(Decision.objects.filter(undone_at=None))
    sweep.run(now=fresh[0].release_at)
    late = text_of(alice.post(f"{SEVERAL}undo/", {"decisions": [one.public_id for one in fresh]}))
    assert "this answer has gone out" in late


def refusal(client: Client, items: list[ReviewItem]) -> str:
    answer = client.get(chosen(items))
    assert answer.status_code == 409
    page = text_of(answer)
    assert 'name="shown"' not in page
    return page


def test_what_may_not_go_together_is_named(cast: Cast) -> None:
    alice, pair = browser_of(cast.alice), notes(cast, 2)
    refund = held(cast, idempotency_key="r")
    assert "They are of different action types." in refusal(alice, [*pair, refund])
    assert "It is not of low risk." in refusal(alice, [refund])
    ReviewItem.objects.filter(pk=pair[0].pk).update(blind=True)
    assert "It is a check of its own." in refusal(alice, pair)
    ReviewItem.objects.filter(pk=pair[0].pk).update(blind=False, approvals_required=2)
    assert "It takes more than one person." in refusal(alice, pair)
    ReviewItem.objects.filter(pk=pair[0].pk).update(approvals_required=1)
    other = note(cast, 9, agent_version="never seen", confidence=0.99)
    assert "They are held for different reasons." in refusal(alice, [pair[0], other])
    # Carol owns the agent: it is never hers to decide.
    assert "Nothing of it waits for you" in refusal(browser_of(cast.carol), pair)


def test_the_cap_of_the_action_type_holds_on_the_page_and_in_the_act(cast: Cast) -> None:
    items, alice = notes(cast), browser_of(cast.alice)
    form = form_of(alice, items)
    ActionType.objects.filter(pk=cast.note.pk).update(bulk_cap=2)
    assert "At most 2 of this action type go together; you chose 3." in refusal(alice, items)
    assert "At most 2" in text_of(alice.post(SEVERAL, form | {"do": "approve"}))
    ActionType.objects.filter(pk=cast.note.pk).update(bulk_cap=0)
    assert "decided one by one" in refusal(alice, items)
    assert not Decision.objects.exists()


def test_whoever_lost_the_right_decides_nothing(cast: Cast) -> None:
    items, alice = notes(cast), browser_of(cast.alice)
    form = form_of(alice, items)
    cast.alice.groups.clear()
    cast.alice.user_permissions.add(Permission.objects.get(codename="review_item"))
    assert alice.post(SEVERAL, form | {"do": "approve"}).status_code == 403
    assert 'name="items"' not in text_of(alice.get("/inbox/"))
    assert not Decision.objects.exists()


@pytest.mark.parametrize("given", [{}, {"do": "burn"}, {"do": "approve", "shown": ["x", "itm_1 y -4", ""]}])
def test_nonsense_decides_nothing(cast: Cast, given: dict[str, Any]) -> None:
    items, alice = notes(cast, 1), browser_of(cast.alice)
    assert alice.post(SEVERAL, given).status_code == 409
    stale = {"do": "approve", "count": "1", "shown": [f"{items[0].public_id} sha256:0 1"]}
    assert "has changed since" in text_of(alice.post(SEVERAL, stale))
    assert not Decision.objects.exists()


def test_a_row_says_whether_it_may_go_together_with_others(cast: Cast) -> None:
    note(cast, 1)
    held(cast, idempotency_key="r")
    page = text_of(browser_of(cast.alice).get("/inbox/"))
    assert len(re.findall(r'data-together="note.add · [^"]+" data-held="[^"]+" data-cap="25"', page)) == 1
    assert page.count('data-alone="It is not of low risk."') == 1
    assert "bulk-form" not in text_of(browser_of(cast.dan).get("/inbox/"))


def test_a_peek_shows_the_whole_proposal_and_claims_nothing(cast: Cast) -> None:
    item = note(cast, 1, arguments={"text": "<b>long\u202e</b>", "more": {"a": 1}})
    page = text_of(browser_of(cast.alice).get(f"/review/{item.public_id}/peek/"))
    assert "&lt;b&gt;long" in page
    assert "\u202e" not in page
    item.refresh_from_db()
    assert (item.claimed_by, item.views.count()) == (None, 0)
    assert browser_of(cast.alice).get("/review/itm_none/peek/").status_code == 404


def test_together_only_approvals_and_rejections_are_taken(cast: Cast) -> None:
    from reviews.services import together
    from reviews.services.answers import Answer

    for answer in (Answer(kind=DecisionKind.CORRECT, bulk=True), Answer(kind=DecisionKind.APPROVE)):
        with pytest.raises(deciding.InvalidAnswer):
            together.decide(reviewer=cast.alice, shown=[], answer=answer, now=database_now())


def test_the_form_is_a_form_without_script(cast: Cast) -> None:
    alice = browser_of(cast.alice)
    page = text_of(alice.get(chosen(notes(cast, 2))))
    assert page.count('class="card pcard onecard"') == 2
    assert {"shown", "looked", "count", "note"} <= fields_in(page).keys()


def test_what_was_declared_risky_after_it_was_held_is_decided_by_itself(cast: Cast) -> None:
    items, alice = notes(cast), browser_of(cast.alice)
    form = form_of(alice, items)
    action_types.change(
        action_type=cast.note, risk=Risk.HIGH, actor=Actor.person(cast.olga), now=database_now()
    )
    answer = alice.post(SEVERAL, form | {"do": "approve"})
    assert "It is not of low risk." in text_of(answer)
    assert not Decision.objects.exists()

"""What a reviewer, an owner, an ops admin or an agent's key alone try over HTTP, and get nothing by."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group

from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.models import Agent, AutonomyGrant, LedgerEntry
from policies.services import action_types
from policies.services.ledger import Actor
from reviews.choices import ItemStatus
from reviews.models import ActionRequest, Decision, ReviewItem
from reviews.services import deadlines
from reviews.tests.api_client import Api, content_of, read
from reviews.tests.browsing import browser_of, open_form, text_of, url
from reviews.tests.cast import REFUND, Cast, decide_as, held

SEVERAL = "/review/several/"
SECRET = "I doubt it for reason 7391"


def note(cast: Cast, number: int) -> ReviewItem:
    return held(
        cast,
        action_type="note.add",
        arguments={"text": f"Note {number}"},
        confidence=0.1,
        idempotency_key=f"note-{number}",
    )


def shown(*items: ReviewItem) -> list[str]:
    return [f"{item.public_id} {item.action.digest} {item.version}" for item in items]


def test_a_reviewer_who_sends_one_item_twice_together_is_still_one_person(cast: Cast) -> None:
    item = note(cast, 1)
    ReviewItem.objects.filter(pk=item.pk).update(approvals_required=2)
    alice = browser_of(cast.alice)
    alice.post(SEVERAL, {"do": "approve", "shown": shown(item, item), "count": "2"})
    item.refresh_from_db()
    later = [f"{item.public_id} {item.action.digest} {item.version}"]
    alice.post(SEVERAL, {"do": "approve", "shown": later, "count": "1"})
    item.refresh_from_db()
    assert Decision.objects.filter(item=item).count() <= 1
    assert item.status == ItemStatus.OPEN


def test_an_item_that_is_none_among_several_breaks_nothing(cast: Cast) -> None:
    item = note(cast, 1)
    bogus = f"itm_{'0' * 26} {item.action.digest} 1"
    answer = browser_of(cast.alice).post(
        SEVERAL, {"do": "approve", "shown": [*shown(item), bogus], "count": "2"}
    )
    assert answer.status_code == 200
    assert "1 of 2 done" in text_of(answer)
    assert Decision.objects.get().item == item


def test_an_owner_approves_nothing_among_several(cast: Cast) -> None:
    item = note(cast, 1)
    carol = browser_of(cast.carol)
    answer = carol.post(SEVERAL, {"do": "approve", "shown": shown(item), "count": "1"})
    assert answer.status_code == 409
    Agent.objects.filter(pk=cast.clerk.pk).update(owner=cast.olga)
    answer = carol.post(SEVERAL, {"do": "approve", "shown": shown(item), "count": "1"})
    assert answer.status_code == 409
    assert not Decision.objects.exists()


def test_a_reviewer_takes_back_no_answer_of_another(cast: Cast) -> None:
    decided = decide_as(cast.alice, held(cast)).decision
    bob = browser_of(cast.bob)
    bob.post("/review/several/undo/", {"decisions": decided.public_id})
    bob.post(f"/decisions/{decided.public_id}/undo/")
    decided.refresh_from_db()
    assert decided.undone_at is None


def test_what_another_person_read_is_not_read(cast: Cast) -> None:
    """The token of a page says who had it open: another's neither opens nor makes an approval considered."""
    action_types.change(
        action_type=cast.refund, risk=Risk.HIGH, actor=Actor.person(cast.olga), now=database_now()
    )
    item = held(cast)
    fields = open_form(browser_of(cast.alice), item)
    answer = browser_of(cast.bob).post(url("decide", item), {**fields, "kind": "approve"})
    assert answer.status_code == 409
    assert not Decision.objects.exists()


def test_no_page_tells_who_reviews_blind_what_the_judge_said(cast: Cast) -> None:
    item = held(cast, judge={"name": "j", "score": 0.4321, "rationale": SECRET})
    ReviewItem.objects.filter(pk=item.pk).update(blind=True)
    alice = browser_of(cast.alice)
    for address in (
        url("review", item),
        url("peek", item),
        f"/actions/{item.action.public_id}/",
        f"{SEVERAL}?items={item.public_id}",
        "/inbox/",
        "/inbox/?trigger=low_confidence",
        "/history/",
        "/notices/",
    ):
        page = text_of(alice.get(address, follow=True))
        assert SECRET not in page, address
        assert not re.search(r"\b0\.4321\b|\b43\.2\d?%", page), address
    assert url("review", item) in text_of(alice.get("/inbox/"))
    assert url("review", item) not in text_of(alice.get("/inbox/?q=7391"))


def test_a_version_that_names_another_model_inherits_no_level_by_its_label(cast: Cast) -> None:
    api = Api(cast.token)
    sure = {"action_type": "note.add", "arguments": {"text": "hello"}, "confidence": 0.99}
    before = read(api.propose(key="a", **sure))
    assert before["autonomy_level"] == "threshold"
    other = {"label": "1", "model": "another", "prompt_digest": "", "tools_digest": ""}
    claims = [{"agent_version": {"label": "1", "model": "another"}}, {"agent_version": other}]
    for number, claim in enumerate(claims):
        answer = read(api.propose(key=f"b{number}", **(sure | claim)))
        assert answer.get("verdict") != "allow", answer
        assert answer.get("permit") is None
    assert AutonomyGrant.objects.filter(agent_version__agent=cast.clerk).count() == 2


def test_a_cancelled_action_runs_by_no_approval_that_was_on_its_way(cast: Cast) -> None:
    api = Api(cast.token)
    item = held(cast)
    decide_as(cast.alice, item)
    assert api.post(f"/actions/{item.action.public_id}/cancel").status_code == 200
    deadlines.release_due(now=database_now() + timedelta(hours=1))
    told = read(api.get(f"/actions/{item.action.public_id}"))
    assert told["state"] == "cancelled"
    assert told["permit"] is None


@pytest.mark.parametrize(
    "name", ["Refund.issue", "refund.issue ", "refund\u2024issue", "REFUND.ISSUE", "refund..issue"]
)
def test_an_action_type_written_otherwise_is_never_let_run(cast: Cast, name: str) -> None:
    answer = Api(cast.token).propose(action_type=name, confidence=1.0)
    assert b'"allow"' not in content_of(answer)
    assert not ActionRequest.objects.filter(state="allowed").exists()


def test_a_session_is_no_key_and_a_key_is_no_session(cast: Cast) -> None:
    browser = browser_of(cast.olga)
    body = {"action_type": "note.add", "arguments": {"text": "x"}, "confidence": 1.0}
    answer = browser.post(
        "/api/v1/actions", body, content_type="application/json", headers={"idempotency-key": "s"}
    )
    assert answer.status_code == 401
    assert not ActionRequest.objects.exists()
    stranger = browser_of(None)
    for address in ("/inbox/", "/agents/", "/policies/", "/datasets/"):
        told = stranger.get(address, headers={"authorization": f"Bearer {cast.token}"})
        assert told.status_code == 302
        assert told["Location"].startswith("/login/"), told["Location"]


def test_an_admin_alone_takes_part_in_no_vote_by_registering_an_agent(cast: Cast) -> None:
    """Ops admins who own an agent grant it nothing, whichever page they ask."""
    cast.olga.groups.set(Group.objects.filter(name__in=["ops_admin", "reviewer"]))
    Agent.objects.filter(pk=cast.clerk.pk).update(owner=cast.olga)
    item = held(cast)
    olga = browser_of(cast.olga)
    grants = AutonomyGrant.objects.count()
    fields = open_form(browser_of(cast.alice), item)
    fields.pop("token")
    assert olga.post(url("decide", item), {**fields, "kind": "approve"}).status_code == 403
    assert olga.post(url("claim", item), {"take_over": "1"}).status_code == 403
    assert not Decision.objects.exists()
    assert AutonomyGrant.objects.count() == grants
    assert not LedgerEntry.objects.filter(verb="decision.recorded").exists()
    assert REFUND["amount"] == item.action.arguments["amount"]

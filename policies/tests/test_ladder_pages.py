"""The pages of autonomy: the matrix, the evidence of one cell, and what people answer there."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse

from policies.choices import AutonomyLevel
from policies.models import ActionType, AgentVersion, AutonomyGrant, AutonomyProposal
from policies.selectors.ladder_words import time_to_go
from policies.tests.base import make_policy, make_refund_type, trust
from policies.tests.people import browser_of, everything_stored, make_member, text_of
from policies.tests.test_ladder import QUICK, certified, earn, version_after
from policies.tests.track_record import Record

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

pytestmark = pytest.mark.django_db


@pytest.fixture
def refund(db: None) -> ActionType:
    return make_refund_type(error_limit=0.3, ladder=QUICK)


@pytest.fixture
def record(clerk_v1: AgentVersion, refund: ActionType, alice: User) -> Record:
    make_policy(refund, alice, threshold=0.5, audit_rate=0.01)
    # Pages ask the database for the time.
    from hitl_site.lib.clock import database_now
    from policies.tests.track_record import Clock

    return Record(clerk_v1, Clock(database_now()))


@pytest.fixture
def manager(db: None) -> Client:
    return browser_of(make_member("manager"))


def cell(record: Record, name: str = "autonomy_cell") -> str:
    return reverse(f"policies:{name}", args=[record.version.public_id, "refund.issue"])


def test_the_matrix_shows_every_level_and_what_is_ready(
    manager: Client, record: Record, refund: ActionType
) -> None:
    assert "Nobody has been looked at yet" in text_of(manager.get(reverse("policies:autonomy")))
    record.reviewed(3)
    record.settle()
    page = text_of(manager.get(reverse("policies:autonomy")))
    assert "refund.issue" in page
    assert "more clean reviews" in page
    refund.autonomy_cap = AutonomyLevel.REVIEW_ALL
    refund.save()
    assert "Locked by policy" in text_of(manager.get(reverse("policies:autonomy")))


def test_a_cell_tells_the_way_up_with_its_progress(manager: Client, record: Record) -> None:
    assert manager.get(cell(record)).status_code == 200
    record.reviewed(12, errors=1)
    record.settle()
    page = text_of(manager.get(cell(record)))
    for said in (
        "The way to Threshold",
        "Evidence 1.0 of 20 needed.",
        "1 of 12 reviewed actions were wrong: 8.3%",
        "Nothing is certified yet.",
        "There are no drills",
        "No drills yet, so nothing corrects for errors that reviewers miss.",
        "Evidence, label by label",
    ):
        assert said in page, said


def test_a_manager_approves_a_proposal_and_reads_what_followed(
    manager: Client, record: Record, refund: ActionType
) -> None:
    proposal = earn(record)
    page = text_of(manager.get(cell(record)))
    assert "Proposed: Threshold" in page
    assert proposal.evidence_digest in page
    url = reverse("policies:autonomy_answer", args=[proposal.public_id])
    before = everything_stored()
    assert manager.post(url, {"answer": "approve", "answer-reason": ""}).status_code == 422
    assert everything_stored() == before
    assert manager.post(url, {"answer": "approve", "answer-reason": "good work"}).status_code == 302
    granted = AutonomyGrant.objects.get()
    assert (granted.level, granted.canary_share, granted.certified) == ("threshold", 0.05, True)
    page = text_of(manager.get(cell(record)))
    assert "Being tried" in page
    assert "good work" in page
    again = manager.post(url, {"answer": "approve", "answer-reason": "again"})
    assert again.status_code == 409
    assert "This proposal is closed" in text_of(again)
    assert AutonomyGrant.objects.count() == 1


def test_a_proposal_is_refused_with_a_reason(manager: Client, record: Record) -> None:
    proposal = earn(record)
    url = reverse("policies:autonomy_answer", args=[proposal.public_id])
    assert manager.post(url, {"answer": "refuse", "answer-reason": "too early"}).status_code == 302
    proposal.refresh_from_db()
    assert (proposal.state, proposal.closed_because) == ("refused", "too early")
    assert not AutonomyGrant.objects.exists()


def test_nothing_is_proposed_by_hand_that_is_not_earned(manager: Client, record: Record) -> None:
    record.reviewed(3)
    record.settle()
    refused = manager.post(cell(record, "autonomy_propose"), {"propose-note": "please"})
    assert refused.status_code == 409
    assert "Nothing was changed" in text_of(refused)
    assert not AutonomyProposal.objects.exists()


def test_a_level_without_evidence_is_shown_as_not_certified(manager: Client, record: Record) -> None:
    given = {"override-level": "threshold", "override-reason": "pilot", "override-days": "3"}
    assert manager.post(cell(record, "autonomy_override"), given).status_code == 302
    granted = AutonomyGrant.objects.get()
    assert (granted.certified, granted.canary_share, granted.level) == (False, 1.0, "threshold")
    assert "Not certified: this level rests on the word of" in text_of(manager.get(cell(record)))
    url = reverse("policies:autonomy_end", args=[granted.public_id])
    assert manager.post(url, {"end-reason": ""}).status_code == 422
    assert manager.post(url, {"end-reason": "enough"}).status_code == 302
    granted.refresh_from_db()
    assert granted.ended_at is not None
    assert manager.post(url, {"end-reason": "again"}).status_code == 409


def test_an_override_never_passes_the_cap(manager: Client, record: Record, refund: ActionType) -> None:
    refund.autonomy_cap = AutonomyLevel.REVIEW_ALL
    refund.save()
    before = everything_stored()
    given = {"override-level": "threshold", "override-reason": "pilot"}
    assert manager.post(cell(record, "autonomy_override"), given).status_code == 422
    assert everything_stored() == before


def test_who_may_not_grant_reads_and_changes_nothing(record: Record, refund: ActionType, alice: User) -> None:
    proposal = earn(record)
    held = trust(record.version, refund, alice)
    lead = browser_of(make_member("lead"))
    page = text_of(lead.get(cell(record)))
    assert "Grant a level by hand" not in page
    before = everything_stored()
    for url, given in (
        (reverse("policies:autonomy_answer", args=[proposal.public_id]), {"answer-reason": "x"}),
        (reverse("policies:autonomy_end", args=[held.public_id]), {"end-reason": "x"}),
        (cell(record, "autonomy_override"), {"override-level": "threshold", "override-reason": "x"}),
        (cell(record, "autonomy_propose"), {}),
    ):
        assert lead.post(url, given).status_code == 403
    assert everything_stored() == before
    assert browser_of(make_member("reviewer")).get(cell(record)).status_code == 403


def test_hostile_names_are_shown_whole_and_run_nothing(manager: Client, record: Record) -> None:
    agent = record.version.agent
    agent.name = "<script>alert(1)</script>"
    agent.save()
    record.reviewed(1)
    record.settle()
    for url in (reverse("policies:autonomy"), cell(record)):
        assert b"<script>alert" not in manager.get(url).content


@pytest.mark.parametrize("name", ["autonomy_cell", "autonomy_propose"])
def test_what_is_not_there_is_not_found(manager: Client, refund: ActionType, name: str) -> None:
    url = reverse(f"policies:{name}", args=["agv_" + "0" * 32, "refund.issue"])
    act = manager.get if name == "autonomy_cell" else manager.post
    assert act(url).status_code == 404


def test_the_page_says_what_the_evidence_waits_for_and_leads_there(
    manager: Client, record: Record, refund: ActionType, alice: User
) -> None:
    first = record.act(confidence=0.9)
    record.reviewed(2, confidence=0.9)
    record.settle()
    for url in (cell(record), reverse("policies:autonomy")):
        assert reverse("reviews:action", args=[first.action_id]) in manager.get(url).content.decode()
    assert "2 labels that came later do not count before it is answered" in text_of(manager.get(cell(record)))
    assert "An answer holds it" in text_of(manager.get(reverse("policies:autonomy")))
    record.answer(first)
    record.settle()
    assert "The evidence waits" not in text_of(manager.get(cell(record)))
    assert "holds it" not in text_of(manager.get(reverse("policies:autonomy")))


def test_an_overdue_check_is_named_as_what_holds_the_evidence(
    manager: Client, record: Record, refund: ActionType, alice: User
) -> None:
    # Long before the pages ask the database for the time.
    record.clock.now -= timedelta(days=10)
    certified(record, refund, alice, AutonomyLevel.THRESHOLD, threshold=0.5)
    make_policy(refund, alice, threshold=0.5, audit_rate=0.5)
    record.act_until_drawn()
    record.settle()
    assert "An overdue check holds the evidence" in text_of(manager.get(cell(record)))
    assert "An overdue check holds it" in text_of(manager.get(reverse("policies:autonomy")))


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (0.4, "less than a day"),
        (1.2, "about 1 day"),
        (45, "about 45 days"),
        (75, "about 2 months"),
        (1603, "about 4 years"),
        (5000, "more than ten years"),
    ],
)
def test_a_time_to_go_is_said_as_people_say_it(days: float, said: str) -> None:
    assert time_to_go(days) == said


def test_a_minor_change_is_declared_on_the_page_with_a_reason(
    manager: Client, record: Record, refund: ActionType, alice: User
) -> None:
    assert "A minor change" not in text_of(manager.get(cell(record)))
    certified(record, refund, alice, AutonomyLevel.THRESHOLD, threshold=0.7)
    newer = Record(version_after(record), record.clock)
    page = text_of(manager.get(cell(newer)))
    assert f"Go on from version {record.version.label}" in page
    before = everything_stored()
    assert manager.post(cell(newer, "autonomy_minor"), {"minor-reason": ""}).status_code == 422
    assert everything_stored() == before
    given = {"minor-reason": "A typing error"}
    assert manager.post(cell(newer, "autonomy_minor"), given).status_code == 302
    held = AutonomyGrant.objects.get(agent_version=newer.version)
    assert (held.threshold, held.certified, held.minor_of) == (0.7, False, record.version)
    assert f"a minor change of version {record.version.label}" in text_of(manager.get(cell(newer)))
    again = manager.post(cell(newer, "autonomy_minor"), given)
    assert again.status_code == 409
    assert "holds a level of its own" in text_of(again)
    assert browser_of(make_member("lead")).post(cell(newer, "autonomy_minor"), given).status_code == 403

"""The life of a policy in the browser: asked, approved, withdrawn, in shadow, brought back, retired."""

from __future__ import annotations

from datetime import UTC, timedelta

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import resolve, reverse

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import ZONE_COOKIE
from policies.choices import PolicyState, PublicationState, Risk
from policies.models import (
    ActionType,
    AgentVersion,
    LedgerEntry,
    PolicyVersion,
    Publication,
    PublicationApproval,
)
from policies.services import action_types, gate, policies, publications
from policies.tests.base import NOON, SYSTEM, make_policy, make_proposal, make_user, trust
from policies.tests.people import Answer, browser_of, make_member, text_of
from policies.tests.test_publications import draft, make_admin
from policies.tests.test_shadow import in_shadow

pytestmark = pytest.mark.django_db

TYPE = "/policies/refund.issue/"
PUBLISH = "/policies/refund.issue/publish/"


@pytest.fixture
def olga(refund_policy: PolicyVersion) -> Client:
    return browser_of(make_admin("olga"))


@pytest.fixture
def pete(refund_policy: PolicyVersion) -> Client:
    return browser_of(make_admin("pete"))


def author() -> object:
    from django.contrib.auth.models import User

    return User.objects.get(username="olga")


def loose_draft(refund: ActionType) -> PolicyVersion:
    return draft(refund, author(), threshold=0.7)  # type: ignore[arg-type]  # a person


def asked(browser: Client, refund: ActionType, **more: str) -> Publication:
    version = loose_draft(refund)
    form = {"reason": "It is time", "content_sha256": version.content_sha256, "when": "now", **more}
    assert browser.post(PUBLISH, form).status_code == 302
    return Publication.objects.get(state=PublicationState.OPEN)


def _draft_page(browser: Client, refund: ActionType) -> Answer:
    loose_draft(refund)
    return browser.get(PUBLISH)


def address(publication: Publication, act: str = "") -> str:
    name = f"policies:publication{'_' if act else ''}{act}"
    return reverse(name, args=[publication.public_id])


def test_the_page_says_what_loosens_and_how_many_people_it_takes(olga: Client, refund: ActionType) -> None:
    loose_draft(refund)
    page = text_of(olga.get(PUBLISH))
    assert "What loosens" in page
    assert "Hold when the chance is under 80% → 70%." in page
    assert '<b class="num">2</b> different people are needed' in page
    assert "Ask to publish version 2" in page


def test_a_second_admin_approves_and_it_goes_live(olga: Client, pete: Client, refund: ActionType) -> None:
    publication = asked(olga, refund)
    page = text_of(olga.get(address(publication)))
    assert "You count already. 1 more person has to approve it." in page
    assert "Approve version 2" not in page
    assert "To approve" not in text_of(olga.get(TYPE))
    assert "To approve" in text_of(pete.get(TYPE))
    assert "You or somebody else" in text_of(pete.get(reverse("policies:publications")))
    page = text_of(pete.get(address(publication)))
    assert "With you it goes live at once." in page
    answer = pete.post(
        address(publication, "approve"), {"content_sha256": publication.content_sha256}, follow=True
    )
    assert "Published version 2 of refund.issue." in text_of(answer)
    assert PolicyVersion.objects.get(state=PolicyState.LIVE).number == 2
    done = text_of(pete.get(address(publication)))
    assert "wrote it, asked" in done
    assert "approved" in done
    assert "Nothing waits" in text_of(pete.get(reverse("policies:publications")))


def test_the_asker_alone_is_not_enough_and_nothing_changes(olga: Client, refund: ActionType) -> None:
    publication = asked(olga, refund)
    entries = LedgerEntry.objects.count()
    answer = olga.post(address(publication, "approve"), {"content_sha256": publication.content_sha256})
    assert answer.status_code == 409
    assert "You count already: somebody else has to approve it." in text_of(answer)
    assert PolicyVersion.objects.get(state=PolicyState.LIVE).number == 1
    assert (LedgerEntry.objects.count(), PublicationApproval.objects.count()) == (entries, 0)


def test_an_approval_of_another_text_is_refused(olga: Client, pete: Client, refund: ActionType) -> None:
    publication = asked(olga, refund)
    answer = pete.post(address(publication, "approve"), {"content_sha256": "0" * 64})
    assert answer.status_code == 409
    assert "read it again" in text_of(answer)
    assert not PublicationApproval.objects.exists()


@pytest.mark.parametrize("group", ["manager", "reviewer", "auditor"])
def test_others_neither_approve_nor_withdraw(olga: Client, refund: ActionType, group: str) -> None:
    publication = asked(olga, refund)
    browser = browser_of(make_member(group))
    entries = LedgerEntry.objects.filter(object_kind="publication").count()
    form = {"content_sha256": publication.content_sha256, "withdraw-reason": "No"}
    assert browser.post(address(publication, "approve"), form).status_code == 403
    assert browser.post(address(publication, "withdraw"), form).status_code == 403
    publication.refresh_from_db()
    assert publication.state == PublicationState.OPEN
    assert LedgerEntry.objects.filter(object_kind="publication").count() == entries


def test_withdrawing_needs_a_reason(olga: Client, pete: Client, refund: ActionType) -> None:
    publication = asked(olga, refund)
    answer = pete.post(address(publication, "withdraw"), {"withdraw-reason": " "})
    assert answer.status_code == 422
    assert "Say why: others will read it." in text_of(answer)
    answer = pete.post(address(publication, "withdraw"), {"withdraw-reason": "Not this week"}, follow=True)
    assert "Withdrew the publication of version 2 of refund.issue." in text_of(answer)
    publication.refresh_from_db()
    assert (publication.state, publication.closed_because) == ("withdrawn", "Not this week")
    again = pete.post(address(publication, "withdraw"), {"withdraw-reason": "Again"})
    assert again.status_code == 409
    assert "This publication is withdrawn already." in text_of(again)


def test_a_time_is_read_in_the_zone_of_the_viewer(olga: Client, refund: ActionType) -> None:
    olga.cookies[ZONE_COOKIE] = "Asia/Tokyo"
    local = (database_now() + timedelta(days=3)).replace(tzinfo=None, second=0, microsecond=0)
    assert "Times are in Asia/Tokyo." in text_of(_draft_page(olga, refund))
    publication = asked(olga, refund, when="later", publish_at=local.strftime("%Y-%m-%dT%H:%M"))
    assert publication.publish_at == local.replace(tzinfo=UTC) - timedelta(hours=9)


def test_the_ends_of_the_calendar_are_no_trouble_in_any_zone(olga: Client, refund: ActionType) -> None:
    version = loose_draft(refund)
    form = {"reason": "Ever", "content_sha256": version.content_sha256, "when": "later"}
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago"):
        olga.cookies[ZONE_COOKIE] = zone
        for typed in ("0001-01-01T00:00", "9999-12-31T23:59"):
            assert olga.post(PUBLISH, {**form, "publish_at": typed}).status_code == 422
    assert not Publication.objects.exists()


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("", "Say at what time."),
        ("2001-01-01T10:00", "That time is over"),
        ("tomorrow", "Enter a valid date/time."),
        ("0001-01-01T00:00", "That time is over"),
        ("9999-12-31T23:59", "At most a year ahead."),
    ],
)
def test_a_bad_time_stands_at_its_field_and_nothing_is_lost(
    olga: Client, refund: ActionType, typed: str, message: str
) -> None:
    version = loose_draft(refund)
    form = {"reason": "On <Monday>", "content_sha256": version.content_sha256, "when": "later"}
    answer = olga.post(PUBLISH, {**form, "publish_at": typed})
    page = text_of(answer)
    assert answer.status_code == 422
    assert message in page
    assert 'value="On <Monday>"' in page
    assert not Publication.objects.exists()


def test_a_second_wish_leads_to_the_first(olga: Client, pete: Client, refund: ActionType) -> None:
    publication = asked(olga, refund)
    answer = pete.get(PUBLISH)
    assert (answer.status_code, answer.headers["Location"]) == (302, address(publication))
    form = {"reason": "Me too", "content_sha256": publication.content_sha256, "when": "now"}
    refused = pete.post(PUBLISH, form)
    assert refused.status_code == 409
    assert "olga has asked to publish refund.issue version 2 already" in text_of(refused)
    assert Publication.objects.count() == 1


def test_shadow_begins_shows_its_differences_and_ends(
    olga: Client, refund: ActionType, clerk_v1: AgentVersion
) -> None:
    trust(clerk_v1, refund, make_user("granter"))
    version = draft(refund, author(), threshold=0.95)  # type: ignore[arg-type]  # a person
    start = reverse("policies:shadow_start", args=["refund.issue", 2])
    wrong = olga.post(start, {"content_sha256": "0" * 64}, follow=True)
    assert "read it again" in text_of(wrong)
    answer = olga.post(start, {"content_sha256": version.content_sha256}, follow=True)
    assert "Nothing was proposed yet" in text_of(answer)
    proposal = make_proposal(clerk_v1, confidence=0.9)
    assert gate.check(proposal=proposal, now=database_now()).verdict == "allow"
    page = text_of(olga.get(reverse("policies:shadow", args=["refund.issue", 2])))
    assert proposal.action_id in page
    assert "policy version 2 asks for 95%" in page
    assert "Nothing spoke against it." in page
    filtered = olga.get(reverse("policies:shadow", args=["refund.issue", 2]), {"direction": "review-deny"})
    assert proposal.action_id not in text_of(filtered)
    assert olga.get(f"{TYPE}v/2/shadow/", {"after": "nonsense"}).status_code == 302
    assert "Version 2 is in shadow" in text_of(olga.get(TYPE))
    end = reverse("policies:shadow_end", args=["refund.issue", 2])
    assert "Say why" in text_of(olga.post(end, {"reason": ""}, follow=True))
    assert "Version 2 is no longer asked." in text_of(olga.post(end, {"reason": "Enough"}, follow=True))
    version.refresh_from_db()
    assert version.state == PolicyState.RETIRED


def test_what_is_in_shadow_is_published_from_its_own_page(olga: Client, refund: ActionType) -> None:
    version = in_shadow(refund, make_user("writer"), threshold=0.9)
    url = reverse("policies:publish_version", args=["refund.issue", version.number])
    form = {"reason": "It held", "content_sha256": version.content_sha256, "when": "now"}
    assert "Published version 2 of refund.issue." in text_of(olga.post(url, form, follow=True))
    again = olga.get(url, follow=True)
    assert "Version 2 of refund.issue is live." in text_of(again)


def test_going_back_shows_what_it_changes_and_does_it(olga: Client, refund: ActionType) -> None:
    make_policy(refund, make_user("writer"), threshold=0.6)
    url = reverse("policies:rollback", args=["refund.issue", 1])
    page = text_of(olga.get(url))
    assert "Hold when the chance is under 60% → 80%." in page
    assert olga.post(url, {"reason": "", "draft_sha256": ""}).status_code == 422
    answer = olga.post(url, {"reason": "Too many errors", "draft_sha256": ""}, follow=True)
    assert "Published version 3 of refund.issue." in text_of(answer)
    assert "The text of" in text_of(olga.get(reverse("policies:version", args=["refund.issue", 3])))


def test_going_back_over_an_unseen_draft_is_refused(olga: Client, refund: ActionType) -> None:
    make_policy(refund, make_user("writer"), threshold=0.6)
    theirs = loose_draft(refund)
    url = reverse("policies:rollback", args=["refund.issue", 1])
    answer = olga.post(url, {"reason": "Back", "draft_sha256": ""})
    assert answer.status_code == 409
    assert "The draft of version 3 by olga is lost." in text_of(answer)
    assert PolicyVersion.objects.get(state=PolicyState.DRAFT) == theirs


def test_taking_a_policy_out_of_force_holds_everything(
    olga: Client, refund: ActionType, clerk_v1: AgentVersion
) -> None:
    trust(clerk_v1, refund, make_user("granter"))
    url = reverse("policies:retire", args=["refund.issue", 1])
    assert olga.post(url, {"reason": ""}).status_code == 422
    answer = olga.post(url, {"reason": "It was wrong"}, follow=True)
    assert "No policy of refund.issue is in force now" in text_of(answer)
    assert gate.check(proposal=make_proposal(clerk_v1), now=NOON).verdict == "review"
    assert olga.get(url).status_code == 302


def test_any_two_versions_are_compared(olga: Client, refund: ActionType) -> None:
    make_policy(refund, make_user("writer"), threshold=0.6)
    make_policy(refund, make_user("third"), threshold=0.7)
    url = reverse("policies:version", args=["refund.issue", 3])
    assert "80% → 70%" in text_of(olga.get(url, {"against": "1"}))
    for nonsense in ("99", "x", "-1", "3", "9" * 40):
        assert "60% → 70%" in text_of(olga.get(url, {"against": nonsense}))


def test_a_type_that_is_called_like_a_page_has_its_own_address(olga: Client) -> None:
    for name in ("try", "publications"):
        action_types.declare(name=name, title=f"Type {name}", risk=Risk.LOW, actor=SYSTEM, now=NOON)
        url = reverse("policies:action_type", args=[name])
        assert url == f"/policies/~{name}/"
        assert f"Type {name}" in text_of(olga.get(url))
        assert resolve(url).kwargs == {"name": name}


def test_hostile_reasons_stay_text(olga: Client, pete: Client, refund: ActionType) -> None:
    publication = asked(olga, refund, reason="<script>alert(1)</script>\u202e")
    for url in (address(publication), TYPE, reverse("policies:publications")):
        assert "<script>alert" not in pete.get(url).content.decode()
    assert "U+202E" in pete.get(address(publication)).content.decode()


def test_a_deployment_with_one_admin_says_so(
    olga: Client, refund: ActionType, settings: LazySettings
) -> None:
    settings.FOUR_EYES = False
    version = loose_draft(refund)
    assert "One person publishes alone" in text_of(olga.get(PUBLISH))
    form = {"reason": "Alone", "content_sha256": version.content_sha256, "when": "now"}
    assert "Published version 2" in text_of(olga.post(PUBLISH, form, follow=True))


def test_nothing_is_found_where_nothing_is(olga: Client, refund: ActionType) -> None:
    assert olga.get("/policies/publications/pub_nothing/").status_code == 404
    assert olga.post("/policies/publications/pub_nothing/approve/").status_code == 404
    for page in ("shadow", "rollback", "retire", "publish"):
        assert olga.get(f"{TYPE}v/9/{page}/").status_code == 404
    assert publications.publish_due(now=NOON) == 0
    assert (
        policies.content_hash({"threshold": 0.8, "audit_rate": 0.2})
        == PolicyVersion.objects.get().content_sha256
    )

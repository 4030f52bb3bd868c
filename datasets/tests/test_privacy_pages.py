"""Pages of privacy and conversations: what they show, who may act, and that erased things are no errors."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from datasets.choices import DataKind
from datasets.models import (
    Conversation,
    ConversationCheck,
    LabelledCase,
    LegalHold,
    Omission,
    RetentionRule,
)
from datasets.services import conversations, erasure, retention
from datasets.tests.base import Learners, label
from datasets.tests.test_conversations import drawn, missing
from datasets.tests.test_erasure import CANARY, SUBJECT, plant, settle
from hitl_site.lib.clock import database_now
from policies.choices import RemovalState
from policies.models import LedgerEntry, LedgerPayload, Removal
from policies.services import ledger
from reviews.choices import DecisionKind
from reviews.models import ActionContext, ActionRequest, Permit, ReviewItem
from reviews.tests.cast import Cast, decide_as, held, make_person, propose

ASKED = {"by": "subject", "name": SUBJECT}
REASONS = {**ASKED, "reason": "By letter", "legal_basis": "GDPR Art. 17(1)(b): consent withdrawn"}


def signed_in(person: Any) -> Client:
    browser = Client()
    browser.force_login(person)
    return browser


def erased_item(cast: Cast) -> ReviewItem:
    item = plant(cast)
    decide_as(cast.alice, item, DecisionKind.REJECT, note=f"{CANARY} no")
    label()
    settle()
    return item


def test_a_person_is_found_previewed_and_erased_and_the_proof_can_be_taken_away(learners: Learners) -> None:
    cast = learners.cast
    item = erased_item(cast)
    browser = signed_in(cast.olga)
    page = browser.post(reverse("datasets:erasure_preview"), ASKED).content.decode()
    assert "Everything that is reached" in page
    assert "Labelled cases" in page
    wrong = browser.post(reverse("datasets:erase"), {**REASONS, "again": "somebody else"})
    assert wrong.status_code == 422
    assert "This is not the name above." in wrong.content.decode()
    assert not Removal.objects.exists()
    answer = browser.post(reverse("datasets:erase"), {**REASONS, "again": SUBJECT})
    removal = Removal.objects.get()
    assert answer["Location"] == reverse("datasets:removal", args=[removal.public_id])
    assert "Under way" in browser.get(answer["Location"]).content.decode()
    erasure.run(removal_id=removal.public_id, clock=database_now)
    assert (
        "Done at"
        in browser.get(reverse("datasets:removal_progress", args=[removal.public_id])).content.decode()
    )
    proof = browser.get(reverse("datasets:removal_proof", args=[removal.public_id])).json()
    assert proof["ledger"]["intact"] is True
    assert SUBJECT not in str(proof)
    case = LabelledCase.objects.get()
    entry = LedgerEntry.objects.filter(verb="action.erased").latest("id")
    for url in (
        reverse("reviews:action", args=[item.action.public_id]),
        reverse("reviews:review", args=[item.public_id]),
    ):
        page = browser.get(url).content.decode()
        assert f"(request {removal.public_id})" in page, url
        assert CANARY not in page
    page = signed_in(learners.mia).get(reverse("datasets:case", args=[case.public_id])).content.decode()
    assert f"(request {removal.public_id})" in page
    assert entry.action_id == item.action.public_id
    assert browser.get(reverse("policies:ledger")).status_code == 200


def test_who_sees_and_who_acts(learners: Learners) -> None:
    auditor = signed_in(make_person("Aud", "auditor"))
    assert auditor.get(reverse("datasets:privacy")).status_code == 200
    assert auditor.get(reverse("datasets:keeping")).status_code == 200
    assert auditor.post(reverse("datasets:erase"), {**REASONS, "again": SUBJECT}).status_code == 403
    assert auditor.post(reverse("datasets:hold_place"), {"reason": "x", "subject": "y"}).status_code == 403
    reviewer = signed_in(learners.cast.alice)
    assert reviewer.get(reverse("datasets:privacy")).status_code == 403
    assert not LegalHold.objects.exists()


def test_rules_and_holds_are_set_on_the_page(learners: Learners, settings: Settings) -> None:
    browser = signed_in(learners.cast.olga)
    url = reverse("datasets:keeping")
    short = browser.post(url, {"kind": "ledger", "action_type": "", "keep_days": "30"})
    assert short.status_code == 422
    assert "180 days at least" in short.content.decode()
    assert (
        browser.post(url, {"kind": "conversations", "action_type": "note.add", "keep_days": "30"}).status_code
        == 422
    )
    assert not RetentionRule.objects.exists()
    assert browser.post(url, {"kind": "context", "action_type": "", "keep_days": "30"}).status_code == 302
    assert RetentionRule.objects.get().keep_days == 30
    browser.post(reverse("datasets:hold_place"), {"subject": "s", "reason": "A lawsuit"})
    hold = LegalHold.objects.get()
    browser.post(reverse("datasets:hold_lift", args=[hold.public_id]), {"reason": "Over"})
    hold.refresh_from_db()
    assert hold.lifted_by_name == "Olga"
    assert browser.get(url).status_code == 200


def test_the_daily_sweep_takes_what_is_over_its_time_and_leaves_what_is_open_or_held(
    learners: Learners,
) -> None:
    cast = learners.cast
    said = {"messages": [{"role": "user", "content": "hello"}]}
    closed = propose(cast, context=said, confidence=0.95, arguments={"order": "A", "amount": 1})
    kept = propose(cast, context=said, confidence=0.95, subject="held", arguments={"order": "B", "amount": 1})
    waiting = held(cast, context=said).action
    now = database_now()
    for kind, days in ((DataKind.CONTEXT, 30), (DataKind.ARGUMENTS, 200), (DataKind.LEDGER, 200)):
        retention.set_rule(kind=kind, action_type="", keep_days=days, by=cast.olga, now=now)
    signed_in(cast.olga).post(reverse("datasets:hold_place"), {"subject": "held", "reason": "A lawsuit"})
    Permit.objects.update(revoked_at=now)
    later = now + timedelta(days=60)
    removal = retention.begin_if_due(now=later)
    assert removal is not None
    assert retention.begin_if_due(now=later) is None
    while retention.run(removal_id=removal.public_id, clock=lambda: later, batch=1):
        pass
    removal.refresh_from_db()
    assert removal.state == RemovalState.DONE
    assert removal.removed == {"context": 1}
    contexts = {one.action_id: one.context for one in ActionContext.objects.all()}
    assert contexts == {closed.pk: None, kept.pk: said, waiting.pk: said}
    much_later = now + timedelta(days=300)
    second = retention.begin_if_due(now=much_later)
    assert second is not None
    retention.run(removal_id=second.public_id, clock=lambda: much_later)
    closed.refresh_from_db()
    waiting.refresh_from_db()
    assert (closed.arguments, closed.state) == ({}, "allowed")
    assert waiting.arguments["order"] == "SO-48213"
    assert LedgerPayload.objects.filter(entry__action_id=closed.public_id, body__isnull=False).count() == 0
    assert LedgerPayload.objects.filter(entry__action_id=waiting.public_id, body=None).count() == 0
    assert ledger.verify().is_intact
    assert ActionRequest.objects.get(pk=kept.pk).arguments["order"] == "B"


def test_the_daily_sweep_leaves_a_conversation_that_waits_for_its_check_or_for_a_person(
    learners: Learners, settings: Settings
) -> None:
    settings.OMISSION_SHARE = 1.0
    cast = learners.cast
    check = drawn(cast)
    now = database_now()
    retention.set_rule(kind=DataKind.CONVERSATIONS, action_type="", keep_days=30, by=cast.olga, now=now)

    def swept(days: int) -> int:
        moment = now + timedelta(days=days)
        removal = retention.begin_if_due(now=moment)
        assert removal is not None
        retention.run(removal_id=removal.public_id, clock=lambda: moment)
        return Conversation.objects.filter(messages__isnull=True).count()

    assert swept(60) == 0
    answered = now + timedelta(days=61)
    conversations.find_complete(check_id=check.public_id, reviewer=cast.alice, note="", now=answered)
    assert swept(62) == 0
    waiting = held(cast, conversation_id=check.conversation.conversation_id)
    assert swept(100) == 0
    decide_as(cast.alice, waiting, DecisionKind.REJECT, note="no")
    settle()
    assert swept(140) == 1


def test_a_conversation_is_read_whole_and_what_was_missing_is_filled_in(
    learners: Learners, settings: Settings
) -> None:
    settings.OMISSION_SHARE = 1.0
    cast = learners.cast
    propose(cast, conversation_id="talk-1")
    check = drawn(cast)
    Conversation.objects.filter(pk=check.conversation_id)
    browser = signed_in(cast.alice)
    assert "talk-1" in browser.get(reverse("datasets:conversations")).content.decode()
    url = reverse("datasets:conversation", args=[check.public_id])
    page = browser.get(url).content.decode()
    assert "hello" in page
    assert "Refund 184 for SO-48213" in page
    typed = browser.get(f"{url}?type={cast.refund.public_id}").content.decode()
    assert "This was missing" in typed
    form = f"{url}?type={cast.refund.public_id}"
    bad = browser.post(form, {"answer": "missing", "editor": "json", "json": '{"amount": -1}', "note": "x"})
    assert bad.status_code == 422
    assert not Omission.objects.exists()
    good = {
        "answer": "missing",
        "editor": "json",
        "json": '{"order": "SO-1", "amount": 5}',
        "note": "Promised",
    }
    assert browser.post(form, good).status_code == 302
    assert Omission.objects.get().note == "Promised"
    other = signed_in(cast.bob).post(url, {"answer": "complete"})
    assert other.status_code == 409
    assert "Alice answered before" in other.content.decode()
    assert signed_in(cast.carol).post(url, {"answer": "complete"}).status_code == 409
    assert "What agents left undone" in signed_in(cast.olga).get(reverse("reviews:trust")).content.decode()


def test_nothing_was_missing_is_one_press(learners: Learners, settings: Settings) -> None:
    settings.OMISSION_SHARE = 1.0
    check = drawn(learners.cast)
    url = reverse("datasets:conversation", args=[check.public_id])
    assert signed_in(learners.cast.bob).post(url, {"answer": "complete", "note": ""}).status_code == 302
    assert ConversationCheck.objects.get().finding == "complete"


def test_an_agents_share_is_set_on_the_page(learners: Learners) -> None:
    browser = signed_in(learners.cast.olga)
    url = reverse("datasets:conversation_share", args=[learners.cast.clerk.public_id])
    browser.post(url, {"percent": "25"})
    browser.post(url, {"percent": "nonsense"})
    assert 'value="25"' in browser.get(reverse("datasets:conversations")).content.decode()


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "\u202eevil", "{{ 7*7 }}"])
def test_hostile_text_of_a_conversation_is_shown_as_text(
    learners: Learners, settings: Settings, text: str
) -> None:
    settings.OMISSION_SHARE = 1.0
    check = drawn(learners.cast, talk=text)
    missing(learners.cast, check)
    url = reverse("datasets:conversation", args=[check.public_id])
    page = signed_in(learners.cast.alice).get(url).content.decode()
    assert "<script>alert" not in page
    assert "\u202e" not in page

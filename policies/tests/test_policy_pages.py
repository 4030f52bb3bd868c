"""Writing and publishing a policy on its pages: what was typed comes back, faults stand at their field."""

from __future__ import annotations

import html
import re

import pytest
from django.test import Client
from django.urls import reverse

from policies.choices import PolicyState
from policies.models import ActionType, LedgerEntry, PolicyVersion
from policies.services import policies
from policies.tests.base import NOON, make_policy, make_user
from policies.tests.people import browser_of, make_member, text_of

pytestmark = pytest.mark.django_db

EDIT = "/policies/refund.issue/edit/"
PUBLISH = "/policies/refund.issue/publish/"
TYPED = {
    "threshold": "86.5",
    "score": "lowest",
    "audit_rate": "3",
    "blind_share": "0",
    "agents_scope": "every",
    "denial_memory": "1",
    "denial_memory_unit": "days",
    "reminder": "on",
    "deadline": "15",
    "deadline_unit": "minutes",
    "undo_seconds": "10",
    "approvals_required": "1",
    "permit_ttl": "2",
    "permit_ttl_unit": "hours",
    "queue": "refunds",
    "reason": "Refunds went well",
    "seen": "",
}
RULE = {
    "rules": ["0"],
    "rule-0-code": "large_amount",
    "rule-0-title": "Large amount",
    "rule-0-when": "args.amount > 20000",
    "rule-0-then": "review",
    "rule-0-trigger": "high_risk",
}


@pytest.fixture
def browser(refund: ActionType) -> Client:
    return browser_of(make_member("ops_admin"))


def value_of(page: str, name: str) -> str:
    """Return what the control of this name holds."""
    field = re.search(rf'<input[^>]*name="{name}"[^>]*?value="([^"]*)"', page)
    if field is None:
        field = re.search(rf'<textarea[^>]*name="{name}"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)
    assert field is not None, name
    return html.unescape(field[1])


def test_a_draft_holds_what_was_typed_and_is_not_in_force(browser: Client) -> None:
    answer = browser.post(EDIT, {**TYPED, **RULE})
    assert (answer.status_code, answer.headers["Location"]) == (302, PUBLISH)
    draft = PolicyVersion.objects.get()
    assert (draft.state, draft.number, draft.reason) == (PolicyState.DRAFT, 1, "Refunds went well")
    assert draft.document == {
        "threshold": 0.865,
        "score": "lowest",
        "calibration": None,
        "rules": [
            {
                "code": "large_amount",
                "title": "Large amount",
                "when": "args.amount > 20000",
                "then": "review",
                "trigger": "high_risk",
            }
        ],
        "measures": [],
        "agents": None,
        "freeze_windows": [],
        "denial_memory_seconds": 86_400,
        "audit_rate": 0.03,
        "deadline_seconds": 900,
        "undo_seconds": 10,
        "approvals_required": 1,
        "checklist": [],
        "small_screens": False,
        "permit_ttl_seconds": 7200,
        "queue": "refunds",
        "reminder": True,
        "second_queue": "",
        "blind_share": 0,
    }


def test_the_form_comes_filled_with_the_policy_in_force(
    browser: Client, refund_policy: PolicyVersion
) -> None:
    page = browser.get(EDIT).content.decode()
    assert [value_of(page, name) for name in ("threshold", "audit_rate", "deadline", "queue")] == [
        "80", "20", "1", "general",
    ]  # fmt: skip
    assert '<option value="days" selected>' in page


def test_saving_the_form_as_it_came_changes_nothing_of_the_policy(
    browser: Client, refund: ActionType
) -> None:
    document = {"threshold": 0.145, "audit_rate": 0.07, "deadline_seconds": 5400, "undo_seconds": 0}
    live = make_policy(refund, make_user("somebody"), **document)
    page = browser.get(EDIT).content.decode()
    names = ("threshold", "audit_rate", "blind_share", "deadline", "permit_ttl", "undo_seconds")
    untouched = {name: value_of(page, name) for name in names}
    units = {"deadline_unit": "minutes", "permit_ttl_unit": "minutes"}
    browser.post(EDIT, {**TYPED, **untouched, **units, "score": "agent", "queue": "general"})
    draft = PolicyVersion.objects.get(state=PolicyState.DRAFT)
    assert draft.document == live.document


def test_a_wrong_condition_is_named_at_its_field_with_line_and_column_and_nothing_is_lost(
    browser: Client,
) -> None:
    typed = {**TYPED, **RULE, "rule-0-when": "args.amount >\n  > 3"}
    answer = browser.post(EDIT, typed)
    page = answer.content.decode()
    assert answer.status_code == 422
    error = re.search(r'<div id="id_rule-0-when_error">(.*?)</div>', page, re.DOTALL)
    assert error is not None
    assert "Line 2, column 3" in error[1]
    assert '<a href="#id_rule-0-when">Rule 1, When: ' in page
    for name in ("threshold", "queue", "reason", "rule-0-code", "rule-0-title"):
        assert value_of(page, name) == typed[name]
    assert value_of(page, "rule-0-when") == typed["rule-0-when"]
    assert not PolicyVersion.objects.exists()


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("threshold", "101", "less than or equal to 100"),
        ("threshold", "much", "Enter a number"),
        ("threshold", "nan", "Enter a number"),
        ("audit_rate", "0.5", "greater than or equal to 1"),
        ("deadline", "31", "At most 30 days"),
        ("undo_seconds", "61", "less than or equal to 60"),
        ("queue", "No Such Queue!", "Up to 64 of a-z"),
    ],
)
def test_a_fault_stands_at_its_field(browser: Client, field: str, typed: str, message: str) -> None:
    answer = browser.post(EDIT, {**TYPED, "deadline_unit": "days", field: typed})
    assert answer.status_code == 422
    error = re.search(rf'<div id="id_{field}_error">(.*?)</div>', text_of(answer), re.DOTALL)
    assert error is not None
    assert message in error[1]
    assert value_of(answer.content.decode(), field) == typed
    assert not PolicyVersion.objects.exists()


def test_an_empty_threshold_holds_everything(browser: Client) -> None:
    browser.post(EDIT, {**TYPED, "threshold": ""})
    assert PolicyVersion.objects.get().document["threshold"] is None


def test_a_button_adds_a_row_and_saves_nothing(browser: Client) -> None:
    answer = browser.post(EDIT, {**TYPED, **RULE, "threshold": "not yet", "add": "rules"})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert re.findall(r'name="rules" value="(\d+)"', page) == ["0", "1"]
    assert value_of(page, "rule-0-when") == RULE["rule-0-when"]
    assert value_of(page, "threshold") == "not yet"
    assert 'class="err"' not in page
    assert not PolicyVersion.objects.exists()


def test_a_button_takes_its_own_row_away_and_the_others_stay(browser: Client) -> None:
    second = {name.replace("rule-0", "rule-4"): f"second {value}" for name, value in RULE.items()}
    both = {**second, **RULE, "rules": ["0", "4"]}
    page = browser.post(EDIT, {**TYPED, **both, "remove": "rules:0"}).content.decode()
    assert re.findall(r'name="rules" value="(\d+)"', page) == ["4"]
    assert value_of(page, "rule-4-code") == "second large_amount"


def test_the_return_key_saves_and_does_not_remove_a_rule(browser: Client) -> None:
    """Browsers press the first button of a form: it must be the one that saves."""
    page = browser.post(EDIT, {**TYPED, **RULE, "add": "rules"}).content.decode()
    form = page[page.index('<form method="post" id="policy-form"') :]
    first = re.search(r"<button[^>]*>", form)
    assert first is not None
    assert 'name="save"' in first[0]


def test_a_draft_that_somebody_else_saved_meanwhile_is_not_overwritten_unseen(
    browser: Client, refund: ActionType
) -> None:
    mira = make_user("mira")
    theirs = policies.save_draft(action_type=refund, document={"threshold": 0.5}, author=mira, now=NOON)
    answer = browser.post(EDIT, {**TYPED, **RULE})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "mira saved another draft" in page
    assert value_of(page, "threshold") == "86.5"
    assert PolicyVersion.objects.get().document["threshold"] == 0.5
    assert value_of(page, "seen") == theirs.content_sha256
    browser.post(EDIT, {**TYPED, **RULE, "seen": theirs.content_sha256})
    assert PolicyVersion.objects.get().document["threshold"] == 0.865


def test_the_difference_is_told_in_sentences_before_publishing(
    browser: Client, refund_policy: PolicyVersion
) -> None:
    browser.post(EDIT, {**TYPED, **RULE})
    page = text_of(browser.get(PUBLISH))
    assert "Hold when the chance is under 80% → 86.5%." in page
    assert "New rule large_amount (Large amount): review when args.amount > 20000." in page
    assert "Looser" in page
    assert PolicyVersion.objects.get(state=PolicyState.LIVE) == refund_policy


def test_publishing_puts_the_draft_in_force(browser: Client, refund_policy: PolicyVersion) -> None:
    stricter = {"score": "agent", "audit_rate": "20", "blind_share": "10", "permit_ttl": "15"}
    browser.post(EDIT, {**TYPED, **RULE, **stricter, "permit_ttl_unit": "minutes"})
    draft = PolicyVersion.objects.get(state=PolicyState.DRAFT)
    form = {"reason": "Tried for a week", "content_sha256": draft.content_sha256}
    assert browser.post(PUBLISH, form).status_code == 302
    draft.refresh_from_db()
    refund_policy.refresh_from_db()
    assert (draft.state, draft.reason) == (PolicyState.LIVE, "Tried for a week")
    assert refund_policy.state == PolicyState.RETIRED


def test_publishing_needs_a_reason(browser: Client) -> None:
    browser.post(EDIT, {**TYPED, **RULE})
    draft = PolicyVersion.objects.get()
    answer = browser.post(PUBLISH, {"reason": " ", "content_sha256": draft.content_sha256})
    assert answer.status_code == 422
    assert "Say why: others will read it." in text_of(answer)
    assert PolicyVersion.objects.get().state == PolicyState.DRAFT


def test_a_draft_that_changed_after_it_was_read_is_not_published(browser: Client, refund: ActionType) -> None:
    browser.post(EDIT, {**TYPED, **RULE})
    read = PolicyVersion.objects.get().content_sha256
    policies.save_draft(action_type=refund, document={"threshold": 0.1}, author=make_user("mira"), now=NOON)
    entries = LedgerEntry.objects.count()
    answer = browser.post(PUBLISH, {"reason": "Fine", "content_sha256": read})
    assert answer.status_code == 409
    assert "mira changed refund.issue version 1 after you read it" in text_of(answer)
    assert PolicyVersion.objects.get().state == PolicyState.DRAFT
    assert LedgerEntry.objects.count() == entries


def test_publishing_without_a_draft_goes_back(browser: Client, refund_policy: PolicyVersion) -> None:
    answer = browser.post(PUBLISH, {"reason": "Again", "content_sha256": "0" * 64})
    assert answer.status_code == 302
    assert PolicyVersion.objects.get() == refund_policy


def test_a_version_says_what_it_changed(browser: Client, refund: ActionType) -> None:
    somebody = make_user("somebody")
    make_policy(refund, somebody, threshold=0.8)
    make_policy(refund, somebody, threshold=0.9)
    page = text_of(browser.get(reverse("policies:version", args=["refund.issue", 2])))
    assert "Compared with version 1." in page
    assert "Hold when the chance is under 80% → 90%." in page
    assert browser.get(reverse("policies:version", args=["refund.issue", 3])).status_code == 404


def test_hostile_words_stay_text(browser: Client, refund: ActionType) -> None:
    rule = {**RULE, "rule-0-title": "<script>alert(1)</script>\u202e", "rule-0-when": "args.x == '<b>'"}
    browser.post(EDIT, {**TYPED, **rule})
    for address in (PUBLISH, EDIT, "/policies/refund.issue/", "/policies/refund.issue/v/1/"):
        page = browser.get(address).content.decode()
        assert "<script>alert" not in page
        assert "'<b>'" not in page
    assert "U+202E" in browser.get(PUBLISH).content.decode()

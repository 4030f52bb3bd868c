"""Trying an action: the answer of the gate with every reason, by page and by dry run, and nothing kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from hitl_site.lib.clock import database_now
from policies.models import AgentVersion, GateCheck, LedgerEntry, PolicyVersion, ShadowCheck
from policies.services import policies
from policies.tests.people import browser_of, text_of
from reviews.models import ActionRequest, ReviewItem
from reviews.tests.api_client import Api, read
from reviews.tests.cast import Cast

pytestmark = pytest.mark.django_db

TRY = "/policies/try/"
REFUND = {"order": "SO-48213", "amount": 184}
RULE = {"code": "large", "title": "A large <b>amount</b>", "when": "args.amount > 100.0", "then": "deny"}


@pytest.fixture
def olga(cast: Cast) -> Client:
    return browser_of(cast.olga)


def tried(browser: Client, *, status: int = 200, submission: object = None, **fields: str) -> str:
    body = {"action_type": "refund.issue", "arguments": REFUND, "confidence": 0.71}
    given = submission if isinstance(submission, str) else json.dumps({**body, **(submission or {})})  # type: ignore[dict-item]  # a part of a submission
    form = {"submission": given, "version": AgentVersion.objects.get().public_id, "text": "live", **fields}
    before = everything()
    answer = browser.post(TRY, form)
    assert answer.status_code == status
    assert everything() == before
    return text_of(answer)


def everything() -> tuple[int, ...]:
    kept = (ActionRequest, GateCheck, ReviewItem, LedgerEntry, ShadowCheck, AgentVersion, PolicyVersion)
    return tuple(model.objects.count() for model in kept)


def versions(cast: Cast, threshold: float, **document: Any) -> PolicyVersion:
    return policies.save_draft(
        action_type=cast.refund,
        document={"threshold": threshold, "audit_rate": 0.01, **document},
        author=cast.olga,
        now=database_now(),
    )


def test_every_reason_is_told_strictest_first(olga: Client, cast: Cast) -> None:
    versions(cast, 0.9, rules=[RULE])
    page = tried(olga, text="draft")
    assert "Denied" in page
    assert page.index("The rule large of policy version 2 refuses") < page.index(
        "policy version 2 asks for 90%"
    )
    assert "By version 2 (draft)" in page


def test_an_allow_tells_what_came_nearest(olga: Client) -> None:
    page = tried(olga, submission={"confidence": 0.95})
    assert "Runs alone" in page
    assert "What came nearest to holding it" in page
    assert "policy version 1 asks for 90%" in page


def test_what_is_in_shadow_is_asked_beside(olga: Client, cast: Cast) -> None:
    draft = versions(cast, 0.6)
    policies.start_shadow(
        version=draft, person=cast.olga, content_sha256=draft.content_sha256, now=database_now()
    )
    page = tried(olga)
    assert "What the version in shadow would say" in page
    assert page.index("Held") < page.index("Runs alone")
    assert "By version 2 (shadow)" in tried(olga, text="shadow")


def test_another_level_than_the_one_granted_is_tried(olga: Client) -> None:
    page = tried(olga, submission={"confidence": 0.95}, as_level="review_all")
    assert "at the level review all" in page
    assert "Not yet trusted alone" in page


@pytest.mark.parametrize(
    ("submission", "message"),
    [
        ("", "Paste a submission."),
        ("{", "JSON"),
        ('{"action_type": "a", "action_type": "b"}', "At /action_type"),
        ('{"action_type": "refund.issue", "arguments": {"amount": 1e20}}', "At /arguments/amount"),
        ('{"action_type": "refund.issue", "arguments": [], "confidence": 7}', "At /confidence"),
        ('{"action_type": "refund.issue", "arguments": {}, "colour": "red"}', "At /colour"),
        ("[]", "At the top"),
        ('{"action_type": "refund.issue", "arguments": {"a": "\\ud800"}}', "At /arguments/a"),
    ],
)
def test_a_fault_is_named_with_its_place_and_nothing_is_lost(
    olga: Client, submission: str, message: str
) -> None:
    page = tried(olga, submission=submission, status=422)
    assert message in page
    assert submission in page


def test_a_text_that_is_not_there_is_named_at_its_field(olga: Client) -> None:
    assert "There is no draft of this action type's policy." in tried(olga, text="draft", status=422)
    assert "No version of this action type's policy is in shadow." in tried(olga, text="shadow", status=422)
    tried(olga, text="other", status=422)
    tried(olga, version="agv_nobody", status=422)


def test_an_unknown_type_is_held(olga: Client) -> None:
    page = tried(olga, submission={"action_type": "nobody.knows"})
    assert "Unknown action type" in page
    assert "By no policy: none is in force" in page


def test_it_begins_with_the_arguments_of_a_type(olga: Client) -> None:
    page = text_of(olga.get(TRY, {"action_type": "refund.issue"}))
    assert '"order": null' in page
    assert olga.get(TRY, {"action_type": "<script>"}).status_code == 200


def test_hostile_words_stay_text(olga: Client) -> None:
    hostile = {"arguments": {"order": "</textarea><script>alert(1)</script>", "amount": 1}}
    form = {"submission": json.dumps({"action_type": "refund.issue", **hostile}), "text": "live"}
    page = olga.post(TRY, {**form, "version": AgentVersion.objects.get().public_id}).content.decode()
    assert "<script>alert" not in page


@pytest.mark.parametrize("name", ["alice", "dan"])
def test_others_may_not_try(cast: Cast, name: str) -> None:
    browser = browser_of(getattr(cast, name))
    assert browser.get(TRY).status_code == 403
    assert browser.post(TRY, {"submission": "{}"}).status_code == 403


def test_a_dry_run_answers_the_same_and_stores_nothing(cast: Cast) -> None:
    api = Api(cast.token)
    body = {"action_type": "refund.issue", "arguments": REFUND, "agent_version": "1", "confidence": 0.95}
    before = everything()
    dry = read(api.post("/actions", {**body, "dry_run": True}))
    assert everything() == before
    assert (dry["id"], dry["state"], dry["verdict"], dry["permit"]) == (None, "dry_run", "allow", None)
    assert "policy version 1 asks for 90%" in dry["nearest_miss"]
    live = read(api.post("/actions", body, **{"Idempotency-Key": "k1"}))
    same = ("verdict", "reasons", "nearest_miss", "policy", "digest", "risk", "autonomy_level")
    assert {name: live[name] for name in same} == {name: dry[name] for name in same}


def test_what_is_held_has_no_nearest_miss(cast: Cast) -> None:
    answer = read(Api(cast.token).propose())
    assert (answer["verdict"], answer["nearest_miss"]) == ("review", None)

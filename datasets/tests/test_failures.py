"""What people keep correcting: grouped, alike ones together, and a rule drafted from them."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client

from datasets.selectors import failures
from datasets.tests.base import label
from hitl_site.groups import GROUPS, make_groups
from hitl_site.lib.clock import database_now
from policies.choices import PolicyState
from policies.engine.policy import PolicyDocument
from policies.models import PolicyVersion
from reviews.choices import DecisionKind
from reviews.services import deadlines
from reviews.tests.cast import Cast, decide_as, held, make_cast, make_person, propose
from reviews.tests.test_past_actions import follow

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def browser_for(person: object) -> Client:
    client = Client()
    client.force_login(person)  # type: ignore[arg-type]  # any user
    return client


def correct(cast: Cast, proposed: float, right: float) -> None:
    item = held(cast, arguments={"order": "SO-1", "amount": proposed})
    decide_as(cast.alice, item, DecisionKind.CORRECT, arguments={"order": "SO-1", "amount": right})


def learn() -> failures.Failures:
    deadlines.release_due(now=database_now() + timedelta(minutes=5))
    label()
    return failures.failures(since=database_now() - timedelta(days=1))


def test_corrections_of_one_field_for_one_reason_are_alike(cast: Cast) -> None:
    for proposed in (184, 150, 900):
        correct(cast, proposed, 100)
    found = learn()
    assert (found.corrections, found.cut) == (3, False)
    (cluster,) = found.clusters
    assert (cluster.pointer, cluster.kind, cluster.reason) == ("/amount", "wrong_value", "wrong_arguments")
    assert (cluster.count, cluster.versions) == (3, (("clerk 1", 3),))
    assert cluster.condition == "has(args.amount) && args.amount >= 150.0"
    assert [(each.before, each.after) for each in cluster.examples] == [(900, 100), (150, 100), (184, 100)]
    (version,) = found.versions
    assert (version.fields, version.reasons) == ((("/amount", 3),), (("wrong_arguments", 3),))


def test_a_rule_is_drafted_once_and_publishes_nothing(cast: Cast) -> None:
    correct(cast, 184, 100)
    correct(cast, 150, 100)
    learn()
    live = PolicyVersion.objects.get(action_type=cast.refund, state=PolicyState.LIVE)
    form = {
        "days": "30",
        "type": "refund.issue",
        "pointer": "/amount",
        "kind": "wrong_value",
        "reason": "wrong_arguments",
    }
    for _ in range(2):
        answer = browser_for(cast.olga).post("/failures/draft/", form)
        assert (answer.status_code, answer.headers["Location"]) == (302, "/policies/refund.issue/edit/")
    draft = PolicyVersion.objects.get(action_type=cast.refund, state=PolicyState.DRAFT)
    (rule,) = draft.document["rules"]
    assert (rule["when"], rule["then"]) == ("has(args.amount) && args.amount >= 150.0", "review")
    assert PolicyDocument.from_document(draft.document).rules
    assert PolicyVersion.objects.get(action_type=cast.refund, state=PolicyState.LIVE) == live
    refused = browser_for(cast.dan).post("/failures/draft/", form)
    assert refused.status_code == 403
    gone = browser_for(cast.olga).post("/failures/draft/", {**form, "pointer": "/other"})
    assert gone.headers["Location"] == "/failures/?days=30"


@pytest.mark.django_db(transaction=True)
def test_one_click_leads_to_the_draft_and_what_it_would_have_done(transactional_db: None) -> None:
    make_groups()
    cast = make_cast()
    correct(cast, 184, 100)
    correct(cast, 150, 100)
    propose(cast, confidence=0.95, arguments={"order": "SO-7", "amount": 170})
    propose(cast, confidence=0.95, arguments={"order": "SO-8", "amount": 20})
    learn()
    follow()
    olga = browser_for(cast.olga)
    page = olga.get("/failures/").content.decode()
    (form,) = re.findall(r'<form method="post" action="/failures/draft/">.*?</form>', page, re.DOTALL)
    said = dict(re.findall(r'<input type="hidden" name="([a-z]+)" value="([^"]*)">', form))
    editor = olga.post("/failures/draft/", said, follow=True)
    assert editor.redirect_chain == [("/policies/refund.issue/edit/", 302)]
    # The page asks for the what-if of the draft by itself, with what stands in the form.
    query = editor.context["editor"].asked(days=90)
    answer = olga.get(f"/policies/refund.issue/what-if/?{query}")
    assert (answer.status_code, answer.context["page"].found.comparison.locked) == (200, 1)
    text = answer.content.decode()
    assert "Would be held by this draft" in text
    assert "Refund 170 for SO-7" in text
    assert "Refund 20 for SO-8" not in text


@pytest.mark.parametrize(
    ("pointer", "kind", "values", "condition"),
    [
        ("/a", "missing", [None], "!has(args.a)"),
        ("/a/b", "missing", [None], "has(args.a) && !has(args.a.b)"),
        ("/to", "wrong_target", ['x"y', "z"], 'has(args.to) && args.to in ["x\\"y", "z"]'),
        ("/text", "wrong_wording", ["a b c"], "has(args.text)"),
        ("/flag", "wrong_value", [True], "has(args.flag)"),
        ("/items/*/price", "wrong_value", [1], ""),
        ("/a-b", "wrong_value", [1], ""),
        ("/in", "wrong_value", [1], ""),
        ("", "wrong_value", [1], ""),
    ],
)
def test_a_condition_names_the_place_and_what_stood_there(
    pointer: str, kind: str, values: list[object], condition: str
) -> None:
    assert failures.condition_of(pointer, kind, values) == condition  # type: ignore[arg-type]  # any JSON
    if condition:
        document = {"rules": [{"code": "r", "title": "R", "when": condition, "then": "review"}]}
        assert PolicyDocument.from_document(document).rules


def test_positions_in_lists_are_one_field() -> None:
    assert failures.general("/items/12/price") == "/items/*/price"
    assert failures.general("") == ""


@pytest.mark.parametrize("group", GROUPS)
def test_the_page_opens_for_those_who_may_see_trust_or_cases(cast: Cast, group: str) -> None:
    answer = browser_for(make_person("Reader", group)).get("/failures/")
    assert answer.status_code == (403 if group == "reviewer" else 200)
    if group != "reviewer":
        assert "Nothing was corrected" in answer.content.decode()

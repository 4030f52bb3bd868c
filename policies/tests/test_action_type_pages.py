"""Declaring action types on their pages, and the list of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from policies.choices import AutonomyLevel, Risk
from policies.models import ActionType, AgentVersion, PolicyVersion
from policies.services import action_types, gate
from policies.tests.base import NOON, SYSTEM, make_proposal, make_refund_type, recorded
from policies.tests.people import Answer, browser_of, make_member, text_of

if TYPE_CHECKING:
    from pytest_django import DjangoAssertNumQueries

pytestmark = pytest.mark.django_db

NEW = "/action-types/new/"
EDIT = "/policies/refund.issue/declaration/"
TYPED = {
    "name": "refund.issue",
    "title": "Issue a refund",
    "title_template": "Refund {amount} for {order_id}",
    "icon": "banknote",
    "risk": "high",
    "irreversible": "on",
    "argument_schema": '{"type": "object", "properties": {"amount": {"type": "integer"}}}',
    "reason_codes": "wrong_amount: Wrong amount\n\nother: Something else: say what\n",
    "checklist": "The amount is what was paid.\n\nThe photo shows it.\n",
    "cluster_pointer": "/order_id",
    "autonomy_cap": "",
    "first_contact_level": "shadow",
    "reading_floor": "2.5",
}


@pytest.fixture
def browser(db: None) -> Client:
    return browser_of(make_member("ops_admin"))


def error_of(response: Answer, field: str) -> str:
    found = re.search(rf'<div id="id_{field}_error">(.*?)</div>', text_of(response), re.DOTALL)
    assert found is not None, field
    return found[1]


def test_a_declaration_is_stored_as_it_was_typed(browser: Client) -> None:
    answer = browser.post(NEW, TYPED)
    assert answer.headers["Location"] == "/policies/refund.issue/"
    declared = ActionType.objects.get()
    assert (declared.name, declared.title, declared.risk) == ("refund.issue", "Issue a refund", Risk.HIGH)
    assert (declared.irreversible, declared.widens_rights, declared.icon) == (True, False, "banknote")
    assert declared.argument_schema == {"type": "object", "properties": {"amount": {"type": "integer"}}}
    assert declared.reason_codes == [
        {"code": "wrong_amount", "label": "Wrong amount"},
        {"code": "other", "label": "Something else: say what"},
    ]
    assert declared.checklist == ["The amount is what was paid.", "The photo shows it."]
    assert (declared.cluster_pointer, declared.reading_floor_ms) == ("/order_id", 2500)
    # Nothing chosen: what cannot be undone stops at Review all by itself.
    assert declared.autonomy_cap == AutonomyLevel.REVIEW_ALL
    assert declared.first_contact_level == AutonomyLevel.SHADOW
    assert recorded("action_type.declared")[0]["name"] == "refund.issue"


@pytest.mark.parametrize(
    ("field", "typed", "message"),
    [
        ("name", "refund issue", "1 to 120 letters"),
        ("title_template", "Refund {amount", "every brace has its partner"),
        ("argument_schema", '{"type":\n "object",}', "at line 2, column 11"),
        ("argument_schema", '{"a": 1, "a": 2}', "The key occurs twice"),
        ("argument_schema", '{"type": "no such type"}', "At /type"),
        ("argument_schema", "[]", "A JSON Schema is an object"),
        ("argument_schema", '{"title": "\\u0000"}', "At /title"),
        ("reason_codes", "wrong amount", "Line 1 is not of the form code: label."),
        ("reason_codes", "Wrong: Wrong amount", "Number 1: a code starts with a letter"),
        ("checklist", "x" * 301, "Number 1: a sentence has 1 to 300 characters."),
        ("cluster_pointer", "order_id", "A JSON pointer"),
        ("autonomy_cap", "autonomous", "goes no further than Review all"),
        ("reading_floor", "601", "less than or equal to 600"),
    ],
)
def test_a_fault_stands_at_its_field_and_nothing_typed_is_lost(
    browser: Client, field: str, typed: str, message: str
) -> None:
    answer = browser.post(NEW, {**TYPED, field: typed})
    assert answer.status_code == 422
    assert message in error_of(answer, field)
    shown = text_of(answer)
    for value in {**TYPED, field: typed}.values():
        for line in value.split("\n"):
            assert line in shown
    assert not ActionType.objects.exists()


def test_a_name_is_declared_once(browser: Client) -> None:
    make_refund_type()
    answer = browser.post(NEW, TYPED)
    assert answer.status_code == 422
    assert "There is an action type named refund.issue already." in error_of(answer, "name")
    assert ActionType.objects.get().risk == Risk.MEDIUM


def test_a_declaration_saved_as_it_came_is_no_change(browser: Client) -> None:
    browser.post(NEW, TYPED)
    stored = ActionType.objects.values().get()
    page = browser.get(EDIT)
    form = page.context["form"]
    fields = {name: form[name].value() for name in form.fields}
    typed = {name: "on" if value is True else value for name, value in fields.items() if value is not False}
    assert browser.post(EDIT, typed).status_code == 302
    assert ActionType.objects.values().get() == stored
    assert recorded("action_type.changed") == []


def test_a_change_is_saved_and_its_name_stays(browser: Client) -> None:
    browser.post(NEW, TYPED)
    seen = ActionType.objects.get().updated_at.isoformat()
    change = {**TYPED, "name": "other.name", "title": "Refund it", "autonomy_cap": "shadow", "seen": seen}
    assert browser.post(EDIT, change).status_code == 302
    changed = ActionType.objects.get()
    assert (changed.name, changed.title, changed.autonomy_cap) == ("refund.issue", "Refund it", "shadow")


def test_a_declaration_that_somebody_changed_meanwhile_is_not_overwritten_unseen(browser: Client) -> None:
    browser.post(NEW, TYPED)
    declared = ActionType.objects.get()
    seen = declared.updated_at.isoformat()
    action_types.change(action_type=declared, title="Theirs", actor=SYSTEM, now=NOON)
    mine = {**TYPED, "title": "Mine", "autonomy_cap": "review_all", "seen": seen}
    answer = browser.post(EDIT, mine)
    assert answer.status_code == 409
    assert "Somebody changed this declaration" in text_of(answer)
    assert 'value="Mine"' in text_of(answer)
    assert ActionType.objects.get().title == "Theirs"
    assert browser.post(EDIT, {**mine, "seen": NOON.isoformat()}).status_code == 302
    assert ActionType.objects.get().title == "Mine"


def test_an_icon_that_is_not_on_offer_survives_an_edit(browser: Client) -> None:
    declared = make_refund_type(icon="ship")
    page = text_of(browser.get(EDIT))
    assert re.search(r'value="ship"[^>]*checked', page)
    seen = declared.updated_at.isoformat()
    browser.post(EDIT, {**TYPED, "icon": "ship", "autonomy_cap": "shadow", "seen": seen})
    assert ActionType.objects.get().icon == "ship"


@pytest.mark.parametrize("name", ["mcp/server/tool", "new", "a/edit", "a/v/1", "x:y_z-1.0"])
def test_every_name_has_an_address_of_its_own(browser: Client, name: str) -> None:
    make_refund_type(name=name, title=f"The one of {name}")
    for page in ("action_type", "action_type_edit", "policy_edit"):
        answer = browser.get(reverse(f"policies:{page}", args=[name]))
        assert answer.status_code == 200
        assert answer.context["action_type"].name == name


def test_what_was_never_declared_is_not_found(browser: Client) -> None:
    for page in ("action_type", "action_type_edit", "policy_edit", "publish"):
        assert browser.get(reverse(f"policies:{page}", args=["no.such"])).status_code == 404


def test_the_list_says_what_is_held_and_what_nobody_declared(
    browser: Client, refund_policy: PolicyVersion, clerk_v1: AgentVersion
) -> None:
    from hitl_site.lib.clock import database_now

    now = database_now()
    for _ in range(3):
        gate.check(proposal=make_proposal(clerk_v1), now=now)
    gate.check(proposal=make_proposal(clerk_v1, action_type_name="mail.<send>"), now=now)
    answer = browser.get("/policies/")
    (row,) = answer.context["rows"]
    assert (row.proposed, row.held, row.held_share) == (3, 3, 1.0)
    assert (row.live, row.document.threshold) == (refund_policy, 0.8)
    (unknown,) = answer.context["undeclared"]
    assert (unknown.name, unknown.proposed) == ("mail.<send>", 1)
    assert "mail.<send>" not in answer.content.decode()
    assert "/action-types/new/?name=mail.%3Csend%3E" in answer.content.decode()


def test_the_list_asks_as_much_for_ten_types_as_for_one(
    browser: Client, refund_policy: PolicyVersion, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    browser.get("/policies/")
    with CaptureQueriesContext(connection) as few:
        browser.get("/policies/")
    for number in range(10):
        make_refund_type(name=f"refund.{number}")
    with django_assert_max_num_queries(len(few)):
        browser.get("/policies/")

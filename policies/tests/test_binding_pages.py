"""Declaring what an approval binds, and trying it on an example before anybody depends on it."""

from __future__ import annotations

import pytest
from django.test import Client

from policies.choices import Risk
from policies.models import ActionType
from policies.selectors.binding_preview import example_of
from policies.services import action_types
from policies.tests.base import NOON, SYSTEM, recorded
from policies.tests.people import browser_of, make_member, text_of
from policies.tests.test_action_type_pages import error_of

pytestmark = pytest.mark.django_db

EDIT = "/policies/transfer.send/declaration/"
TYPED = {
    "title": "Send money",
    "icon": "banknote",
    "risk": "medium",
    "reason_codes": "other: Something else",
    "cosmetic_pointers": "/note\n\n /items/*/label \n",
    "normalised_fields": "/iban: remove_spaces upper\n/amount: number\n",
    "pause_on_mismatch": "on",
    "autonomy_cap": "threshold",
    "first_contact_level": "review_all",
    "reading_floor": "0",
}


@pytest.fixture
def transfer(db: None) -> ActionType:
    return action_types.declare(
        name="transfer.send", title="Send money", risk=Risk.MEDIUM, actor=SYSTEM, now=NOON
    )


@pytest.fixture
def browser(db: None) -> Client:
    return browser_of(make_member("ops_admin"))


def typed(transfer: ActionType, **change: str) -> dict[str, str]:
    return {**TYPED, "seen": transfer.updated_at.isoformat(), **change}


def test_a_binding_is_declared_as_typed_and_its_change_is_on_record(
    browser: Client, transfer: ActionType
) -> None:
    assert browser.post(EDIT, typed(transfer)).status_code == 302
    transfer.refresh_from_db()
    assert transfer.cosmetic_pointers == ["/note", "/items/*/label"]
    assert transfer.normalised_fields == {"/iban": ["remove_spaces", "upper"], "/amount": ["number"]}
    assert transfer.pause_on_mismatch is True
    (body,) = recorded("action_type.changed")
    before, after = body["before"], body["after"]
    assert (before["cosmetic_pointers"], after["cosmetic_pointers"]) == ([], ["/note", "/items/*/label"])
    assert (before["pause_on_mismatch"], after["pause_on_mismatch"]) == (False, True)
    again = browser.post(EDIT, typed(transfer))
    assert again.status_code == 302
    assert len(recorded("action_type.changed")) == 1


@pytest.mark.parametrize(
    ("field", "text", "said"),
    [
        ("cosmetic_pointers", "note", "A JSON pointer such as /note"),
        ("cosmetic_pointers", "/*", "leave nothing that an approval binds"),
        ("normalised_fields", "/iban upper", "Line 1 is not of the form"),
        ("normalised_fields", "/iban: shout", "no such form: shout"),
        ("normalised_fields", "/iban:", "at least one form"),
        ("normalised_fields", "/a: upper\n/a: lower", "/a is there twice"),
    ],
)
def test_a_binding_that_cannot_stand_is_refused_at_its_field(
    browser: Client, transfer: ActionType, field: str, text: str, said: str
) -> None:
    answer = browser.post(EDIT, typed(transfer, **{field: text}))
    assert answer.status_code == 422
    assert said in error_of(answer, field)
    transfer.refresh_from_db()
    assert transfer.cosmetic_pointers == []


def test_the_preview_says_of_each_edit_whether_it_voids_and_saves_nothing(
    browser: Client, transfer: ActionType
) -> None:
    answer = browser.post(
        EDIT,
        typed(
            transfer,
            preview="1",
            title="",
            example='{"iban": "DE89 3704", "amount": "12.00", "note": "Hi", "to": "Ann"}',
            edited='{"iban": "de893704", "amount": "12", "note": "<b>Bye</b>", "to": "Bob"}',
        ),
    )
    page = text_of(answer)
    assert answer.status_code == 200
    assert "This edit voids the approval." in page
    assert page.count("Voids the approval: a new decision is needed.") == 1
    assert "Does not matter: declared as cosmetic." in page
    assert "The same: compared without spaces, in capitals." in page
    assert "The same: compared as a number." in page
    assert b"<b>Bye" not in answer.content
    transfer.refresh_from_db()
    assert (transfer.title, transfer.cosmetic_pointers) == ("Send money", [])
    assert recorded("action_type.changed") == []


def test_the_preview_of_edits_that_do_not_matter_says_that_the_approval_holds(
    browser: Client, transfer: ActionType
) -> None:
    given = {"preview": "1", "example": '{"note": "Hi"}', "edited": '{"note": "Ho"}'}
    page = text_of(browser.post(EDIT, typed(transfer, **given)))
    assert "The approval still holds." in page
    high = text_of(browser.post(EDIT, typed(transfer, **given, risk="high")))
    assert "This edit voids the approval." in high
    assert "bound to the byte" in high


@pytest.mark.parametrize("example", ["", "{", "[]", '{"a": 1, "a": 2}', '{"a": NaN}'])
def test_an_example_that_cannot_be_read_is_told_so(
    browser: Client, transfer: ActionType, example: str
) -> None:
    answer = browser.post(EDIT, typed(transfer, preview="1", example=example))
    assert answer.status_code == 422
    assert error_of(answer, "example")


def test_an_unreadable_example_does_not_stand_in_the_way_of_saving(
    browser: Client, transfer: ActionType
) -> None:
    assert browser.post(EDIT, typed(transfer, example="{", edited="{")).status_code == 302


def test_the_page_begins_with_an_example_made_of_the_schema() -> None:
    schema = {
        "properties": {
            "order": {"type": "string", "examples": ["SO-1"]},
            "amount": {"type": "number", "default": 12},
            "kind": {"enum": ["full", "part"]},
            "lines": {"type": "array", "items": {"properties": {"sku": {"type": "string"}}}},
            "urgent": {"type": "boolean"},
            "odd": True,
        }
    }
    assert example_of(schema) == {
        "order": "SO-1",
        "amount": 12,
        "kind": "full",
        "lines": [{"sku": "text"}],
        "urgent": False,
        "odd": "",
    }
    assert example_of(None) == example_of({"type": "array"}) == {}

"""Evidence that an operator declares: what may be declared, what a path finds, and its field of the form."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from hitl_site.lib.strict_json import JsonValue
from policies.engine import evidence_sources
from policies.engine.provenance import Spoken, Voice, spoken
from policies.models import ActionType
from policies.tests.base import recorded
from policies.tests.people import browser_of, make_member
from policies.tests.test_action_type_pages import EDIT, NEW, TYPED, error_of

PAID = {"pointer": "/amount", "tool": "get_order", "path": "$.paid_total", "label": "Order record"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$.paid_total", (148.0,)),
        ("$['lines'][0].sku", ("A-1",)),
        ("$.lines[?@.price > 50 || @.sku == 'A-1'].sku", ("A-1", "B-2")),
        ("$..sku", ("A-1", "B-2")),
        ("$.nothing", ()),
    ],
)
def test_a_path_finds_what_rfc_9535_says(path: str, found: tuple[object, ...]) -> None:
    order = {"paid_total": 148.0, "lines": [{"sku": "A-1", "price": 8}, {"sku": "B-2", "price": 140}]}
    assert evidence_sources.find(path, order) == found


def test_a_path_into_what_is_no_document_finds_nothing() -> None:
    others: tuple[JsonValue, ...] = ("a", None, 1, [])
    assert [evidence_sources.find("$.a", each) for each in others] == [()] * 4


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"path": "$.a["}, "Number 1: the path $.a[ cannot be read: unexpected end of query."),
        ({"path": "paid"}, "Number 1: the path paid cannot be read at character 1"),
        (
            {"path": "$[?match(@.a, '(a+)+$')]"},
            "cannot be read at character 4: function 'match' is not defined.",
        ),
        ({"path": "$..a..b"}, "Number 1: the path $..a..b has .. more than once."),
        ({"path": "$.a | $.b"}, "Number 1: the path $.a | $.b cannot be read at character 5"),
        ({"pointer": "amount"}, "Number 1: the argument is a JSON pointer, as in /amount."),
        ({"tool": " "}, "Number 1: the tool has 1 to 120 characters."),
        ({"more": ""}, "Number 1 has a pointer, a tool, a path and a label, and nothing else."),
    ],
)
def test_a_fault_says_where_it_is(change: dict[str, Any], fault: str) -> None:
    [said] = evidence_sources.faults([{**PAID, **change}])
    assert fault in said


def test_every_text_is_spoken_at_its_place() -> None:
    context = {
        "input": "Refund me",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "148"}]},
            {"role": "assistant", "content": "I will pay 999"},
            {"role": "tool", "content": '{"total": 148}'},
        ],
        "steps": [{"tool": "x", "output": 7}],
    }
    assert list(spoken(context)) == [
        Spoken("input", Voice.USER, "Refund me"),
        Spoken("messages/0", Voice.USER, "148"),
        Spoken("messages/2", Voice.TOOL, '{"total": 148}'),
        Spoken("messages/2", Voice.TOOL, "148"),
        Spoken("messages/2", Voice.TOOL, "total"),
        Spoken("steps/0", Voice.TOOL, "7"),
    ]


@pytest.fixture
def browser(db: None) -> Client:
    return browser_of(make_member("ops_admin"))


def test_sources_are_declared_on_the_form_and_stand_in_the_ledger(browser: Client) -> None:
    line = "/amount | get_order | $.paid_total | Order record"
    browser.post(NEW, {**TYPED, "evidence_sources": f"\n{line}\n"})
    declared = ActionType.objects.get()
    assert declared.evidence_sources == [PAID]
    [entry] = recorded("action_type.declared")
    assert entry["after"]["evidence_sources"] == [PAID]
    assert line in browser.get(EDIT).content.decode()


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("/amount get_order", "Line 1 has 1 part, it needs four"),
        ("/a | t | $.a | L\n/b | t | $.b", "Line 2 has 3 parts, it needs four"),
        ("/a | t | $.a[ | L", "Number 1: the path $.a[ cannot be read"),
    ],
)
def test_a_line_that_cannot_stand_is_named_and_nothing_is_declared(
    browser: Client, typed: str, said: str
) -> None:
    answer = browser.post(NEW, {**TYPED, "evidence_sources": typed})
    assert said in error_of(answer, "evidence_sources")
    assert not ActionType.objects.exists()

"""What stands beside a value: what a tool says, where it comes from; and the timeline this points into."""

from __future__ import annotations

import re
from typing import Any

import pytest

from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry
from policies.services import action_types
from policies.services.ledger import Actor
from reviews.selectors.masking import COVER
from reviews.tests.browsing import HTMX, browser_of, open_form, text_of, url
from reviews.tests.cast import REFUND, Cast, held

ORDER = {
    "order": "SO-48213",
    "paid_total": 148.0,
    "card_number": "4111 1111 1111 1111",
    "method": "visa_4242",
}
CONTEXT: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "The lamp of SO-48213 came broken."},
        {
            "role": "assistant",
            "tool_calls": [{"id": "c1", "function": {"name": "get_order", "arguments": "{}"}}],
        },
        {
            "role": "tool",
            "tool_call_id": "c1",
            "content": '{"paid_total": 148.0, "card_number": "4111111111111111"}',
        },
    ]
}


def declare(cast: Cast, *sources: dict[str, str]) -> None:
    action_types.change(
        action_type=cast.refund,
        evidence_sources=list(sources),
        actor=Actor.person(cast.olga),
        now=database_now(),
    )


def source(pointer: str, path: str, label: str = "Order record") -> dict[str, str]:
    return {"pointer": pointer, "tool": "get_order", "path": path, "label": label}


def page_of(cast: Cast, **body: Any) -> str:
    return text_of(browser_of(cast.alice).get(url("review", held(cast, **{"context": CONTEXT, **body}))))


def notes(page: str, pointer: str) -> list[tuple[bool, str, str]]:
    """Return what stands beside one value: whether it warns, where it leads, its words."""
    row = page[page.index(f'data-pointer="{pointer}"') :]
    row = row[: row.index('class="mine"' if 'class="mine"' in row else "</form>")]
    found = re.findall(
        r'<(?:a|span) class="ev( ev-q)?"(?: href="([^"]*)")?.*?<span>(.*?)</span></', row, re.DOTALL
    )
    return [(not quiet, place, words) for quiet, place, words in found]


def test_what_a_tool_says_otherwise_is_a_warning_that_leads_to_its_step(cast: Cast) -> None:
    declare(cast, source("/amount", "$.paid_total"))
    page = page_of(cast)
    assert notes(page, "/amount")[0] == (True, "#step-2", "Order record says 148")
    assert 'id="step-2"' in page


def test_what_a_tool_confirms_is_said_quietly(cast: Cast) -> None:
    declare(cast, source("/amount", "$.paid_total"))
    page = page_of(cast, arguments={**REFUND, "amount": 148})
    assert notes(page, "/amount") == [
        (False, "#step-2", "Order record says 148"),
        (False, "#step-2", "From get_order"),
    ]


def test_evidence_of_another_tool_or_of_a_path_that_finds_nothing_is_none(cast: Cast) -> None:
    declare(cast, {**source("/amount", "$.paid_total"), "tool": "other"}, source("/amount", "$.nothing"))
    assert [words for _, _, words in notes(page_of(cast), "/amount")] == ["Nowhere in the context"]


def test_a_secret_stays_covered_where_it_is_evidence(cast: Cast) -> None:
    declare(cast, source("/amount", "$.card_number", "Card"))
    page = page_of(cast)
    assert notes(page, "/amount")[0][2] == f"Card says {COVER} 1111"
    assert "41111111" not in page


def test_each_value_says_where_it_comes_from(cast: Cast) -> None:
    page = page_of(cast)
    assert notes(page, "/order") == [(False, "#step-1", "The user’s own words")]
    # Nobody named the amount: loud. A word that somebody wrote to somebody may come from nowhere.
    assert notes(page, "/amount") == [(True, "", "Nowhere in the context")]
    assert notes(page, "/message") == [(False, "", "Nowhere in the context")]


def test_prose_names_the_amounts_and_addresses_that_nobody_named(cast: Cast) -> None:
    message = (
        "We have refunded €184.00 for SO-48213; write to help@evil.example in case of questions, please."
    )
    page = page_of(cast, arguments={**REFUND, "amount": 148, "message": message})
    assert notes(page, "/message") == [(True, "", "Nowhere in the context: €184.00, help@evil.example")]


def test_a_look_alike_of_what_the_user_wrote_is_told_apart(cast: Cast) -> None:
    page = page_of(cast, arguments={**REFUND, "order": "S\u041e-48213"})
    said = [words for _, _, words in notes(page, "/order")]
    assert said == [
        "Looks like something in the context, but is written with other letters",
        "“S\u041e-48213” mixes Cyrillic and Latin letters",
    ]


def test_without_a_context_nothing_is_said_of_origins(cast: Cast) -> None:
    assert notes(page_of(cast, context={}), "/amount") == []


@pytest.mark.parametrize("shape", ["steps", "parts"])
def test_other_forms_of_a_context_tell_their_tools_too(cast: Cast, shape: str) -> None:
    declare(cast, source("/amount", "$.paid_total"))
    context: dict[str, Any] = {"steps": [{"tool": "get_order", "output": {"paid_total": 12}}]}
    if shape == "parts":
        context = {
            "messages": [
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "t", "name": "get_order", "input": {}}],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "t", "content": '{"paid_total": 12}'}],
                },
            ]
        }
    assert notes(page_of(cast, context=context), "/amount")[0][2] == "Order record says 12"


# --- the timeline -----------------------------------------------------------------------------------


def long_story(size: int = 10_000) -> dict[str, Any]:
    said = [{"role": "assistant", "content": f"thought {number}"} for number in range(9)]
    return {
        "messages": [
            {"role": "user", "content": "Hello"},
            *said,
            {"role": "tool", "name": "dump", "content": "x" * size + "THE END"},
        ]
    }


def test_a_large_output_comes_when_it_is_opened(cast: Cast) -> None:
    item, client = held(cast, context=long_story()), browser_of(cast.alice)
    page = text_of(client.get(url("review", item)))
    assert "THE END" not in page
    assert "Show all 10,007 characters" in page
    assert 'All <span class="num">12</span> steps' in page
    assert "thought 3" not in page

    step = text_of(client.get(url("review", item), {"part": "step", "step": "11"}, headers=HTMX))
    assert "THE END" in step
    assert step.strip().startswith("<li")
    assert client.get(url("review", item), {"part": "step", "step": "99"}, headers=HTMX).status_code == 404
    steps = text_of(client.get(url("review", item), {"part": "steps"}, headers=HTMX))
    assert steps.count("<li") == 12
    assert "THE END" not in steps


def test_without_a_script_every_step_and_all_of_it_is_a_link_away(cast: Cast) -> None:
    page = text_of(
        browser_of(cast.alice).get(url("review", held(cast, context=long_story())), {"steps": "all"})
    )
    assert "THE END" in page
    assert "thought 3" in page


def test_what_is_covered_is_shown_to_who_asks_and_that_is_on_record(cast: Cast) -> None:
    item, client = held(cast, context=CONTEXT), browser_of(cast.alice)
    fields = open_form(client, item)
    assert "4111111111111111" not in text_of(client.get(url("review", item)))

    shown = text_of(client.post(url("reveal", item), fields, headers=HTMX))
    assert "4111111111111111" in shown
    entry = LedgerEntry.objects.get(verb="context.revealed")
    assert (entry.actor_name, entry.object_id) == ("Alice", item.public_id)

    # Only for who decides, and only this once.
    assert browser_of(cast.dan).post(url("reveal", item)).status_code == 403
    assert "4111111111111111" not in text_of(client.get(url("review", item)))
    assert LedgerEntry.objects.filter(verb="context.revealed").count() == 1

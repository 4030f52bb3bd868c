"""The rows as HTML: agent text stays text, every control has a name, nothing is inline."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest
from django.template.loader import render_to_string

from reviews.schema_form import FieldError, build

HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(1)>\u202e'
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "title": "Order", "description": "As on the receipt."},
        "amount": {"type": "number"},
        "paid_on": {"type": "string", "format": "date"},
        "sent_at": {"type": "string", "format": "date-time"},
        "mail": {"type": "string", "format": "email"},
        "reason": {"enum": ["damaged", "late"]},
        "cabin": {"enum": list("abcdef")},
        "tags": {"type": "array", "items": {"type": "string"}},
        "ways": {"type": "array", "items": {"enum": ["air", "sea"]}},
        "gift": {"type": "boolean"},
        "kind": {"const": "refund"},
        "message": {"type": "string"},
        "flights": {
            "type": "array",
            "items": {"type": "object", "properties": {"number": {"type": "string"}}},
        },
    },
    "required": ["order_id"],
}
VALUE: dict[str, Any] = {
    "order_id": HOSTILE,
    "amount": 184.0,
    "paid_on": "2026-07-01",
    "sent_at": "2026-07-01T09:30:00+02:00",
    "mail": "ana@example.org",
    "reason": "late",
    "cabin": "b",
    "tags": ["a", HOSTILE],
    "ways": ["sea"],
    "gift": False,
    "kind": "refund",
    "message": "\n\nHi </textarea><script>alert(2)</script>",
    "flights": [{"number": HOSTILE, HOSTILE: 1}],
    HOSTILE: {"x": HOSTILE},
}


class _Page(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.fixture
def html() -> str:
    errors = [FieldError("/amount", "Must be at least 3."), FieldError("/nowhere", HOSTILE)]
    edited = {**VALUE, "amount": 148, "flights": [*VALUE["flights"], {}]}
    form = build(SCHEMA, VALUE, edited, errors=errors)
    context = {"form": form, "operation_url": "/review/itm_1/form/"}
    names = ("_default_button", "_errors", "_rows")
    return "".join(render_to_string(f"reviews/schema_form/{name}.html", context) for name in names)


def test_agent_text_never_becomes_markup(html: str) -> None:
    page = _Page(html)

    assert not {"script", "img", "style"} & {tag for tag, _ in page.tags}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on") or name == "style"]


def test_every_control_has_one_name_that_a_person_can_read(html: str) -> None:
    page = _Page(html)
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    labelled = {attrs["for"] for tag, attrs in page.tags if tag == "label" and "for" in attrs}
    alone = [
        attrs["id"]
        for tag, attrs in page.tags
        if tag in {"select", "textarea"}
        or (tag == "input" and attrs["type"] not in {"hidden", "radio", "checkbox"})
    ]

    assert len(ids) == len(set(ids))
    assert set(alone) <= labelled <= set(ids)


def test_an_error_is_tied_to_its_control(html: str) -> None:
    page = _Page(html)
    wrong = [attrs for _, attrs in page.tags if attrs.get("aria-invalid") == "true"]
    ids = {attrs.get("id") for _, attrs in page.tags}

    assert [attrs["inputmode"] for attrs in wrong] == ["decimal"]
    described = wrong[0]["aria-describedby"]
    assert described is not None
    assert set(described.split()) <= ids


def test_changed_rows_are_marked_and_the_first_button_changes_nothing(html: str) -> None:
    page = _Page(html)
    changed = [attrs["data-pointer"] for _, attrs in page.tags if "chg" in (attrs.get("class") or "").split()]
    first = next(attrs for tag, attrs in page.tags if tag == "button")

    assert changed == ["/amount", "/flights", "/flights/1"]
    assert first["value"] == "redraw"


def test_a_text_area_begins_with_the_line_feed_that_browsers_drop(html: str) -> None:
    areas = re.findall(r"<textarea[^>]*>(.*?)</textarea>", html, flags=re.DOTALL)

    assert areas
    assert all(area.startswith("\n") for area in areas)
    assert "\n\n\nHi &lt;/textarea&gt;" in html


def test_markdown_is_drawn_where_the_schema_says_so_and_stands_there_as_it_is_written() -> None:
    letter = {"type": "string", "contentMediaType": "text/markdown; charset=utf-8"}
    schema = {"type": "object", "properties": {"letter": letter, "plain": {"type": "string"}}}
    value: Any = {"letter": "# Hi\n\n*Ana*, [see](https://a.example/)\n", "plain": "# Hi *Ana*"}
    html = render_to_string("reviews/schema_form/_rows.html", {"form": build(schema, value, value)})
    assert "<p><strong>Hi</strong></p>\n<p><em>Ana</em>, <a href=" in html
    assert '<span class="old"># Hi *Ana*</span>' in html
    assert "# Hi\n\n*Ana*, [see](https://a.example/)\n</span>" in html
    assert html.count('class="md"') == 1

"""What a real browser posts for a form that nobody touched: the standard as Chromium reads it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Route, sync_playwright

from reviews.schema_form import build, parse
from reviews.schema_form.document import identical

from .test_schema_form_templates import SCHEMA, VALUE

CHROMIUM = Path("/usr/bin/chromium")
LINE_ENDS: dict[str, Any] = {**VALUE, "message": "\n\r\nHi\ra\u2028b </textarea> \x85 \x0b end\n"}
OPTIONAL: dict[str, Any] = {
    "type": "object",
    "properties": {
        "a": {"type": "string"},
        "b": {"type": ["string", "null"]},
        "c": {"type": "boolean"},
        "d": {"enum": ["x", "y"]},
        "e": {"type": "array", "items": {"enum": ["p", "q"]}},
        "f": {"type": "string", "format": "date"},
    },
}
CASES: list[tuple[Any, Any, Any]] = [
    (SCHEMA, LINE_ENDS, LINE_ENDS),
    (SCHEMA, LINE_ENDS, {**LINE_ENDS, "amount": 1e22, "message": "\r\nx"}),
    (None, LINE_ENDS, LINE_ENDS),
    (OPTIONAL, {"b": None}, {"b": None}),
    (OPTIONAL, {"a": " lead\ttab \x0c\x01"}, {"a": " lead\ttab \x0c\x01"}),
]


def _post(pages: Sequence[str]) -> list[dict[str, list[str]]]:
    bodies: list[str] = []
    waiting = list(pages)

    def answer(route: Route) -> None:
        if route.request.method == "POST":
            bodies.append(route.request.post_data or "")
            route.fulfill(body="kept")
        else:
            form = f"<form method=post novalidate>{waiting.pop(0)}<button id=send>Send</button></form>"
            route.fulfill(content_type="text/html; charset=utf-8", body=f"<!doctype html>{form}")

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page()
        page.route("http://form.test/", answer)
        for _ in pages:
            page.goto("http://form.test/")
            page.click("#send")
            page.wait_for_load_state()
        browser.close()
    return [parse_qs(body, keep_blank_values=True) for body in bodies]


@pytest.mark.browser
@pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium on this machine")
def test_chromium_gives_back_an_untouched_form_exactly() -> None:
    pages = [render_to_string("reviews/schema_form/_rows.html", {"form": build(*case)}) for case in CASES]

    posted = _post(pages)

    assert len(posted) == len(CASES)
    for (schema, proposed, edited), fields in zip(CASES, posted, strict=True):
        parsed = parse(schema, proposed, fields)
        assert parsed.errors == ()
        assert identical(parsed.value, edited)

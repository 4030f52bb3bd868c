"""The API's own page: complete, without scripts, and accessible in a real browser under the site's policy."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import sync_playwright

from tests.chromium import find_chromium

PAGE = "/api/v1/docs"


def test_it_names_every_address_and_every_answer(db: None) -> None:
    page = Client().get(PAGE)
    assert page.status_code == 200
    html = page.content.decode()
    document = json.loads(Client().get("/api/v1/openapi.json").content)
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert f"{method.upper()} {path}" in html
            assert f'id="{operation["operationId"]}"' in html
    for name in document["components"]["schemas"]:
        assert name in html
    assert "<script" not in html
    assert " style=" not in html
    assert page["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.browser
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_is_readable_in_a_browser(live_server: Any, width: int, scheme: Any, monkeypatch: Any) -> None:
    # Playwright's own loop runs in this thread; what touches the database runs in the server's.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page.on("console", lambda message: said.append(message.text))
        page.on("requestfailed", lambda request: said.append(request.url))
        page.goto(live_server.url + PAGE)
        for summary in page.locator("summary").all():
            summary.click()
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        violations = Axe().run(page).response["violations"]
        folder = os.environ.get("HANDRAIL_SHOTS")
        if folder:
            page.screenshot(path=f"{folder}/api-docs-{scheme}-{width}.png")
        browser.close()
    assert said == []
    assert not wide
    assert [violation["id"] for violation in violations] == []

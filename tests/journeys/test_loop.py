"""The whole loop in one sitting: an agent proposes, a person decides in the browser, the agent runs.

Everything is real: the stack of processes, the client, Chromium. It follows a reviewer through an hour's work
in a minute: sign in, inbox, open, edit a field, correct, next item, undo, correct again, approve, export,
download.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from handrail import Client
from tests.chromium import LAUNCH_ARGUMENTS, find_chromium
from tests.plugins.product import Product

pytestmark = [pytest.mark.browser, pytest.mark.stack, pytest.mark.timeout(180)]

SCHEMA = {
    "type": "object",
    "properties": {
        "order": {"type": "string", "title": "Order"},
        "amount": {"type": "number", "title": "Amount"},
        "message": {"type": "string", "title": "Message"},
    },
    "required": ["order", "amount", "message"],
}
WRONG = {"order": "SO-1", "amount": 184, "message": "You get 184 back."}
RIGHT = {"order": "SO-2", "amount": 20, "message": "You get 20 back."}


@pytest.fixture
def page(product: Product) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=LAUNCH_ARGUMENTS)
        page = browser.new_context(base_url=product.url, viewport={"width": 1440, "height": 900}).new_page()
        page.on("pageerror", lambda error: pytest.fail(f"the page stumbled: {error}"))
        yield page
        browser.close()


def _run_in_background(client: Client, arguments: dict[str, Any]) -> Future[dict[str, Any]]:
    """Ask leave and run, in a thread of its own; the result is what the guarded function was called with."""
    future: Future[dict[str, Any]] = Future()

    def run() -> None:
        try:
            future.set_result(
                client.run("parcel.refund", arguments, lambda **decided: decided, wait_timeout=150)
            )
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _reload_until(page: Page, what: str, count: int) -> None:
    """Look again and again until the page shows so many of these."""
    for _ in range(60):
        if page.locator(what).count() == count:
            break
        page.wait_for_timeout(500)
        page.reload()
    expect(page.locator(what)).to_have_count(count)


def test_from_proposal_to_download(product: Product, page: Page, tmp_path: Path) -> None:
    # Long enough for a busy machine to show the next page and press the key that takes it back.
    product.declare("parcel.refund", runs_alone=False, schema=SCHEMA, undo_seconds=15)
    password = product.create_person("robin", groups=["reviewer", "ml_engineer"])
    client = Client(product.url, product.create_agent("parcel-bot"), agent="parcel-bot")
    first = _run_in_background(client, WRONG)

    # The stack is shared: other tests' items wait in it too.
    page.goto("/inbox/?type=parcel.refund")
    page.fill("input[name=username]", "robin")
    page.fill("input[name=password]", password)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="My turn")).to_be_visible()
    _reload_until(page, "tr.row", 1)
    second = _run_in_background(client, RIGHT)  # the later of the two: they are worked off in this order
    _reload_until(page, "tr.row", 2)
    page.wait_for_load_state()  # what listens for keys is there by then

    page.keyboard.press("Enter")
    expect(page.locator("#note")).to_be_visible()
    page.wait_for_load_state()  # what answers to typing is there by then
    first_address = page.url
    amount = page.locator("input.num")
    amount.fill("148")
    expect(page.locator(".diff .in")).to_contain_text("148")
    page.keyboard.press("Escape")
    page.wait_for_timeout(500)
    page.keyboard.press("2")
    page.keyboard.press("c")

    expect(page.locator("input.num")).to_have_value("20")
    assert page.url != first_address
    page.wait_for_timeout(500)
    page.keyboard.press("u")

    expect(page.locator("input.num")).to_have_value("148")
    assert not first.done()
    page.wait_for_timeout(500)
    page.locator("button[name=kind][value=correct]").click()
    expect(page.locator("input.num")).to_have_value("20")
    page.wait_for_timeout(500)
    page.keyboard.press("a")
    page.wait_for_url("**/review/done/**")

    assert first.result(timeout=60) == {**WRONG, "amount": 148}
    assert second.result(timeout=60) == RIGHT

    # A case is made a moment after the undo window; both have to be there before they are frozen.
    page.goto("/cases/")
    _reload_until(page, "tr:has-text('parcel-bot')", 2)

    page.goto("/datasets/new/")
    page.fill("input[name=name]", "Parcels")
    page.get_by_role("button", name="Create dataset").click()
    expect(page.get_by_role("heading", name="Parcels")).to_be_visible()
    page.get_by_role("button", name="Freeze version").click()
    page.get_by_role("button", name="Export as JSON Lines").first.click()
    link = page.locator("a[href$='/download/']").first
    expect(link).to_be_visible(timeout=30_000)
    with page.expect_download() as downloading:
        link.click()
    file = tmp_path / "cases.jsonl"
    downloading.value.save_as(file)
    with page.expect_download() as downloading:
        page.locator("a[href$='/manifest/']").first.click()
    downloading.value.save_as(tmp_path / "manifest.json")

    manifest = json.loads((tmp_path / "manifest.json").read_text("utf-8"))
    assert manifest["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    cases = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    ours = {
        case["proposal"]["arguments"]["order"]: case
        for case in cases
        if case["agent"]["name"] == "parcel-bot"
    }
    assert ours["SO-1"]["label"] == "corrected"
    assert ours["SO-1"]["proposal"]["arguments"] == WRONG
    assert ours["SO-1"]["truth"]["arguments"] == {**WRONG, "amount": 148}
    assert ours["SO-1"]["changed_fields"] == ["/amount"]
    assert ours["SO-2"]["label"] == "approved"
    assert len(ours) == 2

"""A person whose browser asks for German: every word on the way through the inbox and one review."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from hitl_site.groups import make_groups
from reviews.models import Decision
from reviews.tests.browsing import url
from reviews.tests.cast import REFUND, Cast, held, make_cast
from tests.windows import DESK, PHONE, Window, chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# What the page says of a deadline hours away, by the server and by its script.
HOURS = re.compile(r"^\d+ Std\.( \d\d Min\.)?$")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    make_groups()
    return make_cast()


def fits(page: Page) -> None:
    """Assert that the page is in German, breaks no rule of accessibility, and is no wider than its screen."""
    expect(page.locator("html")).to_have_attribute("lang", "de")
    for size in (DESK, PHONE):
        page.set_viewport_size(size)
        found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
        assert [(each["id"], each["nodes"]) for each in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    page.set_viewport_size(DESK)


def test_a_day_in_german_from_the_door_to_an_approval_by_key(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    first, second = (held(cast, arguments={**REFUND, "order": order}) for order in ("A-1", "A-2"))
    cast.alice.set_password("a long enough phrase")
    cast.alice.save(update_fields=["password"])
    window = Window(browser, live_server.url, cast.alice, locale="de-DE")
    window.context.clear_cookies()

    page = window.open()
    expect(page.locator("h1")).to_have_text("Bei Handrail anmelden")
    fits(page)
    page.get_by_label("Benutzername").fill(cast.alice.username)
    page.get_by_label("Passwort").fill("a long enough phrase")
    page.get_by_role("button", name="Anmelden").click()

    expect(page.locator("h1")).to_have_text("Ich bin dran")
    expect(page.locator("#inbox-stats")).to_contain_text("2 warten")
    expect(page.get_by_role("navigation", name="Warteschlangen").first).to_be_visible()
    expect(page.locator(f"#row-{first.public_id} [data-due]")).to_have_text(HOURS)
    fits(page)

    page.wait_for_load_state()  # keys are heard from here on
    page.keyboard.press("?")
    expect(page.locator("#keys-sheet")).to_contain_text("In der Liste auf und ab")
    expect(page.locator("#keys-sheet")).to_contain_text("Leertaste")
    expect(page.locator("#keys-sheet")).to_contain_text("Diese Liste")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_have_attribute("placeholder", "Ein paar Buchstaben tippen")
    page.get_by_role("combobox").fill("zzz")
    expect(page.locator("[data-said]")).to_have_text("Nichts heißt so.")
    page.keyboard.press("Escape")

    page.goto(live_server.url + url("review", first))
    expect(page.locator('[data-verdict="approve"]')).to_contain_text("Freigeben")
    expect(page.locator('[data-verdict="correct"]')).to_have_attribute("title", "Ändern Sie zuerst ein Feld.")
    fits(page)
    field = page.locator("textarea[data-original], input[type=text][data-original]").first
    said = field.input_value()
    field.fill(said + " 1")
    expect(page.locator("[data-changed-count]").first).to_have_text("1 Feld geändert")
    field.fill(said)
    field.blur()
    window.settle()
    window.ready()
    page.keyboard.press("a")
    expect(page.locator("h1")).to_contain_text("for A-2")
    expect(page.get_by_role("button", name="Rückgängig")).to_be_visible()
    assert list(second.decisions.all()) == []
    assert Decision.objects.get().kind == "approve"
    window.context.close()
    assert window.problems == []

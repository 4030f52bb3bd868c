"""The inbox and the review page where sight, screen or system ask for something else than usual."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from hitl_site.groups import make_groups
from reviews.models import ReviewItem
from reviews.tests.browsing import url
from reviews.tests.cast import REFUND, Cast, decide_as, held, make_cast
from tests.windows import DESK, Window, chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

SMALLEST: Any = {"width": 320, "height": 640}
# What has the focus: whether it is in view, whether something lies over it, and what marks it.
FOCUS = """() => {
    const held = document.activeElement;
    if (!held || held === document.body) return null;
    const box = held.getBoundingClientRect();
    const within = (low, high, most) => [0.1, 0.5, 0.9].map(
        (part) => Math.max(low, 0) + part * (Math.min(high, most) - Math.max(low, 0)));
    const own = held.closest("label") ?? held;
    const seen = within(box.left, box.right, innerWidth).some((x) =>
        within(box.top, box.bottom, innerHeight).some((y) => own.contains(document.elementFromPoint(x, y))));
    const style = getComputedStyle(held);
    const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0;
    const what = held.outerHTML.slice(0, 90);
    return {what, seen, marked: outlined || style.boxShadow !== "none"};
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    make_groups()
    return make_cast()


def offer(cast: Cast, order: str) -> ReviewItem:
    message = "Dear Ana, we are sorry that the lamp came broken. " * 6
    return held(cast, arguments={**REFUND, "order": order, "message": message}, subject="customer:4711")


def sideways(page: Page) -> int:
    """Return how far the page itself, not a part of it, can be scrolled sideways."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def lost_focus(page: Page) -> list[dict[str, Any]]:
    """Walk through the page by Tab; return where the focus was not to be seen."""
    page.evaluate("document.activeElement?.blur()")
    lost, met = [], set()
    for _ in range(40):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUS)
        if found is None or found["what"] in met:
            continue
        met.add(found["what"])
        if not found["seen"] or not found["marked"]:
            lost.append(found)
    assert len(met) > 8
    return lost


@pytest.mark.parametrize("place", ["inbox", "review"])
def test_it_works_small_large_in_forced_colours_and_without_motion(
    browser: Browser, live_server: LiveServer, cast: Cast, place: str
) -> None:
    decide_as(cast.alice, offer(cast, "SO-1"))
    items = [offer(cast, f"SO-{number}") for number in range(2, 5)]
    window = Window(browser, live_server.url, cast.alice, viewport=SMALLEST, reduced_motion="reduce")
    page = window.open("/inbox/" if place == "inbox" else url("review", items[0]))
    expect(page.locator("h1")).to_be_visible()

    # 320 px wide (WCAG 1.4.10): nothing needs scrolling two ways, and the focus is never covered (2.4.11).
    assert sideways(page) == 0
    assert lost_focus(page) == []

    # Text twice as large (1.4.4), by the browser's setting.
    page.set_viewport_size(DESK)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert sideways(page) == 0
    typed = page.locator("input.input:visible")
    assert all(box["width"] >= 160 for each in typed.all() if (box := each.bounding_box()))
    cut = page.locator(".btn:visible, .act:visible, .chip:visible").evaluate_all(
        "all => all.filter((each) => getComputedStyle(each).overflowX !== 'visible'"
        " && each.scrollWidth > each.clientWidth + 1).map((each) => each.outerHTML.slice(0, 90))"
    )
    assert cut == []
    page.evaluate("document.documentElement.style.fontSize = ''")

    # Nothing moves.
    moving = page.evaluate(
        "document.getAnimations().filter((each) => each.playState === 'running')"
        ".map((each) => each.effect.target.outerHTML.slice(0, 120))"
    )
    assert moving == []

    # Colours of the system: the focus still shows, and so does what is only a picture.
    page.emulate_media(forced_colors="active", reduced_motion="reduce")
    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    assert lost_focus(page) == []
    window.context.close()
    assert window.problems == []

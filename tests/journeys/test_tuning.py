"""A policy is tuned by what its draft would have done: slider, numbers, two people, the next action."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from hitl_site.groups import make_groups
from hitl_site.lib.clock import database_now
from policies.services import policies
from reviews.choices import DecisionKind
from reviews.tests.api_client import Api, read
from reviews.tests.cast import Cast, make_cast, make_person, propose
from reviews.tests.test_past_actions import follow, released
from tests.windows import Window, chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    make_groups()
    return make_cast()


def test_a_slider_shows_what_it_would_change_and_what_is_published_judges_the_next_action(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    omar = make_person("Omar", "ops_admin")
    # Labels enough for a number: every ninth of those held at 80% was wrong.
    for number in range(36):
        kind = DecisionKind.REJECT if number % 9 == 0 else DecisionKind.APPROVE
        released(cast, kind, confidence=0.8, arguments={"order": f"H{number}", "amount": 1})
    for number in range(12):
        propose(cast, confidence=0.95, arguments={"order": f"A{number}", "amount": 1})
    follow()
    api = Api(cast.token)
    before = read(api.propose(key="before", confidence=0.8))
    assert (before["verdict"], before["policy"]["version"]) == ("review", 1)

    olga = Window(browser, live_server.url, cast.olga)
    page = olga.open("/policies/refund.issue/edit/")
    figures = page.locator("#whatif .kpi")
    expect(figures.filter(has_text="Held for review").locator(".kv")).to_have_text("75%")

    slider = page.locator("#slide-threshold")
    slider.focus()
    for _ in range(15):
        slider.press("ArrowLeft")
    expect(page.locator("#id_threshold")).to_have_value("75")
    held = figures.filter(has_text="Held for review")
    expect(held.locator(".kv")).to_have_text("0%")
    expect(held).to_contain_text("now 75%")
    expect(held).to_contain_text("−75 points")
    hours = figures.filter(has_text="Reviewer time a week")
    expect(hours).to_contain_text("now")
    expect(hours.locator(".kv")).to_have_text(re.compile(r"\d"))
    # One in nine of all 48.
    wrong = figures.filter(has_text="Wrong actions released")
    expect(wrong.locator(".kv")).to_have_text("5")
    expect(wrong).to_contain_text("likely 1 to 13")
    expect(page.locator("#whatif")).to_contain_text("Would be released by this draft")

    # A looser policy takes two people: asked for by one, it changes nothing.
    page.get_by_label("Reason").fill("What is held at 80% is mostly right")
    page.get_by_role("button", name="Save draft and compare").first.click()
    page.get_by_label("Reason").fill("What is held at 80% is mostly right")
    page.get_by_role("button", name="Ask to publish version 2").click()
    expect(page.locator("h1")).to_have_text("Publish version 2")
    waiting = page.url.removeprefix(live_server.url)
    assert read(api.propose(key="asked", confidence=0.8))["verdict"] == "review"

    second = Window(browser, live_server.url, omar)
    second.open(waiting).get_by_role("button", name="Approve version 2").click()
    expect(second.page.locator("body")).to_contain_text("Published")
    after = read(api.propose(key="after", confidence=0.8))
    assert (after["verdict"], after["policy"]["version"]) == ("allow", 2)
    for window in (olga, second):
        window.context.close()
        assert window.problems == []


def test_a_number_box_moves_its_slider_and_the_chart_says_its_values_on_screen_and_on_paper(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    rule = {"code": "large", "title": "Large", "when": "args.amount > 100", "then": "review"}
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.9, "audit_rate": 0.01, "rules": [rule]},
        author=cast.olga,
        reason="An amount to move",
        now=database_now(),
    )
    for number in range(10):
        propose(cast, confidence=0.95, arguments={"order": f"A{number}", "amount": 10 * number})
    follow()

    window = Window(browser, live_server.url, cast.olga)
    page = window.open("/policies/refund.issue/edit/")
    held = page.locator("#whatif .kpi").filter(has_text="Held for review").locator(".kv")
    expect(held).to_have_text("0%")
    page.get_by_label("Hold when amount is over, as a number").fill("50")
    expect(page.locator('input[type="range"][data-slides="id_rule-0-when"]')).to_have_value("50")
    expect(page.locator("#id_rule-0-when")).to_have_value("args.amount > 50")
    # Of ten to ninety, four are over fifty.
    expect(held).to_have_text("40%")

    chart = page.locator("#whatif [data-plot]")
    read, caption = chart.locator("[data-plot-read]"), chart.locator("[data-plot-caption]")
    expect(read).to_be_hidden()
    chart.locator(".plot-wide .hit").nth(20).hover()
    expect(read).to_contain_text("Threshold 60%: Held for review (left) 40%")
    expect(caption).to_be_hidden()
    page.mouse.move(2, 2)
    expect(read).to_be_hidden()
    expect(caption).to_be_visible()

    page.emulate_media(media="print")
    expect(chart.locator(".plot-wide svg")).to_be_visible()
    expect(chart.locator(".twin")).to_be_hidden()
    expect(page.locator(".side")).to_be_hidden()
    # What a certificate rests on stands open on paper.
    expect(page.get_by_text("It bounds an average, not the worst kind of action")).to_be_visible()
    assert page.pdf().startswith(b"%PDF")
    window.context.close()
    assert window.problems == []

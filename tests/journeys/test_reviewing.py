"""A reviewer's days at the review page: on a phone, with a lost claim, out of time, in two tabs, offline."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from playwright.sync_api import Browser, Page, Route, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from hitl_site.groups import make_groups
from hitl_site.lib.clock import database_now
from policies.choices import Risk
from policies.services import action_types
from policies.services.ledger import Actor
from reviews.models import ReviewItem
from reviews.services import claims
from reviews.tests.browsing import url
from reviews.tests.cast import REFUND, Cast, held, make_cast
from tests.windows import PHONE, Window, chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

CONTEXT: dict[str, Any] = {
    "messages": [
        {"role": "user", "content": "The lamp of SO-48213 came broken."},
        {"role": "assistant", "content": "I look it up."},
        {"role": "assistant", "content": "Found."},
        {"role": "tool", "name": "get_order", "content": '{"paid_total": "148.00", "password": "hunter22"}'},
        {"role": "assistant", "content": "So be it."},
    ]
}
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    make_groups()
    cast = make_cast()
    source = {"pointer": "/amount", "tool": "get_order", "path": "$.paid_total", "label": "Order record"}
    declare(cast, evidence_sources=[source])
    return cast


def declare(cast: Cast, **changes: Any) -> None:
    action_types.change(action_type=cast.refund, actor=Actor.person(cast.olga), now=database_now(), **changes)


def offer(cast: Cast, order: str = "SO-48213", **body: Any) -> ReviewItem:
    return held(cast, arguments={**REFUND, "order": order}, context=CONTEXT, **body)


def amount_of(page: Page) -> Any:
    return page.get_by_label("Amount, your version")


def test_correct_on_a_phone(browser: Browser, live_server: LiveServer, cast: Cast) -> None:
    declare(cast, risk=Risk.HIGH)
    item = offer(cast)
    window = Window(browser, live_server.url, cast.alice, viewport=PHONE, has_touch=True)
    page = window.open(url("review", item))

    # Only what is doubtful: the amount, which the order record contradicts. The rest folds away.
    expect(page.locator('[data-pointer="/amount"]')).to_be_visible()
    expect(page.locator('[data-pointer="/order"]')).to_be_hidden()
    expect(page.locator('[data-pointer="/amount"] .ev').first).to_have_text("Order record says 148.00")
    page.get_by_role("button", name="Show 2 unchanged fields").tap()
    expect(page.locator('[data-pointer="/order"]')).to_be_visible()

    targets = [box for act in page.locator(".act").all() if (box := act.bounding_box())]
    assert len(targets) == 4
    assert all(box["height"] >= 56 and box["width"] >= 48 for box in targets)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]

    # High risk: nothing runs before the end was in view, and two seconds are over.
    correct = page.locator('[data-verdict="correct"]')
    amount_of(page).fill("148")
    expect(page.locator("#diff")).to_contain_text("amount: 148")
    page.locator("[data-end]").scroll_into_view_if_needed()
    expect(correct).to_be_enabled()
    expect(page.locator('[data-verdict="approve"]')).to_be_disabled()
    page.locator(".rc", has_text="Right action, wrong details").tap()
    correct.tap()
    expect(page.locator("h1")).to_have_text("Nothing is waiting for you")
    expect(page.locator("#undo")).to_contain_text("Corrected")
    decision = item.decisions.get()
    assert (decision.kind, decision.arguments_seen) == ("correct", True)
    assert decision.patch == [{"op": "replace", "path": "/amount", "value": 148}]
    window.context.close()
    assert window.problems == []


def test_what_is_critical_is_not_let_run_from_a_small_screen(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    declare(cast, risk=Risk.CRITICAL)
    window = Window(browser, live_server.url, cast.alice, viewport=PHONE)
    page = window.open(url("review", offer(cast)))
    expect(page.locator(".crit")).to_have_text("Critical: open it on a larger screen to let it run.")
    expect(page.locator(".act:visible")).to_have_count(2)
    window.context.close()


def test_a_lost_claim_keeps_what_was_typed(browser: Browser, live_server: LiveServer, cast: Cast) -> None:
    first, second = offer(cast, "A"), offer(cast, "B")
    window = Window(browser, live_server.url, cast.alice)

    # Somebody takes the item over: the next heartbeat says so, and what is typed stays to be read and copied.
    window.page.clock.install()
    page = window.open(url("review", first))
    amount_of(page).fill("150")
    expect(page.locator("[data-draft-state]")).to_have_text("Draft saved")
    claims.claim(item_id=first.public_id, reviewer=cast.bob, now=database_now(), take_over=True)
    page.reload()
    expect(page.locator(".conflict")).to_contain_text("Bob is on this one")
    expect(amount_of(page)).to_have_value("150")

    page = window.open(url("review", second))
    amount_of(page).fill("151")
    expect(page.locator("[data-draft-state]")).to_have_text("Draft saved")
    claims.claim(item_id=second.public_id, reviewer=cast.bob, now=database_now(), take_over=True)
    window.pass_time(120)
    page.keyboard.press("Tab")
    window.pass_time(61)
    banner = page.locator("[data-lease-lost]")
    expect(banner).to_contain_text("Bob")
    expect(amount_of(page)).to_have_value("151")
    expect(page.locator('[data-verdict="reject"]')).to_be_disabled()
    banner.get_by_role("button", name="Take over").click()
    expect(amount_of(page)).to_have_value("151")
    expect(page.locator('[data-verdict="correct"]')).to_be_enabled()
    window.context.close()
    assert window.problems == []


def test_time_runs_out_over_a_form_that_is_being_filled_in(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    item = offer(cast)
    window = Window(browser, live_server.url, cast.alice)
    page = window.open(url("review", item))
    amount_of(page).fill("151")
    expect(page.locator("[data-draft-state]")).to_have_text("Draft saved")
    page.locator(".rc", has_text="Right action, wrong details").click()
    ReviewItem.objects.filter(pk=item.pk).update(due_at=database_now() - timedelta(minutes=1))
    window.ready()
    page.locator('[data-verdict="correct"]').click()
    expect(page.locator(".conflict h2")).to_contain_text("Time ran out at")
    expect(page.locator("#kept-text")).to_have_value(re.compile('"amount": 151'))
    assert not item.decisions.exists()
    window.settle()
    window.context.close()
    assert window.problems == []


def test_in_two_tabs_the_first_answer_counts_and_the_second_is_kept_to_compare(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    item = offer(cast)
    window = Window(browser, live_server.url, cast.alice)
    late, early = window.open(url("review", item)), window.new_tab()
    amount_of(late).fill("152")
    expect(late.locator("[data-draft-state]")).to_have_text("Draft saved")
    late.locator(".rc", has_text="Right action, wrong details").click()

    early.goto(window.site + url("review", item))
    # The draft is of the person, not of the tab.
    expect(amount_of(early)).to_have_value("152")
    window.ready(early)
    early.locator("[data-reset-all]").click()
    expect(early.locator('[data-verdict="approve"]')).to_be_enabled()
    expect(early.locator("#diff")).not_to_contain_text("152")
    early.locator('[data-verdict="approve"]').click()
    expect(early.locator("h1")).to_have_text("Nothing is waiting for you")

    late.bring_to_front()
    window.ready(late)
    late.locator('[data-verdict="correct"]').click()
    expect(late.locator(".conflict h2")).to_contain_text("You approved this at")
    expect(late.locator(".conflict")).to_contain_text("Your answer was not taken.")
    late.get_by_text("Compare with yours").click()
    expect(late.locator(".compare pre")).to_contain_text("amount: 152")
    assert [(each.kind, each.patch) for each in item.decisions.all()] == [("approve", [])]
    window.settle(late)
    window.context.close()
    assert window.problems == []


def test_a_verdict_that_gets_no_answer_is_sent_again_and_decides_once(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    item = offer(cast)
    window = Window(browser, live_server.url, cast.alice)
    window.page.clock.install()
    page = window.open(url("review", item))
    lost: list[str] = []

    def lose_the_answer(route: Route) -> None:
        if not lost:
            lost.append(route.request.url)
            route.fetch()  # it arrives, and is decided; only the answer gets lost
            route.abort()
        else:
            route.continue_()

    page.route("**/decide/**", lose_the_answer)
    window.pass_time(1)
    page.locator('[data-verdict="approve"]').click()
    unsent = page.locator("[data-unsent]")
    expect(unsent).to_contain_text("Not sent. Retrying in 5 s. Your decision is kept in this tab.")
    window.pass_time(6)
    expect(page.locator("h1")).to_have_text("Nothing is waiting for you")
    assert item.decisions.count() == 1
    window.context.close()


def test_a_session_that_is_over_says_so_on_top_of_the_page(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    item = offer(cast)
    window = Window(browser, live_server.url, cast.alice)
    page = window.open(url("review", item))
    amount_of(page).fill("153")
    expect(page.locator("[data-draft-state]")).to_have_text("Draft saved")
    window.context.clear_cookies(name=settings.SESSION_COOKIE_NAME)
    window.ready()
    page.locator('[data-verdict="reject"]').click()
    over = page.locator("dialog[open]", has_text="Your session is over")
    expect(over).to_be_visible()
    expect(amount_of(page)).to_have_value("153")
    assert over.get_by_role("link").get_attribute("href") == f"/login/?next=%2Freview%2F{item.public_id}%2F"
    window.sign_in(cast.alice)
    page.goto(window.site + url("review", item))
    expect(amount_of(page)).to_have_value("153")
    window.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_review_page_is_accessible_in_every_state_and_size(
    browser: Browser, live_server: LiveServer, cast: Cast, theme: str
) -> None:
    declare(cast, risk=Risk.HIGH, checklist=["The amount is what was paid."])
    window = Window(browser, live_server.url, cast.alice, color_scheme=theme, reduced_motion="reduce")
    page = window.open(url("review", offer(cast, reason="Because.")))

    def check(state: str) -> None:
        found = Axe().run(page, options={"runOnly": RULES}).response["violations"]
        assert [(each["id"], each["nodes"][0]["html"]) for each in found] == [], state
        sideways = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert sideways <= 0, state

    check("fresh")
    amount_of(page).fill("148")
    expect(page.locator("#diff")).to_contain_text("amount: 148")
    page.locator(".allsteps summary").click()
    expect(page.locator("#all-steps li")).to_have_count(6)
    check("changed, all steps")
    page.locator('[data-verdict="reject"]').click()
    expect(page.locator(".errsum")).to_be_visible()
    page.locator('[data-tab="json"]').click()
    expect(page.locator("#json")).to_be_visible()
    check("json, after a refusal")
    for size in (PHONE, ViewportSize(width=320, height=640)):
        page.set_viewport_size(size)
        check(f"{size}")
    page.set_viewport_size({"width": 1440, "height": 900})
    # A browser's setting for larger text: no style of the page's own, which its policy would not let in.
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    check("200% text")
    page.emulate_media(forced_colors="active")
    check("forced colours")
    window.context.close()
    assert window.problems == []

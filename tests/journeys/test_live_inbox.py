"""The inbox in a real browser beside the real stream process: it follows what happens, and holds still."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import LazySettings
from playwright.sync_api import Browser, Page, ViewportSize, expect
from pytest_django.live_server_helper import LiveServer

from hitl_site.groups import make_groups
from hitl_site.lib.clock import database_now
from policies.models import ActionType
from policies.services import policies
from reviews.choices import NoticeKind
from reviews.models import Decision, ReviewItem
from reviews.services import claims, notices
from reviews.tests.cast import REFUND, Cast, decide_as, held, make_cast
from reviews.tests.stream_server import StreamServer, serve_stream
from tests.windows import DESK, PHONE, Window, chromium

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    make_groups()
    return make_cast()


@pytest.fixture
def stream(live_server: LiveServer, settings: LazySettings, transactional_db: None) -> Iterator[StreamServer]:
    with serve_stream(site_port=live_server.thread.port) as server:
        settings.HANDRAIL_STREAM_PORT = server.port
        yield server


@pytest.fixture
def alice(browser: Browser, live_server: LiveServer, stream: StreamServer, cast: Cast) -> Iterator[Window]:
    window = Window(browser, live_server.url, cast.alice, live=True)
    yield window
    window.context.close()
    assert (window.problems, window.unloaded) == ([], [])


@pytest.fixture
def still(browser: Browser, live_server: LiveServer, cast: Cast) -> Iterator[Window]:
    """Return Alice's window beside no stream: it polls."""
    window = Window(browser, live_server.url, cast.alice)
    yield window
    window.context.close()
    assert window.problems == []
    assert [each for each in window.unloaded if "net::" not in each] == []


def refund(cast: Cast, order: str) -> ReviewItem:
    return held(cast, arguments={**REFUND, "order": order})


def hold_notes(cast: Cast, *amounts: float) -> list[ReviewItem]:
    """Hold notes, which are of low risk and may be decided together, worth so many euros."""
    ActionType.objects.filter(pk=cast.note.pk).update(value_pointer="/amount", currency="EUR")
    return [
        held(cast, action_type="note.add", arguments={"text": f"N{n}", "amount": each}, confidence=0.1)
        for n, each in enumerate(amounts)
    ]


def titles(page: Page) -> list[str]:
    return page.locator("a.ttl").all_inner_texts()


def test_what_arrives_is_announced_and_comes_when_asked_for(alice: Window, cast: Cast) -> None:
    first, second = refund(cast, "A"), refund(cast, "B")
    page = alice.open()
    expect(page.locator("[data-live-chip]")).to_have_text("Live")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("a.ttl", has_text="for B")).to_be_focused()
    place = page.locator("a.ttl", has_text="for B").bounding_box()

    refund(cast, "C")
    expect(page.locator(".newpill")).to_have_text("1 new")
    expect(page.locator("#inbox-stats")).to_contain_text("3 waiting")
    expect(page.locator(".side .nav a[aria-current] .count")).to_have_text("3")
    expect(page).to_have_title("My turn (3) · Handrail")
    assert titles(page) == [first.title, second.title]
    # The focus, the current row and its place are as they were.
    expect(page.locator("a.ttl", has_text="for B")).to_be_focused()
    expect(page.locator("tr.cur")).to_contain_text("for B")
    assert page.locator("a.ttl", has_text="for B").bounding_box() == place

    page.locator(".newpill").click()
    expect(page.locator("a.ttl")).to_have_count(3)
    expect(page.locator(".newpill")).to_have_count(0)


def test_what_others_hold_and_decide_shows_at_once(alice: Window, cast: Cast) -> None:
    item = refund(cast, "A")
    refund(cast, "B")
    page = alice.open()
    expect(page.locator("[data-live-chip]")).to_have_text("Live")
    claims.claim(item_id=item.public_id, reviewer=cast.bob, now=database_now())
    expect(page.locator(f"#row-{item.public_id} .avatar")).to_have_attribute("title", "Claimed by Bob")
    decide_as(cast.bob, item)
    expect(page.locator(f"#row-{item.public_id}")).to_have_count(0)
    expect(page.locator("a.ttl")).to_have_count(1)


def test_the_keys_look_for_move_and_open(alice: Window, cast: Cast) -> None:
    first = refund(cast, "A")
    refund(cast, "B")
    page = alice.open()
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()
    page.keyboard.type("jk for A")
    page.keyboard.press("Escape")
    expect(page.locator("#q")).not_to_be_focused()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/review/{first.public_id}/")


def test_enter_starts_reviewing_in_the_view_that_is_open(alice: Window, cast: Cast) -> None:
    refund(cast, "A")
    wanted = refund(cast, "B")
    page = alice.open("/inbox/?q=for+B")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/review/{wanted.public_id}/?q=for+B")


def test_single_keys_can_be_switched_off(alice: Window, cast: Cast) -> None:
    refund(cast, "A")
    page = alice.open()
    page.locator(".side [aria-label=Appearance]").click()
    page.locator(".side button", has_text="Off").click()
    expect(page.locator("html")).to_have_attribute("data-keys", "off")
    page.keyboard.press("/")
    expect(page.locator("#q")).not_to_be_focused()


def test_without_the_stream_the_page_says_how_old_it_is_and_goes_on(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    window = Window(browser, live_server.url, cast.alice)
    refund(cast, "A")
    page = window.open()
    expect(page.locator("[data-live-chip]")).to_contain_text("Updated")
    refund(cast, "B")
    # What the timer does every 20 seconds.
    page.evaluate("document.body.dispatchEvent(new CustomEvent('inbox-changed'))")
    expect(page.locator(".newpill")).to_have_text("1 new")
    window.context.close()


def test_without_scripts_filters_pages_and_the_start_work(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    window = Window(browser, live_server.url, cast.alice, java_script_enabled=False)
    wanted = refund(cast, "A")
    held(cast, action_type="note.add", arguments={"text": "x"}, confidence=0.1)
    page = window.open()
    page.locator("summary", has_text="Action type").click()
    page.locator(".fmenu-box a", has_text="refund.issue").click()
    assert titles(page) == [wanted.title]
    page.locator("button", has_text="Start reviewing").first.click()
    page.wait_for_url(f"**/review/{wanted.public_id}/?type=refund.issue")
    window.context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_the_inbox_is_accessible_and_fits(
    browser: Browser,
    live_server: LiveServer,
    stream: StreamServer,
    cast: Cast,
    theme: str,
    size: ViewportSize,
) -> None:
    window = Window(browser, live_server.url, cast.alice, live=True, color_scheme=theme, viewport=size)
    for path in ("/inbox/", "/inbox/?q=nothing", "/settings/appearance/", "/settings/keys/", "/inbox/views/"):
        refund(cast, path)
        page = window.open(path)
        assert Axe().run(page).violations_count == 0, path
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"], path
    window.context.close()
    assert (window.problems, window.unloaded) == ([], [])


def test_a_day_of_triage_by_keyboard_alone(still: Window, cast: Cast) -> None:
    for order in ("A", "B", "C"):
        refund(cast, order)
    page = still.open()
    page.keyboard.press("j")
    page.keyboard.press(" ")
    expect(page.locator("#peek")).to_contain_text("Sorry!")
    page.keyboard.press("Escape")
    expect(page.locator("#peek")).to_be_hidden()
    page.keyboard.press("v")
    expect(page.locator("#view-name")).to_be_visible()
    page.locator("#view-name").focus()
    page.keyboard.type("Refunds first")
    page.keyboard.press("Enter")
    page.wait_for_url("**saved=sav_*")
    expect(page.locator("h1")).to_have_text("Refunds first")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox")).to_be_focused()
    page.keyboard.type("mytu")
    expect(page.get_by_role("option", selected=True)).to_contain_text("My turn")
    page.keyboard.press("Enter")
    page.wait_for_url("**/inbox/")
    page.keyboard.press("Shift+?")
    sheet = page.locator("#keys-sheet")
    expect(sheet).to_contain_text("Select the row")
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    # The focus leaves what is hidden with the next picture.
    expect(sheet.locator(":focus")).to_have_count(0)
    page.keyboard.press("Enter")
    page.wait_for_url("**/review/itm_*/")


def test_low_risk_items_are_looked_through_and_approved_together(still: Window, cast: Cast) -> None:
    policies.put_in_force(
        action_type=cast.note,
        document={"threshold": 0.5, "audit_rate": 0.01, "undo_seconds": 60, "blind_share": 0},
        author=cast.olga,
        reason="Time to undo, however slow the machine",
        now=database_now(),
    )
    hold_notes(cast, 12.5, 9, 15)
    refund(cast, "A")
    page = still.open()
    bar = page.locator("[data-bulk]")
    expect(bar).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("x")
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("Shift+x")
    expect(bar).to_contain_text("4 selected")
    expect(bar.get_by_role("button", name="Approve")).to_be_disabled()
    page.locator("tr.row", has_text="refund.issue").locator("input").uncheck()
    expect(bar).to_contain_text("3 selected low risk, held only by: Below threshold, total €36.50")
    assert Axe().run(page).violations_count == 0
    page.keyboard.press("l")
    page.wait_for_url("**/review/several/**")
    expect(page.locator(".stats")).to_contain_text("Total €36.50")
    approve = page.get_by_role("button", name="Approve 3")
    expect(approve).to_be_disabled()
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator("[data-seen-text]")).to_have_text("3 of 3 · 3 seen")
    assert Axe().run(page).violations_count == 0
    approve.click()
    expect(page.locator("h1")).to_have_text("3 of 3 done")
    assert Axe().run(page).violations_count == 0
    page.wait_for_load_state()  # keys are heard from here on
    page.keyboard.press("u")
    expect(page.locator("table")).to_contain_text("Taken back")
    page.wait_for_load_state()
    page.keyboard.press("Enter")
    page.wait_for_url("**/inbox/")
    expect(page.locator("a.ttl")).to_have_count(4)


def test_several_are_looked_through_and_approved_on_a_phone(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    hold_notes(cast, 12.5, 9)
    refund(cast, "A")
    window = Window(browser, live_server.url, cast.alice, viewport=PHONE, has_touch=True)
    page = window.open()
    expect(page.locator(".startm")).to_be_visible()
    boxes = page.locator("tr.row", has_text="note.add").get_by_role("checkbox")
    places = [place for each in page.locator(".selbox").all() if (place := each.bounding_box())]
    assert len(places) == 3
    assert all(place["width"] >= 44 and place["height"] >= 44 for place in places)
    for number in range(2):
        boxes.nth(number).tap()
    bar = page.locator("[data-bulk]")
    expect(bar).to_contain_text("2 selected low risk, held only by: Below threshold, total €21.50")
    expect(page.locator(".startm")).to_be_hidden()
    place = bar.bounding_box()
    assert place is not None
    assert place["x"] >= 0
    assert place["x"] + place["width"] <= PHONE["width"]
    targets = [box for each in bar.get_by_role("button").all() if (box := each.bounding_box())]
    assert len(targets) == 5
    assert all(target["height"] >= 44 for target in targets)
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    assert Axe().run(page).violations_count == 0
    # The last row can be scrolled out from under the bar.
    last = page.locator("tr.row").last
    page.mouse.wheel(0, 5000)
    expect(last).to_be_in_viewport()
    page.wait_for_function(
        "() => [...document.querySelectorAll('tr.row')].at(-1).getBoundingClientRect().bottom"
        " <= document.querySelector('[data-bulk]').getBoundingClientRect().top"
    )
    bar.get_by_role("button", name="Look through").tap()
    page.wait_for_url("**/review/several/**")
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
    approve = page.get_by_role("button", name="Approve 2")
    expect(approve).to_be_disabled()
    page.get_by_role("button", name="Next").tap()
    expect(page.locator("[data-seen-text]")).to_have_text("2 of 2 · 2 seen")
    page.wait_for_function("() => document.getAnimations().length === 0")  # half a fade has no contrast
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    approve.tap()
    expect(page.locator("h1")).to_have_text("2 of 2 done")
    assert set(Decision.objects.values_list("kind", "bulk")) == {("approve", True)}
    window.context.close()
    assert window.problems == []
    assert [each for each in window.unloaded if "net::" not in each] == []


def test_what_a_person_is_told_comes_up_on_whatever_page_is_open(alice: Window, cast: Cast) -> None:
    item = refund(cast, "A")
    with alice.page.expect_response(lambda answer: "/live/inbox" in answer.url):
        page = alice.open("/history/")
    expect(page).to_have_title("My decisions · Handrail")
    badge = page.locator("#side-nav [data-unread]")
    expect(badge).to_be_hidden()
    notices.tell(user=cast.alice, kind=NoticeKind.HALF_TIME, item=item, key="a", now=database_now())
    toast = page.locator("#messages [data-toast]")
    expect(toast).to_contain_text("Half its time is over: Refund 184 for A")
    expect(badge).to_have_text("1")
    expect(page).to_have_title("(1) My decisions · Handrail")
    assert Axe().run(page).violations_count == 0
    notices.mark_read(user=cast.alice, now=database_now())
    expect(page).to_have_title("My decisions · Handrail")
    expect(badge).to_be_hidden()
    toast.get_by_role("link").click()
    page.wait_for_url(f"**/review/{item.public_id}/")

"""The keys of the review page: one's own, dead where one types, and never deciding what was not looked at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect
from pytest_django.live_server_helper import LiveServer

from hitl_site.groups import make_groups
from hitl_site.lib.clock import database_now
from policies.services import policies
from reviews.models import Decision, ReviewItem
from reviews.services import preferences
from reviews.tests.browsing import url
from reviews.tests.cast import REFUND, Cast, held, make_cast, make_person
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


def offers(cast: Cast, *orders: str) -> list[ReviewItem]:
    return [held(cast, arguments={**REFUND, "order": order}) for order in orders]


def kinds() -> list[str]:
    return list(Decision.objects.order_by("pk").values_list("kind", flat=True))


def cap(page: Page, verdict: str) -> str:
    return page.locator(f'[data-verdict="{verdict}"] kbd').inner_text()


def press_as(page: Page, key: str, **told: object) -> None:
    """Press a key with what only the system could say of it: that it is held, or composes."""
    page.evaluate(
        "([key, told]) => document.body.dispatchEvent(new KeyboardEvent('keydown',"
        " {key, bubbles: true, cancelable: true, ...told}))",
        [key, told],
    )


def test_ones_own_keys_decide_and_stand_on_the_buttons(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    preferences.change_keys(person=cast.alice, given={"a": "y", "r": "a"}, now=database_now())
    first, second = offers(cast, "A", "B")
    window = Window(browser, live_server.url, cast.alice)
    page = window.open(url("review", first))
    expect(page.locator('[data-verdict="approve"] kbd')).to_have_text("Y")
    assert (cap(page, "reject"), cap(page, "correct")) == ("A", "C")
    window.ready()
    page.keyboard.press("1")
    page.keyboard.press("r")  # given away, and nothing else has it
    page.keyboard.press("y")
    expect(page.locator("h1")).to_contain_text("for B")
    # What came with the answer has them too.
    expect(page.locator('[data-verdict="approve"] kbd')).to_have_text("Y")
    window.ready()
    page.keyboard.press("1")
    page.keyboard.press("a")
    expect(page.locator("h1")).to_have_text("Nothing is waiting for you")
    assert [each.decisions.get().kind for each in (first, second)] == ["approve", "reject"]
    window.settle()
    window.context.close()
    assert window.problems == []


def test_where_one_types_a_key_is_a_letter(browser: Browser, live_server: LiveServer, cast: Cast) -> None:
    (item,) = offers(cast, "A")
    window = Window(browser, live_server.url, cast.alice)
    page = window.open(url("review", item))
    window.ready()
    page.keyboard.press("n")
    page.keyboard.type("a carers 1")
    note = page.locator("#note")
    expect(note).to_have_value("a carers 1")
    expect(note).to_be_focused()
    page.keyboard.press("Escape")
    expect(note).not_to_be_focused()

    # With a modifier, held down, or while an input method composes, it is not a key of ours either.
    page.keyboard.press("Control+a")
    page.keyboard.press("Alt+a")
    press_as(page, "a", repeat=True)
    press_as(page, "a", isComposing=True)
    press_as(page, "a", keyCode=229)
    expect(page.locator("h1")).to_contain_text("for A")
    assert kinds() == []

    # The same letter as a key decides: with the note that was typed, once.
    page.keyboard.press("a")
    expect(page.locator("h1")).to_have_text("Nothing is waiting for you")
    assert [(each.kind, each.note) for each in item.decisions.all()] == [("approve", "a carers 1")]
    window.settle()
    window.context.close()
    assert window.problems == []


def test_a_new_item_takes_no_answer_for_400_ms(browser: Browser, live_server: LiveServer, cast: Cast) -> None:
    (item,) = offers(cast, "A")
    window = Window(browser, live_server.url, cast.alice)
    page = window.page
    # The page's clock stands still, so that it is the item's age that decides, not how fast we are.
    page.clock.install(time=0)
    page.clock.pause_at(1_000)
    window.open(url("review", item))
    approve = page.locator('[data-verdict="approve"]')
    expect(approve).to_be_enabled()
    page.clock.run_for(399)
    page.keyboard.press("a")
    approve.click()
    window.settle()
    assert kinds() == []
    page.clock.run_for(2)
    page.keyboard.press("a")
    page.clock.resume()
    expect(page.locator("h1")).to_have_text("Nothing is waiting for you")
    assert kinds() == ["approve"]
    window.context.close()
    assert window.problems == []


def test_a_key_that_is_held_down_decides_one_item(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    offers(cast, "A", "B", "C")
    window = Window(browser, live_server.url, cast.alice)
    page = window.open("/inbox/")
    page.locator("a.ttl", has_text="for A").click()
    expect(page.locator("h1")).to_contain_text("for A")
    window.ready()
    for _ in range(3):
        page.keyboard.down("a")  # the second and third are repeats, as of a key that is held
    expect(page.locator("h1")).to_contain_text("for B")
    window.ready()
    page.keyboard.down("a")
    page.keyboard.up("a")
    assert kinds() == ["approve"]
    window.settle()
    window.context.close()
    assert window.problems == []


def test_what_is_passed_on_is_decided_by_two_who_do_not_see_each_others_answers(
    browser: Browser, live_server: LiveServer, cast: Cast
) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.9, "approvals_required": 2, "undo_seconds": 0},
        author=cast.olga,
        reason="Two people",
        now=database_now(),
    )
    third = make_person("Theo", "reviewer")
    (item,) = offers(cast, "A")

    # Alice passes it on to Bob, by keys alone.
    alice = Window(browser, live_server.url, cast.alice)
    page = alice.open(url("review", item))
    alice.ready()
    page.keyboard.press("e")
    dialog = page.locator("dialog[open]")
    dialog.get_by_label("To a person").select_option(label="Bob")
    dialog.get_by_label("Why you pass it on").fill("You know this customer")
    dialog.get_by_role("button", name="Escalate").click()
    expect(page.locator("h1")).to_have_text("Nothing is waiting for you")
    alice.context.close()

    bob = Window(browser, live_server.url, cast.bob)
    page = bob.open(url("review", item))
    expect(page.locator("#main")).to_contain_text("You know this customer")
    bob.ready()
    page.keyboard.press("n")
    page.keyboard.type("Paid in May")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#undo")).to_contain_text("Waits for another person")
    bob.context.close()

    theo = Window(browser, live_server.url, third)
    page = theo.open(url("review", item))
    expect(page.locator('[data-verdict="approve"]')).to_be_enabled()
    expect(page.locator("#main")).not_to_contain_text("Paid in May")
    expect(page.locator("#main")).not_to_contain_text("approved")
    theo.ready()
    page.keyboard.press("a")
    expect(page.locator("h1")).to_have_text("Nothing is waiting for you")
    theo.settle()
    theo.context.close()
    assert list(item.decisions.order_by("pk").values_list("reviewer_name", "kind", "terminal")) == [
        ("Bob", "approve", False),
        ("Theo", "approve", True),
    ]
    assert (alice.problems, bob.problems, theo.problems) == ([], [], [])

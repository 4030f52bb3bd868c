"""A signed-in person's window in Chromium, and everything in it that must never happen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Dialog,
    Error,
    Page,
    Request,
    ViewportSize,
    expect,
    sync_playwright,
)

from reviews.tests.browsing import browser_of
from tests.chromium import LAUNCH_ARGUMENTS, find_chromium

DESK, PHONE = ViewportSize(width=1440, height=900), ViewportSize(width=390, height=844)
# Of the page's clock at a time. A request that is under way for a minute is given up by htmx.
STEP_SECONDS = 10


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start a browser; to be shared by the tests of a module."""
    # Playwright keeps an event loop in this thread, which Django takes for a view that may not wait.
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=LAUNCH_ARGUMENTS)
        yield browser
        browser.close()


class Window:
    """One person's window. ``problems`` are errors of scripts and of the security policy, ``unloaded`` what
    was refused or did not come, ``strays`` requests that would have left the machine (none is let out),
    ``dialogs`` what asked for an answer.

    Without ``live`` nobody answers for live updates: they are another process, which most tests do without.
    """

    def __init__(
        self, browser: Browser, site: str, person: User, *, live: bool = False, **options: object
    ) -> None:
        self.site = site
        self.problems: list[str] = []
        self.unloaded: list[str] = []
        self.strays: list[str] = []
        self.dialogs: list[str] = []
        self.context: BrowserContext = browser.new_context(**{"viewport": DESK, **options})  # type: ignore[arg-type]  # new_context's own options
        self.sign_in(person)
        if not live:
            self.context.route("**/live/**", lambda route: route.abort())
        self.page: Page = self.new_tab()

    def sign_in(self, person: User) -> None:
        """Be this person from the next request on."""
        cookie = browser_of(person).cookies[settings.SESSION_COOKIE_NAME].value
        self.context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": self.site}])

    def new_tab(self) -> Page:
        """Open another tab of the same window."""
        page = self.context.new_page()
        page.on("console", self._hear)
        page.on("pageerror", self._fail)
        page.on("dialog", self._ask)
        page.on("request", self._send)
        return page

    def open(self, path: str = "/inbox/") -> Page:
        """Go to a page of the site."""
        self.page.goto(self.site + path)
        return self.page

    def settle(self, page: Page | None = None) -> None:
        """Wait until no request of the page's fragments is under way."""
        expect((page or self.page).locator(".htmx-request")).to_have_count(0)

    def ready(self, page: Page | None = None) -> None:
        """Wait until the item on the page takes an answer: for 400 ms after it came none counts."""
        page = page or self.page
        page.wait_for_load_state()  # what counts the 400 ms has begun by then
        shown_at = page.evaluate("performance.now()")
        page.wait_for_function("shown => performance.now() > shown + 450", arg=shown_at)

    def pass_time(self, seconds: int) -> None:
        """Let the page's clock, which is installed, run on.

        In steps, with an answer to each question between them: the network knows nothing of the page's clock,
        so that one long step would time out every request that begins in it.
        """
        for left in range(seconds, 0, -STEP_SECONDS):
            self.page.clock.run_for(min(left, STEP_SECONDS) * 1000)
            self.settle()

    def _hear(self, message: ConsoleMessage) -> None:
        # A refusal is a 4xx, which the browser calls an error; what it says is for the tests to read.
        if message.type == "error":
            # Of two requests for one place the newer one replaces the older, which htmx calls an error.
            if message.text.startswith("htmx: htmx:error: signal is aborted without reason AbortError"):
                return
            refused = message.text.startswith("Failed to load resource")
            (self.unloaded if refused else self.problems).append(message.text)

    def _fail(self, error: Error) -> None:
        self.problems.append(str(error))

    def _ask(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def _send(self, request: Request) -> None:
        if not request.url.startswith((self.site, "data:", "http://127.0.0.1", "http://localhost")):
            self.strays.append(request.url)

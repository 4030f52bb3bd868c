"""The pictures of the documents, taken from a running stack with demo data (`make screenshots`).

Those that the documents show go to ``docs/images``. ``--all --to FOLDER`` takes every page in both themes at
both sizes, to look at.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.chromium import LAUNCH_ARGUMENTS, find_chromium

SIZES = {"": (1440, 900), "-phone": (390, 844)}
THEMES = ("light", "dark")
IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"


def refund(page: Page) -> None:
    """Open the refund that the demo has for this, whatever stands before it; begin to correct its amount."""
    page.goto("/inbox/")
    page.locator("tr.row a", has_text="Ana Ruiz").first.click()
    page.wait_for_url(re.compile(r"/review/itm_"))
    page.locator("input.num").first.fill("148")
    page.locator("input[name=reasons]").first.check(force=True)
    page.wait_for_timeout(600)


def dataset(page: Page) -> None:
    """Open the first dataset."""
    page.goto("/datasets/")
    page.locator("main a[href^='/datasets/dst_']").first.click()
    page.wait_for_load_state("networkidle")


def at(path: str) -> Callable[[Page], None]:
    def go(page: Page) -> None:
        page.goto(path)

    return go


def change(page: Page) -> None:
    """Open the publication that waits for a second person."""
    page.goto("/policies/publications/")
    page.locator("main a[href*='/policies/publications/pub_']").first.click()
    page.wait_for_load_state("networkidle")


def agent(page: Page) -> None:
    """Open the first agent."""
    page.goto("/agents/")
    page.locator("main a[href^='/agents/agt_']").first.click()
    page.wait_for_load_state("networkidle")


SHOTS: dict[str, Callable[[Page], None]] = {
    "inbox": at("/inbox/"),
    "review": refund,
    "datasets": dataset,
    "trust": at("/trust/"),
    "agents": at("/agents/"),
    "ledger": at("/audit/"),
    "policies": at("/policies/"),
    "policy": at("/policies/refund.issue/"),
    "policy-edit": at("/policies/refund.issue/edit/"),
    "shadow": at("/policies/refund.issue/v/3/shadow/"),
    "publication": change,
    "try": at("/policies/try/"),
    "agent": agent,
    "stop": at("/stop/"),
    "verify": at("/audit/verify/"),
    "incidents": at("/incidents/"),
}

# What the documents show.
SHOWN = ("inbox", "review", "policy", "agent", "stop", "ledger")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=IMAGES)
    parser.add_argument("--all", action="store_true", help="every page, theme and size")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    executable = find_chromium()
    if executable is None:
        raise SystemExit("No Chromium: see tests/chromium.py.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(executable), args=LAUNCH_ARGUMENTS)
        for theme in THEMES if options.all else THEMES[:1]:
            for suffix, (width, height) in SIZES.items() if options.all else [("", SIZES[""])]:
                names = tuple(SHOTS) if options.all else SHOWN
                take(browser, theme, suffix, width, height, to=options.to, names=names)
        browser.close()


def take(
    browser: Browser, theme: str, suffix: str, width: int, height: int, *, to: Path, names: tuple[str, ...]
) -> None:
    """Sign in with one theme and size, and take every picture."""
    url = os.environ["HANDRAIL_URL"]
    context = browser.new_context(
        base_url=url,
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
    )
    context.add_cookies([{"name": "handrail-theme", "value": theme, "url": url}])
    page = context.new_page()
    page.goto("/login/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", os.environ["HANDRAIL_ADMIN_PASSWORD"])
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/inbox/"))
    for name in names:
        SHOTS[name](page)
        page.wait_for_timeout(400)
        page.screenshot(path=to / f"{name}-{theme}{suffix}.png")
    context.close()


if __name__ == "__main__":
    main()

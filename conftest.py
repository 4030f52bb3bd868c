"""What every test run needs: real servers, and property tests that give the same answer twice."""

from __future__ import annotations

import gc
import os

import psycopg
import pytest
from hypothesis import settings
from xdist.remote import Producer
from xdist.scheduler import LoadGroupScheduling

from tests.chromium import ADVICE, find_chromium
from tests.plugins.kept import kept_by

# CI looks for the same examples every time; `HYPOTHESIS_PROFILE=explore` looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

NO_BROWSER = "no Chromium"
PAGE_PATIENCE_MS = 30_000


def pytest_configure(config: pytest.Config) -> None:
    """Say in one sentence what is missing, before hundreds of tests say it in a traceback each."""
    from django.conf import settings as django_settings

    from hitl_site import catalogs

    # One person of the cast lifts; what two have to agree on is tested where it is the story.
    django_settings.LIFT_NEEDS_SECOND = "never"
    if config.option.collectonly or hasattr(config, "workerinput"):
        return
    catalogs.compile_all(django_settings.BASE_DIR)

    try:
        psycopg.connect(django_settings.DATABASE_URL, connect_timeout=2).close()
    except psycopg.OperationalError:
        raise pytest.UsageError(
            "No PostgreSQL to test with: run `make test` (or `make test T=policies`), which starts one of its"
            " own, or set DATABASE_URL to a server whose role may create databases."
        ) from None


class FileOrSharedStack(LoadGroupScheduling):  # type: ignore[misc]  # xdist has no types
    """Gives a whole file to one worker, and all files that share a stack to the same one: it starts once."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return nodeid.partition("::")[0] if scope == nodeid else scope


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileOrSharedStack:
    """Name the scheduler of parallel runs."""
    return FileOrSharedStack(config, log)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Say of a test which stack it shares with others."""
    if shared := kept_by(item):
        item.add_marker(pytest.mark.xdist_group(shared))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: at the end of a parallel run nobody waits for one of them.

    Those that share a stack come one after the other.
    """

    def place(item: pytest.Item) -> tuple[int, str]:
        stack, browser = (item.get_closest_marker(name) is not None for name in ("stack", "browser"))
        # What follows the product as a whole takes longer than what asks one part of it.
        rest = 2 if item.nodeid.startswith("tests/") else 3
        return (0 if stack else 1 if browser else rest), kept_by(item)

    items.sort(key=place)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Give pages time, and leave what has been loaded by now out of every later look for garbage.

    All of it stays to the end. What a browser test expects of a page ends its wait the moment it holds: on a
    machine that is busy with other tests that may take longer than Playwright's five seconds.
    """
    if any(item.get_closest_marker("browser") for item in session.items):
        from playwright.sync_api import expect

        expect.set_options(timeout=PAGE_PATIENCE_MS)
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what needs a browser where there is none; the summary says so loudly."""
    if item.get_closest_marker("browser") and find_chromium() is None:
        pytest.skip(f"{NO_BROWSER}: {ADVICE}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Put a banner under a run that left the browser tests out."""
    skipped = [
        report for report in terminalreporter.getreports("skipped") if NO_BROWSER in str(report.longrepr)
    ]
    if skipped:
        terminalreporter.section("BROWSER TESTS DID NOT RUN", sep="!", red=True, bold=True)
        terminalreporter.line(
            f"{len(skipped)} tests drive a browser and were skipped: {NO_BROWSER}; {ADVICE}."
        )

"""What every test run needs: real servers, and property tests that give the same answer twice."""

from __future__ import annotations

import os

import psycopg
import pytest
from hypothesis import settings

# CI looks for the same examples every time; `HYPOTHESIS_PROFILE=explore` looks for new ones.
settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.register_profile("explore", deadline=None, max_examples=1000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config: pytest.Config) -> None:
    """Say in one sentence what is missing, before hundreds of tests say it in a traceback each."""
    if config.option.collectonly or hasattr(config, "workerinput"):
        return
    from django.conf import settings as django_settings

    try:
        psycopg.connect(django_settings.DATABASE_URL, connect_timeout=2).close()
    except psycopg.OperationalError:
        raise pytest.UsageError(
            "No PostgreSQL to test with: run `make test` (or `make test T=policies`), which starts one of its"
            " own, or set DATABASE_URL to a server whose role may create databases."
        ) from None

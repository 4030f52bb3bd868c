"""Settings of the view that sends the gate's statements and does nothing else, without any middleware."""

from __future__ import annotations

from hitl_site.settings import *  # noqa: F403 - the same database, the same everything but the middleware

ROOT_URLCONF = "benchmarks.floor_urls"
MIDDLEWARE = []

"""Settings of what the gate is measured against: a Django view that does one INSERT and commits."""

from __future__ import annotations

from hitl_site.settings import *  # noqa: F403 - the same database, the same everything but the middleware

ROOT_URLCONF = "benchmarks.bare_urls"
MIDDLEWARE = []

"""Settings of what the gate is measured against: a Django view that does one INSERT and commits.

``HANDRAIL_BENCH_MIDDLEWARE=1`` leaves the site's middleware in; without it the view has none at all.
"""

from __future__ import annotations

import os

from hitl_site.settings import *  # noqa: F403 - the same database, the same everything but the middleware
from hitl_site.settings import MIDDLEWARE as SITE_MIDDLEWARE

ROOT_URLCONF = "benchmarks.bare_urls"
MIDDLEWARE = SITE_MIDDLEWARE if os.environ.get("HANDRAIL_BENCH_MIDDLEWARE") == "1" else []

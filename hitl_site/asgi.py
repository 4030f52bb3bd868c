"""The stream process, served by granian over ASGI."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_site.settings")
os.environ.setdefault("HANDRAIL_PROCESS", "web")
django.setup()

from django.urls import get_resolver  # noqa: E402 - the apps must be ready first

from reviews.stream.app import StreamApplication  # noqa: E402 - the apps must be ready first

application = StreamApplication()
# Now, and not on the first request: an agent that waits one second must not spend it on our imports.
_ = get_resolver().url_patterns

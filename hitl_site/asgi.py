"""The stream process, served by granian over ASGI."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_site.settings")
django.setup()

from reviews.stream.app import StreamApplication  # noqa: E402 - the apps must be ready first

application = StreamApplication()

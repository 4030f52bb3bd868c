"""The stream: long waits and server-sent events, served by granian over ASGI in a process of its own."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_site.settings")

import django

django.setup()

from reviews.stream.app import application  # noqa: E402 - it needs the apps

__all__ = ["application"]

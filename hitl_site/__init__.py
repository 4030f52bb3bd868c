"""Wiring: settings, URLs, the API, the Celery application. Imports every app, imported by none."""

from hitl_site.celery import app as celery_app

__all__ = ["celery_app"]

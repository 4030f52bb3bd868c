"""The Celery application. A task is a hint "look at row N"; the rows in PostgreSQL are the work."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_site.settings")

app = Celery("handrail")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.imports = ("hitl_site.loops",)

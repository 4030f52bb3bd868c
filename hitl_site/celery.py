"""The Celery application. A task is a hint "look at row N"; the rows in PostgreSQL are the work."""

import os
from typing import Any, Final

from celery import Celery
from celery.signals import worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_site.settings")

app = Celery("handrail")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
app.conf.imports = ("hitl_site.loops",)

_BEHIND: Final = 5


@worker_process_init.connect
def let_others_pass(**_: Any) -> None:
    """Let whoever waits for an answer go first where tasks share a machine with the web server.

    For the processes of the pool alone: the loops beside them (deadlines, the ledger, what takes autonomy
    away) keep their turn.
    """
    os.nice(_BEHIND)

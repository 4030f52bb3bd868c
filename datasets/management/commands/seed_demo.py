"""``manage.py seed_demo``: demo data for a first look."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from datasets.demo import seeding
from hitl_site.lib.clock import database_now


class Command(BaseCommand):
    help = (
        "Make demo data of our own: agents, reviewers (nobody can sign in as one of them), action types with"
        " policies, a month of history, a full inbox, a dataset. Calling it again changes nothing; after an"
        " interruption it goes on where it stopped."
    )

    def handle(self, *args: object, **options: Any) -> None:
        made = seeding.seed(now=database_now(), say=lambda text: self.stderr.write(text, style_func=str))
        self.stdout.write("The demo data are complete." if made else "The demo data were there already.")

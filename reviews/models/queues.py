"""Queues: named streams of the inbox."""

from __future__ import annotations

from django.db import models

from hitl_site.lib import ids

DEFAULT_QUEUE = "general"


class Queue(models.Model):
    """A named stream of review items. A policy names its queue by slug; an unknown slug means the default."""

    public_id = models.CharField(max_length=ids.MAX_LENGTH, unique=True)
    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    icon = models.CharField(max_length=40, default="inbox")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name

"""Fixed sets of values of the learning app."""

from __future__ import annotations

from django.db.models import TextChoices


class Label(TextChoices):
    """What the person said of the proposal."""

    APPROVED = "approved", "Right as proposed"
    CORRECTED = "corrected", "Right after correction"
    REJECTED = "rejected", "Should not have been done"


class LabelSource(TextChoices):
    REVIEW = "review", "Held and decided"
    AUDIT = "audit", "Drawn at random, judged afterwards"


class LabelStrength(TextChoices):
    STRONG = "strong", "Considered"
    WEAK = "weak", "Low attention or bulk"


class ExportState(TextChoices):
    REQUESTED = "requested", "Waiting to start"
    RUNNING = "running", "Writing"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class ExportFormat(TextChoices):
    JSONL = "jsonl", "JSON Lines, the canonical case"

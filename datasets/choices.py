"""Fixed sets of values of the learning app."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Label(TextChoices):
    """What the person said of the proposal."""

    APPROVED = "approved", _("Right as proposed")
    CORRECTED = "corrected", _("Right after correction")
    REJECTED = "rejected", _("Should not have been done")


class LabelSource(TextChoices):
    REVIEW = "review", _("Held and decided")
    AUDIT = "audit", _("Drawn at random, judged afterwards")


class LabelStrength(TextChoices):
    STRONG = "strong", _("Considered")
    WEAK = "weak", _("Low attention or bulk")


class ExportState(TextChoices):
    REQUESTED = "requested", _("Waiting to start")
    RUNNING = "running", _("Writing")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class FreezingState(TextChoices):
    REQUESTED = "requested", _("Freezing")
    DONE = "done", _("Done")
    FAILED = "failed", _("Failed")


class ExportFormat(TextChoices):
    JSONL = "jsonl", _("JSON Lines, the canonical case")
    CHAT = "chat", _("Chat fine-tuning with tool calls")
    DPO = "dpo", _("Preference pairs (DPO)")
    KTO = "kto", _("Unpaired preferences (KTO)")
    OPENAI_EVALS = "openai_evals", _("OpenAI evals")
    INSPECT = "inspect", _("Inspect AI samples")
    PROMPTFOO = "promptfoo", _("promptfoo tests")
    LANGFUSE = "langfuse", _("Langfuse dataset items")
    LANGSMITH = "langsmith", _("LangSmith examples")
    ARGILLA = "argilla", _("Argilla records")
    PARQUET = "parquet", "Parquet"
    HUGGING_FACE = "hugging_face", _("Hugging Face folder with a card")
    CSV = "csv", "CSV"


class Compression(TextChoices):
    NONE = "", _("Not compressed")
    GZIP = "gzip", "gzip"
    ZSTD = "zstd", "Zstandard"


class Cadence(TextChoices):
    DAILY = "daily", _("Every day")
    WEEKLY = "weekly", _("Every week")


class CaseKind(TextChoices):
    PROPOSAL = "proposal", _("What the agent proposed")
    OMISSION = "omission", _("What the agent failed to do")


class CaseStanding(TextChoices):
    """What has come to a case since it was made."""

    DISPUTED = "disputed", _("Disputed")
    LEFT_OUT = "left_out", _("Left out of new versions")
    ANSWERED_AGAIN = "answered_again", _("Answered again since")
    ALIKE = "alike", _("With near duplicates")
    GROUND_TRUTH = "ground_truth", _("With ground truth")


class Split(TextChoices):
    NONE = "", _("Not split")
    TRAIN = "train", _("Training")
    VALIDATION = "validation", _("Validation")
    TEST = "test", _("Test")


class RevisionKind(TextChoices):
    EDIT = "edit", _("Edited")
    ADJUDICATION = "adjudication", _("Adjudicated")


class EvalState(TextChoices):
    OPEN = "open", _("Taking results")
    DONE = "done", _("Done")
    ABANDONED = "abandoned", _("Given up")


class CheckFinding(TextChoices):
    """What a person found in a whole conversation."""

    COMPLETE = "complete", _("Nothing was missing")
    MISSING = "missing", _("Something was missing")


class DataKind(TextChoices):
    """Kinds of data with a time of their own (services.retention)."""

    CONTEXT = "context", _("Context: what the agent said around its proposal")
    ARGUMENTS = "arguments", _("Arguments: what was proposed, decided and done")
    CASES = "cases", _("Labelled cases")
    CONVERSATIONS = "conversations", _("Whole conversations")
    EXPORTS = "exports", _("Exported files")
    LEDGER = "ledger", _("What ledger entries say")

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


class FreezingState(TextChoices):
    REQUESTED = "requested", "Freezing"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class ExportFormat(TextChoices):
    JSONL = "jsonl", "JSON Lines, the canonical case"
    CHAT = "chat", "Chat fine-tuning with tool calls"
    DPO = "dpo", "Preference pairs (DPO)"
    KTO = "kto", "Unpaired preferences (KTO)"
    OPENAI_EVALS = "openai_evals", "OpenAI evals"
    INSPECT = "inspect", "Inspect AI samples"
    PROMPTFOO = "promptfoo", "promptfoo tests"
    LANGFUSE = "langfuse", "Langfuse dataset items"
    LANGSMITH = "langsmith", "LangSmith examples"
    ARGILLA = "argilla", "Argilla records"
    PARQUET = "parquet", "Parquet"
    HUGGING_FACE = "hugging_face", "Hugging Face folder with a card"
    CSV = "csv", "CSV"


class Compression(TextChoices):
    NONE = "", "Not compressed"
    GZIP = "gzip", "gzip"
    ZSTD = "zstd", "Zstandard"


class Cadence(TextChoices):
    DAILY = "daily", "Every day"
    WEEKLY = "weekly", "Every week"


class CaseKind(TextChoices):
    PROPOSAL = "proposal", "What the agent proposed"
    OMISSION = "omission", "What the agent failed to do"


class CaseStanding(TextChoices):
    """What has come to a case since it was made."""

    DISPUTED = "disputed", "Disputed"
    LEFT_OUT = "left_out", "Left out of new versions"
    ANSWERED_AGAIN = "answered_again", "Answered again since"
    ALIKE = "alike", "With near duplicates"
    GROUND_TRUTH = "ground_truth", "With ground truth"


class Split(TextChoices):
    NONE = "", "Not split"
    TRAIN = "train", "Training"
    VALIDATION = "validation", "Validation"
    TEST = "test", "Test"


class RevisionKind(TextChoices):
    EDIT = "edit", "Edited"
    ADJUDICATION = "adjudication", "Adjudicated"


class EvalState(TextChoices):
    OPEN = "open", "Taking results"
    DONE = "done", "Done"
    ABANDONED = "abandoned", "Given up"


class CheckFinding(TextChoices):
    """What a person found in a whole conversation."""

    COMPLETE = "complete", "Nothing was missing"
    MISSING = "missing", "Something was missing"


class DataKind(TextChoices):
    """Kinds of data with a time of their own (services.retention)."""

    CONTEXT = "context", "Context: what the agent said around its proposal"
    ARGUMENTS = "arguments", "Arguments: what was proposed, decided and done"
    CASES = "cases", "Labelled cases"
    CONVERSATIONS = "conversations", "Whole conversations"
    EXPORTS = "exports", "Exported files"
    LEDGER = "ledger", "What ledger entries say"

"""Facts and constraints of the learning app."""

from datasets.models.cases import CaseCuration, CaseIndex, GroundTruth, LabelledCase, LabelRevision
from datasets.models.conversations import Conversation, ConversationCheck, ConversationShare, Omission
from datasets.models.datasets import (
    Dataset,
    DatasetMember,
    DatasetVersion,
    Freezing,
    RedactionProfile,
    VersionMark,
)
from datasets.models.evals import EvalResult, EvalRun, Grader
from datasets.models.exports import Export, ExportSchedule
from datasets.models.retention import LegalHold, RetentionRule

__all__ = [
    "CaseCuration",
    "CaseIndex",
    "Conversation",
    "ConversationCheck",
    "ConversationShare",
    "Dataset",
    "DatasetMember",
    "DatasetVersion",
    "EvalResult",
    "EvalRun",
    "Export",
    "ExportSchedule",
    "Freezing",
    "Grader",
    "GroundTruth",
    "LabelRevision",
    "LabelledCase",
    "LegalHold",
    "Omission",
    "RedactionProfile",
    "RetentionRule",
    "VersionMark",
]

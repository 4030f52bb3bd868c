"""Facts and constraints of the learning app."""

from datasets.models.cases import CaseCuration, GroundTruth, LabelledCase, LabelRevision
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

__all__ = [
    "CaseCuration",
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
    "RedactionProfile",
    "VersionMark",
]

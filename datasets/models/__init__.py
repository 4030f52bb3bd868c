"""Facts and constraints of the learning app."""

from datasets.models.cases import LabelledCase
from datasets.models.datasets import Dataset, DatasetMember, DatasetVersion
from datasets.models.exports import Export

__all__ = ["Dataset", "DatasetMember", "DatasetVersion", "Export", "LabelledCase"]

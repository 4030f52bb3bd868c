"""Redaction of exported cases: pure functions over documents (docs/redaction.md)."""

from datasets.redaction.profile import (
    Detector,
    Fault,
    FieldRule,
    InvalidProfile,
    Profile,
    Treatment,
    everything,
)
from datasets.redaction.redactor import Redacted, Redactor

__all__ = [
    "Detector",
    "Fault",
    "FieldRule",
    "InvalidProfile",
    "Profile",
    "Redacted",
    "Redactor",
    "Treatment",
    "everything",
]

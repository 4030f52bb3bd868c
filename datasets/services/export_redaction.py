"""Redaction of exports: between the composed case and the exporter, or no export at all.

A version that was frozen with a profile is never written without it: where the profile cannot be read, the
export fails.
"""

from __future__ import annotations

from datasets.models import DatasetVersion
from datasets.redaction import InvalidProfile, Redactor
from datasets.services import redaction


class CannotRedact(Exception):
    """The version asks for a redaction that cannot be done here, so nothing of it may leave."""


def redactor_of(version: DatasetVersion) -> Redactor | None:
    """Return what has to go over each case of the version; None when it was frozen without a profile."""
    try:
        return redaction.redactor_for(version)
    except InvalidProfile as exc:
        raise CannotRedact(
            f"The redaction {version.redaction} of this version cannot be done, so it is not exported: {exc}"
        ) from exc

"""Redaction of exports: between the composed case and the exporter, or no export at all.

A version that was frozen with a profile is never written without it: where the redaction cannot be loaded, or
its profile not be understood, the export fails.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib
from collections.abc import Mapping
from typing import Protocol, cast

from django.conf import settings

from datasets.exporters.base import Document
from datasets.models import DatasetVersion


class CannotRedact(Exception):
    """The version asks for a redaction that cannot be done here, so nothing of it may leave."""


class Redacted(Protocol):
    """A document without what the profile takes out, and how often each detector did."""

    @property
    def document(self) -> Document: ...

    @property
    def replaced(self) -> Mapping[str, int]: ...


class Redactor(Protocol):
    """What replaces, the same value by the same pseudonym within a version."""

    def apply(self, document: Document) -> Redacted: ...


def redactor_of(version: DatasetVersion) -> Redactor | None:
    """Return what has to go over each case of the version; None when it was frozen without a profile."""
    if version.redaction is None:
        return None
    try:
        redaction = importlib.import_module("datasets.redaction")
        profile = redaction.Profile.from_document(version.redaction.document)
        return cast(Redactor, redaction.Redactor(profile, key_of(version)))
    except (ImportError, AttributeError, TypeError, ValueError) as exc:
        raise CannotRedact(
            f"The redaction {version.redaction} of this version cannot be done, so it is not exported: {exc}"
        ) from exc


def key_of(version: DatasetVersion) -> bytes:
    """Return the key of a version's pseudonyms: of this installation, and of no other version."""
    secret = f"redaction:{version.public_id}".encode()
    return hmac.new(settings.PSEUDONYM_SECRET, secret, hashlib.sha256).digest()

from __future__ import annotations

import pytest
from pytest_django import Settings

from datasets.tests.base import learners

__all__ = ["learners"]


@pytest.fixture(autouse=True)
def _cheap_passwords(settings: Settings) -> None:
    """A good hash takes a third of a second on purpose, and the cast has eight passwords."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def _own_export_folder(settings: Settings, tmp_path: object) -> None:
    settings.EXPORT_DIR = tmp_path

"""One stack for all tests of faults that a test process runs: each leaves it whole for the next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.installation import Installation, installed
from tests.faults.stack import running
from tests.plugins.kept import Kept


@contextmanager
def _running() -> Iterator[Installation]:
    with running() as stack, installed(stack) as installation:
        yield installation


_kept = Kept("_installation", _running)


@pytest.fixture(scope="module")
def _installation() -> Installation:
    return _kept.get()


@pytest.fixture
def site(_installation: Installation) -> Iterator[Installation]:
    """The stack with its people and agents, whole before the test and whole again after it."""
    assert _installation.stack.becomes_whole(), _installation.stack.words()
    yield _installation
    assert _installation.stack.becomes_whole(), _installation.stack.words()

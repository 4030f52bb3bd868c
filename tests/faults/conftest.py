"""One stack for all tests of faults that a test process runs: each leaves it whole for the next."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.installation import Installation, installed
from tests.faults.stack import running


@pytest.fixture(scope="session")
def _installation() -> Iterator[Installation]:
    with running() as stack, installed(stack) as installation:
        yield installation


@pytest.fixture
def site(_installation: Installation) -> Iterator[Installation]:
    """The stack with its people and agents, whole before the test and whole again after it."""
    assert _installation.stack.becomes_whole(), _installation.stack.words()
    yield _installation
    assert _installation.stack.becomes_whole(), _installation.stack.words()

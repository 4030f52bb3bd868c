"""A short history with every kind of fault; ``make soak`` is the long one."""

from __future__ import annotations

import secrets

import pytest

from tests.history.course import LEAST_FAULTS, run

pytestmark = pytest.mark.stack

SECONDS = 20.0


@pytest.mark.timeout(400)
def test_no_invariant_breaks_in_a_history_with_faults() -> None:
    result = run(seconds=SECONDS, seed=secrets.randbelow(10**9), say=print)
    assert result.broken == [], result.summary()
    assert sum(result.faults.values()) >= LEAST_FAULTS, result.summary()

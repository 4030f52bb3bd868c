"""No check by chance: most tests' policies draw one in a hundred of what runs alone, the least there is.

A test of one action would meet that one in every hundredth run. Whoever tests what follows on a draw says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from policies.engine.policy import AUDIT_FLOOR
from policies.engine.sampling import audit_draw


@contextmanager
def drawn() -> Iterator[None]:
    """Whatever runs alone within is drawn for a check; its chance is written down as it is."""
    with _checks_drawn_by(lambda draw: 0.0):
        yield


@pytest.fixture(scope="session", autouse=True)
def _nothing_under_the_floor() -> Iterator[None]:
    with _checks_drawn_by(lambda draw: max(AUDIT_FLOOR, draw)):
        yield


@contextmanager
def _checks_drawn_by(change: Callable[[float], float]) -> Iterator[None]:
    from policies.services import gate

    def draws(secret: bytes, action_id: str, purpose: str) -> float:
        draw = audit_draw(secret, action_id, purpose)
        return change(draw) if purpose == "audit" else draw

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "audit_draw", draws)
        yield

"""No check by chance: most tests' policies draw one in a hundred of what runs alone, the least there is.

A test of one action would meet that one in every hundredth run. Whoever tests the draw asks for more.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from policies.engine.policy import AUDIT_FLOOR
from policies.engine.sampling import audit_draw


@pytest.fixture(scope="session", autouse=True)
def _nothing_under_the_floor() -> Iterator[None]:
    from policies.services import gate

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate, "audit_draw", lambda *asked: max(AUDIT_FLOOR, audit_draw(*asked)))
        yield

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.engine.evaluation import evaluate
from policies.engine.sampling import audit_draw
from policies.tests.engine_facts import facts, policy


def test_a_draw_is_the_keyed_hash_as_a_share() -> None:
    digest = hmac.new(b"secret", b"audit\0act_1", hashlib.sha256).digest()

    draw = audit_draw(b"secret", "act_1", "audit")

    assert draw == pytest.approx(int.from_bytes(digest, "big") / 2**256, abs=2**-52)
    assert draw == audit_draw(b"secret", "act_1", "audit")


def test_secret_action_and_purpose_each_give_another_draw() -> None:
    draws = {
        audit_draw(b"secret", "act_1", "audit"),
        audit_draw(b"other", "act_1", "audit"),
        audit_draw(b"secret", "act_2", "audit"),
        audit_draw(b"secret", "act_1", "blind"),
    }

    assert len(draws) == 4


@given(secret=st.binary(min_size=1), action=st.text(st.characters(codec="utf-8")))
def test_a_draw_is_never_one(secret: bytes, action: str) -> None:
    assert 0 <= audit_draw(secret, action, "audit") < 1


def test_a_draw_without_a_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        audit_draw(b"", "act_1", "audit")
    with pytest.raises(ValueError, match="purpose"):
        audit_draw(b"secret", "act_1", "au\0dit")


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2])
def test_the_share_that_is_drawn_is_the_propensity_that_is_recorded(rate: float) -> None:
    total = 4_000
    evaluations = [
        evaluate(facts(policy=policy(audit_rate=rate), draw=audit_draw(b"secret", f"act_{at}", "audit")))
        for at in range(total)
    ]

    drawn = sum(each.audit_selected for each in evaluations)

    assert {each.propensity for each in evaluations} == {rate}
    # Five standard deviations; the draws are the same in every run.
    assert abs(drawn - rate * total) < 5 * (total * rate * (1 - rate)) ** 0.5

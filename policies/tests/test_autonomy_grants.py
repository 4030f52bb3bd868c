"""Autonomy: granted by a person, under the cap, until it ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from policies.choices import AutonomyLevel
from policies.models import ActionType, AgentVersion, AutonomyGrant, LedgerEntry
from policies.selectors import autonomy as found
from policies.services import autonomy
from policies.tests.base import NOON, SYSTEM, make_refund_type, recorded, trust

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db


def test_without_a_grant_the_first_contact_level_holds(clerk_v1: AgentVersion) -> None:
    refund = make_refund_type(first_contact_level=AutonomyLevel.SHADOW)
    assert found.level_in_force(clerk_v1, refund, NOON) == (AutonomyLevel.SHADOW, None)


def test_a_grant_replaces_the_one_before(clerk_v1: AgentVersion, refund: ActionType, alice: User) -> None:
    first = trust(clerk_v1, refund, alice, AutonomyLevel.THRESHOLD)
    second = trust(clerk_v1, refund, alice, AutonomyLevel.AUTONOMOUS)
    first.refresh_from_db()
    assert first.ended_at == NOON
    assert found.level_in_force(clerk_v1, refund, NOON) == (AutonomyLevel.AUTONOMOUS, second)
    assert [(each["before"], each["after"]) for each in recorded("autonomy.granted")] == [
        (None, "threshold"),
        ("threshold", "autonomous"),
    ]


def test_a_grant_that_was_ended_holds_no_longer(
    clerk_v1: AgentVersion, refund: ActionType, alice: User
) -> None:
    granted = trust(clerk_v1, refund, alice)
    autonomy.end(grant=granted, reason="a severe error", actor=SYSTEM, now=NOON)
    assert found.level_in_force(clerk_v1, refund, NOON) == (AutonomyLevel.REVIEW_ALL, None)
    with pytest.raises(autonomy.AlreadyEnded):
        autonomy.end(grant=granted, reason="again", actor=SYSTEM, now=NOON)
    assert LedgerEntry.objects.filter(verb="autonomy.ended").count() == 1


@pytest.mark.parametrize(
    "declared",
    [{"autonomy_cap": AutonomyLevel.REVIEW_ALL}, {"irreversible": True}, {"widens_rights": True}],
)
def test_no_grant_passes_the_cap(clerk_v1: AgentVersion, alice: User, declared: dict[str, object]) -> None:
    refund = make_refund_type(**declared)
    with pytest.raises(autonomy.AboveTheCap):
        trust(clerk_v1, refund, alice, AutonomyLevel.THRESHOLD)
    assert not AutonomyGrant.objects.exists()
    assert trust(clerk_v1, refund, alice, AutonomyLevel.SHADOW).level == "shadow"


@pytest.mark.parametrize("field", [{"reason": " "}, {"expires_at": NOON}])
def test_an_impossible_grant_is_not_made(
    clerk_v1: AgentVersion, refund: ActionType, alice: User, field: dict[str, object]
) -> None:
    asked: dict[str, object] = {"reason": "it earned this", **field}
    with pytest.raises(autonomy.UnableToGrant):
        autonomy.grant(
            agent_version=clerk_v1,
            action_type=refund,
            level=AutonomyLevel.THRESHOLD,
            granted_by=alice,
            now=NOON,
            **asked,  # type: ignore[arg-type]  # any field
        )
    assert not AutonomyGrant.objects.exists()


def test_a_lapsed_grant_can_be_followed_by_another(
    clerk_v1: AgentVersion, refund: ActionType, alice: User
) -> None:
    trust(clerk_v1, refund, alice, expires_at=NOON + timedelta(hours=1))
    later = NOON + timedelta(days=1)
    second = autonomy.grant(
        agent_version=clerk_v1,
        action_type=refund,
        level=AutonomyLevel.THRESHOLD,
        reason="still good",
        granted_by=alice,
        now=later,
    )
    assert found.level_in_force(clerk_v1, refund, later) == (AutonomyLevel.THRESHOLD, second)

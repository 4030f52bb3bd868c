"""A level that is tried on a share of the actions: which of them, and that asking again draws nothing new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hitl_site.lib.clock import database_now
from policies.choices import AutonomyLevel
from policies.models import AgentVersion
from policies.services import autonomy
from policies.services.autonomy import Terms
from reviews.choices import ActionState
from reviews.services import cancellations
from reviews.services.gatekeeping import canary_key, proposal_of
from reviews.tests.cast import Cast, cast, propose

__all__ = ["cast"]

pytestmark = pytest.mark.django_db


def grant(cast: Cast, *, share: float) -> None:
    autonomy.grant(
        agent_version=AgentVersion.objects.get(label="1"),
        action_type=cast.refund,
        level=AutonomyLevel.THRESHOLD,
        reason="tried",
        granted_by=cast.olga,
        certified=True,
        terms=Terms(canary_share=share, canary_base=AutonomyLevel.REVIEW_ALL),
        now=database_now(),
    )


def test_asking_again_for_the_same_act_does_not_draw_again(cast: Cast) -> None:
    grant(cast, share=0.5)
    answers = set()
    for number in range(24):
        action = propose(cast, confidence=0.99, idempotency_key=f"again-{number}")
        answers.add((action.state, action.created_at.astimezone(UTC).date()))
        if action.state == ActionState.PENDING_REVIEW:
            cancellations.cancel(action_id=action.public_id, agent=cast.clerk, now=database_now())

    # One answer a day, should the day have ended meanwhile.
    assert len(answers) == len({day for _, day in answers})


def test_other_acts_draw_for_themselves(cast: Cast) -> None:
    grant(cast, share=0.5)
    states = {
        propose(cast, confidence=0.99, idempotency_key=f"other-{number}", subject=f"customer-{number}").state
        for number in range(64)
    }

    assert states == {ActionState.ALLOWED, ActionState.PENDING_REVIEW}


def test_an_action_draws_the_same_when_it_is_judged_again_on_another_day(cast: Cast) -> None:
    grant(cast, share=0.5)
    action = propose(cast, confidence=0.99)
    again = proposal_of(action, arguments=action.arguments)

    assert action.likeness
    assert again.canary_key == canary_key(likeness=action.likeness, created_at=action.created_at)
    later = canary_key(likeness=action.likeness, created_at=action.created_at + timedelta(days=1))
    assert again.canary_key != later


def test_what_has_no_likeness_draws_for_itself() -> None:
    assert canary_key(likeness="", created_at=datetime(2026, 1, 1, tzinfo=UTC)) == ""

"""A week of the trust page says how much was wrong only where its labels can say so."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hitl_site.lib.clock import database_now
from policies.models import ScoreBin
from policies.selectors.trust import TrustFilter
from policies.services.agents import see_version
from reviews.selectors import trust_report
from reviews.tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("alone", "drawn", "wrong"),
    [(100, 0, None), (100, 10, (20 + 0) / (100 + 100)), (0, 0, 20 / 100)],
)
def test_held_actions_do_not_speak_for_what_ran_alone_unchecked(
    cast: Cast, alone: int, drawn: int, wrong: float | None
) -> None:
    now = database_now()
    # A hundred held ones, a fifth of them wrong, and checks at a tenth that found nothing.
    ScoreBin.objects.create(
        action_type=cast.refund,
        agent_version=see_version(agent=cast.clerk, label="1.0", now=now),
        day=now.date() - timedelta(days=7),
        bin=500,
        n=100 + alone,
        alone=alone,
        labelled=100 + drawn,
        held_labels=100,
        errors=20,
        w=100.0 + 10 * drawn,
        w2=100.0 + 100 * drawn,
        wy=20.0,
    )
    told = [week.wrong for week in trust_report.weeks(TrustFilter(), now=now)[""] if week.proposed]
    assert told == [wrong]

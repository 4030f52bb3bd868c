"""The simulated world: what it draws, and what the real ladder makes of it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from datasets.simulation.running import run
from datasets.simulation.stage import Rules
from datasets.simulation.table import story, table
from datasets.simulation.world import WORLDS, Crew, World, proposals_of
from hitl_site import servers
from policies.choices import AutonomyLevel
from policies.models import AutonomyGrant, AutonomyProposal

# Wide limits, so that a few hundred actions tell what thousands tell at the usual ones.
RULES = Rules(
    error_limit=0.25,
    ladder={
        "delta": 0.2,
        "threshold_days": 0,
        "canary_hours": 0,
        "canary_labels": 1,
        "canary_checked": 1.0,
        "audit_start": 0.5,
        "drift_run": 100,
    },
    per_day=200,
    tick=timedelta(hours=1),
)
CREW = Crew(hours_to_review=0.5, hours_to_check=1, late_share=0.05, late_hours=4)


def test_a_world_is_as_wrong_as_it_says_and_the_same_each_time() -> None:
    drift = list(proposals_of(WORLDS["drift"], actions=20_000, per_day=60, seed=1))
    before, after = drift[:10_000], drift[10_000:]

    assert 0.008 < sum(one.wrong for one in before) / 10_000 < 0.012
    assert 0.09 < sum(one.wrong for one in after) / 10_000 < 0.11
    assert drift == list(proposals_of(WORLDS["drift"], actions=20_000, per_day=60, seed=1))


def test_a_score_that_knows_is_surer_of_what_is_right() -> None:
    scored = list(proposals_of(WORLDS["scored"], actions=20_000, per_day=60, seed=1))
    sure = [one for one in scored if one.score >= 0.9]

    assert 0.05 < sum(one.wrong for one in scored) / len(scored) < 0.07
    assert sum(one.wrong for one in sure) / len(sure) < 0.02


@pytest.mark.django_db(transaction=True)
def test_a_good_agent_is_promoted_and_drift_brings_it_down(settings: Settings) -> None:
    settings.AUDIT_DRAW_SECRET = b"0" * 32
    world = World(name="drift2", title="2%, then 60%", before=0.02, after=0.6, change=240 / 280)

    told = run(world, actions=280, seed=1, rules=RULES, crew=CREW)

    promoted, demoted = told.steps
    assert (promoted.verb, promoted.before, promoted.after) == (
        "autonomy.granted",
        "review_all",
        "threshold",
    )
    assert (promoted.place, promoted.reviews, told.certified_after) == (116, 110, 103)
    assert (demoted.verb, demoted.before, demoted.after) == ("autonomy.demoted", "threshold", "review_all")
    assert demoted.because.startswith("The drift detector passed 100")
    assert (told.drift_to_demotion, told.demotions_before_drift) == (20, 0)
    assert told.intact
    assert AutonomyGrant.objects.get().certified
    assert "review 110: review_all -> threshold. The evidence is there" in story(told)
    assert "20 actions, 1 of 1" in table([told])


@pytest.mark.django_db(transaction=True)
def test_a_bad_agent_is_never_promoted(settings: Settings) -> None:
    settings.AUDIT_DRAW_SECRET = b"0" * 32
    world = World(name="bad", title="30%", before=0.3, after=0.3)

    told = run(world, actions=120, seed=1, rules=RULES, crew=CREW)

    assert (told.steps, told.alone, told.shipped, told.reviews) == ([], 0, 0, 120)
    assert told.certified_after is None
    assert not AutonomyProposal.objects.exists()
    assert not AutonomyGrant.objects.filter(level=AutonomyLevel.THRESHOLD).exists()
    assert told.intact


@pytest.mark.django_db
def test_a_database_that_holds_anything_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(servers.THROWAWAY, "1")

    with pytest.raises(CommandError, match="A simulation runs in an empty one"):
        call_command("simulate", actions=1)

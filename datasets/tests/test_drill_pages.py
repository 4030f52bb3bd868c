"""The pages of drills: made of past cases, looked at from both sides, approved by those who may."""

from __future__ import annotations

import pytest
from django.urls import reverse

from datasets.services import drills as making
from datasets.tests.base import label
from hitl_site.lib.clock import database_now
from reviews.choices import DecisionKind, SeedState
from reviews.models import DrillSeed
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import Cast, make_cast
from reviews.tests.drilling import decided

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def cases(cast: Cast) -> None:
    for kind in (DecisionKind.CORRECT, DecisionKind.REJECT, DecisionKind.APPROVE):
        decided(cast, kind)
    label()


def test_seeds_are_made_of_cases_with_the_kind_of_their_error(cast: Cast) -> None:
    cases(cast)
    made = making.make_seeds(action_type=cast.refund, wrong=5, right=5, made_by=cast.olga, now=database_now())
    assert made.problems == ()
    assert sorted(seed.error_kind for seed in made.seeds) == ["", "wrong_arguments", "wrong_value"]
    assert {seed.state for seed in made.seeds} == {SeedState.WAITING}
    again = making.make_seeds(
        action_type=cast.refund, wrong=5, right=5, made_by=cast.olga, now=database_now()
    )
    assert again.seeds == ()


def test_an_admin_makes_looks_at_approves_and_retires(cast: Cast) -> None:
    cases(cast)
    olga = browser_of(cast.olga)
    assert "No drills yet" in text_of(olga.get(reverse("datasets:drills")))
    form = {"action_type": "refund.issue", "wrong": "1", "right": "0"}
    assert olga.post(reverse("datasets:drills"), form).status_code == 302
    seed = DrillSeed.objects.get()
    page = olga.get(reverse("datasets:drill", args=[seed.public_id])).content.decode()
    assert "What would be proposed" in page
    assert "What is right" in page
    assert "SO-48213" not in page.split("What stands around it")[0].split("What would be proposed")[1]

    judged = reverse("datasets:drill_judge", args=[seed.public_id])
    olga.post(judged, {"state": "approved"})
    seed.refresh_from_db()
    assert (seed.state, seed.judged_by) == (SeedState.APPROVED, cast.olga)
    assert "Switched off: the rate is 0" in text_of(olga.get(reverse("datasets:drills")))
    olga.post(judged, {"state": "retired"})
    olga.post(judged, {"state": "approved"})
    seed.refresh_from_db()
    assert seed.state == SeedState.RETIRED


def test_a_form_that_asks_for_nothing_sensible_comes_back(cast: Cast) -> None:
    answer = browser_of(cast.olga).post(reverse("datasets:drills"), {"wrong": "-1", "right": "many"})
    assert answer.status_code == 422
    assert DrillSeed.objects.count() == 0


@pytest.mark.parametrize("name", ["alice", "dan"])
def test_reviewers_and_managers_do_not_see_what_drills_are_made_from(cast: Cast, name: str) -> None:
    cases(cast)
    (seed, *_) = making.make_seeds(
        action_type=cast.refund, wrong=1, right=0, made_by=cast.olga, now=database_now()
    ).seeds
    client = browser_of(getattr(cast, name))
    assert client.get(reverse("datasets:drills")).status_code == 403
    assert client.get(reverse("datasets:drill", args=[seed.public_id])).status_code == 403
    judged = client.post(reverse("datasets:drill_judge", args=[seed.public_id]), {"state": "approved"})
    assert judged.status_code == 403
    seed.refresh_from_db()
    assert seed.state == SeedState.WAITING

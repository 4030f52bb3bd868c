"""Before the press: which levels a text would end because it goes by another score than the one before."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client

from policies.choices import AutonomyLevel
from policies.engine.ladder import Evals
from policies.engine.ladder import _evals as eval_conditions
from policies.models import ActionType, AgentVersion, AutonomyGrant
from policies.selectors.score_changes import score_change
from policies.services import policies, publications
from policies.services.agents import see_version
from policies.tests.base import make_policy, make_refund_type
from policies.tests.people import browser_of, text_of
from policies.tests.test_ladder import QUICK
from policies.tests.test_ladder_terms import JUDGED, certify, level, publish
from policies.tests.test_publications import draft, make_admin
from policies.tests.track_record import Record

pytestmark = pytest.mark.django_db

PUBLISH = "/policies/refund.issue/publish/"


@pytest.fixture
def refund(db: None) -> ActionType:
    return make_refund_type(error_limit=0.3, ladder=QUICK)


@pytest.fixture
def record(clerk_v1: AgentVersion, refund: ActionType, alice: User) -> Record:
    make_policy(refund, alice, threshold=0.5, audit_rate=0.5)
    return Record(clerk_v1)


@pytest.fixture
def olga(record: Record) -> Client:
    return browser_of(make_admin("olga"))


def write(refund: ActionType, **change: object) -> None:
    draft(refund, User.objects.get(username="olga"), **{"threshold": 0.5, "audit_rate": 0.5, **change})


def test_what_the_page_names_is_what_ends(
    record: Record, refund: ActionType, alice: User, olga: Client
) -> None:
    certify(record, refund, alice, AutonomyLevel.THRESHOLD, threshold=0.7, audit_rate=0.5)
    other = Record(see_version(agent=record.version.agent, label="2", now=record.clock.now))
    certify(other, refund, alice, AutonomyLevel.AUTONOMOUS, audit_rate=0.5)
    write(refund, score="judge")
    page = text_of(olga.get(PUBLISH))
    assert '<b class="num">1</b> level rests on a threshold that was certified of that score' in page
    assert "from 70.0% on" in page
    assert f"/autonomy/{record.version.public_id}/refund.issue/" in page
    assert f"/autonomy/{other.version.public_id}/refund.issue/" not in page

    found = score_change(refund, {**JUDGED})
    assert found is not None
    named = {grant.pk for grant in found.ends}
    held = set(AutonomyGrant.objects.filter(ended_at=None).values_list("pk", flat=True))
    publish(record, refund, alice, JUDGED)
    after = set(AutonomyGrant.objects.filter(ended_at=None).values_list("pk", flat=True))
    assert held - after == named
    assert (level(record, refund), level(other, refund)) == ("review_all", "autonomous")


def test_a_text_with_the_same_score_ends_nothing_and_the_page_says_nothing_of_it(
    record: Record, refund: ActionType, alice: User, olga: Client
) -> None:
    certify(record, refund, alice, AutonomyLevel.THRESHOLD, threshold=0.7, audit_rate=0.5)
    write(refund, threshold=0.6)
    assert "What ends with it" not in text_of(olga.get(PUBLISH))
    assert score_change(refund, refund.policy_versions.get(state="draft").document) is None


def test_another_score_without_any_such_level_is_said_too(
    record: Record, refund: ActionType, olga: Client
) -> None:
    write(refund, score="judge")
    page = text_of(olga.get(PUBLISH))
    assert "No level rests on a threshold of that score, so none ends." in page


def test_whoever_approves_and_whoever_goes_back_is_told_as_well(
    record: Record, refund: ActionType, alice: User, olga: Client
) -> None:
    certify(record, refund, alice, AutonomyLevel.THRESHOLD, threshold=0.7, audit_rate=0.5)
    write(refund, score="judge", threshold=0.4)
    version = refund.policy_versions.get(state="draft")
    asked = publications.ask(
        version=version,
        person=User.objects.get(username="olga"),
        reason="The judge knows better",
        content_sha256=version.content_sha256,
        publish_at=None,
        now=record.clock.tick(),
    )
    assert asked.state == "open"
    second = browser_of(make_admin("pete"))
    assert '<b class="num">1</b> level rests' in text_of(
        second.get(f"/policies/publications/{asked.public_id}/")
    )

    publications.withdraw(
        publication=asked, person=User.objects.get(username="olga"), reason="No", now=record.clock.tick()
    )
    policies.put_in_force(
        action_type=refund, document=JUDGED, author=alice, reason="The judge", now=record.clock.tick()
    )
    certify(record, refund, alice, AutonomyLevel.THRESHOLD, threshold=0.8, audit_rate=0.5)
    first = refund.policy_versions.order_by("number")[0]
    page = text_of(second.get(f"/policies/refund.issue/v/{first.number}/rollback/"))
    assert '<b class="num">1</b> level rests' in page


@pytest.mark.parametrize(
    ("failed", "words"),
    [
        (None, "No eval run of this version has finished."),
        (0, "It passes every case that people corrected earlier."),
        (1, "It does not pass 1 case that a person corrected earlier."),
        (7, "It does not pass 7 cases that people corrected earlier."),
    ],
)
def test_the_ladder_says_plainly_how_an_eval_went(failed: int | None, words: str) -> None:
    (condition,) = eval_conditions(Evals(required=True, failed_corrections=failed))
    assert (condition.says, condition.met) == (words, failed == 0)

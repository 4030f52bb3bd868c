"""Handing an agent over makes nobody independent of what it proposed while it was theirs."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, User
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from policies.choices import AutonomyLevel
from policies.models import Agent
from policies.selectors import owners
from policies.services import agents, autonomy
from policies.services.agents import Limits
from policies.services.autonomy import UnableToGrant
from policies.services.ledger import Actor
from reviews.choices import DecisionKind
from reviews.models import ActionRequest, Decision, Permit, ReviewItem
from reviews.selectors import inbox, people
from reviews.services import claims, deadlines, passing_on, permits, rights
from reviews.services.answers import InvalidAnswer
from reviews.tests.browsing import browser_of, open_form
from reviews.tests.cast import REFUND, Cast, decide_as, held, make_person

WEEK = timedelta(days=7)


def hand_over(cast: Cast, to: User | None) -> None:
    agents.change_agent(
        agent=cast.clerk,
        owner=to,
        description="",
        limits=Limits(),
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    cast.clerk.refresh_from_db()


@pytest.mark.parametrize("successor", ["olga", None])
def test_who_hands_an_agent_over_decides_on_nothing_it_proposed_before(
    cast: Cast, successor: str | None
) -> None:
    item = held(cast)
    hand_over(cast, cast.olga if successor else None)
    with pytest.raises(rights.NotAllowed, match="owned this agent until lately"):
        decide_as(cast.carol, item)
    with pytest.raises(rights.NotAllowed):
        claims.claim(item_id=item.public_id, reviewer=cast.carol, now=database_now())
    with pytest.raises(claims.NothingToClaim):
        claims.claim_next(reviewer=cast.carol, now=database_now())
    assert not inbox.my_turn(cast.carol).exists()
    assert not people.receivers_of(item, sender=cast.carol).exists()
    assert cast.carol not in people.receivers_of(item, sender=cast.bob)
    with pytest.raises(InvalidAnswer):
        passing_on.escalate(
            item_id=item.public_id,
            reviewer=cast.carol,
            note="please",
            item_version=item.version,
            to_user=cast.alice,
            now=database_now(),
        )
    assert not Decision.objects.exists()
    assert decide_as(cast.alice, item).decision.terminal


def test_nor_on_what_it_proposes_in_the_week_after_and_then_like_anybody(cast: Cast) -> None:
    hand_over(cast, cast.olga)
    end = database_now() + WEEK
    soon = held(cast, now=end - timedelta(minutes=1))
    later = held(cast, now=end + timedelta(minutes=1), arguments={**REFUND, "order": "SO-9"})
    assert [each.pk for each in inbox.my_turn(cast.carol)] == [later.pk]
    with pytest.raises(rights.NotAllowed):
        decide_as(cast.carol, soon)
    assert decide_as(cast.carol, later).decision.terminal


def test_an_agent_given_back_and_away_again_counts_from_the_last_time(cast: Cast) -> None:
    hand_over(cast, cast.olga)
    first = cast.clerk.former_owners[owners.key_of(cast.carol.pk)]
    hand_over(cast, cast.carol)
    hand_over(cast, None)
    kept = cast.clerk.former_owners
    assert set(kept) == {owners.key_of(cast.carol.pk), owners.key_of(cast.olga.pk)}
    # One transaction has several moments by the clock of the database.
    assert kept[owners.key_of(cast.carol.pk)] > first


def test_the_database_remembers_owners_whatever_a_statement_says(cast: Cast) -> None:
    Agent.objects.filter(pk=cast.clerk.pk).update(owner=cast.olga, former_owners={})
    Agent.objects.filter(pk=cast.clerk.pk).update(former_owners={"u1": "2000-01-01T00:00:00+00:00"})
    cast.clerk.refresh_from_db()
    assert set(cast.clerk.former_owners) == {owners.key_of(cast.carol.pk)}
    cast.clerk.former_owners = {}
    cast.clerk.save()
    cast.clerk.refresh_from_db()
    assert set(cast.clerk.former_owners) == {owners.key_of(cast.carol.pk)}


def test_the_database_takes_no_answer_of_a_former_owner(cast: Cast) -> None:
    item = held(cast)
    decide_as(cast.alice, item, DecisionKind.REJECT)
    hand_over(cast, cast.olga)
    copy = "INSERT INTO reviews_decision SELECT (jsonb_populate_record(d, %s)).* FROM reviews_decision d"
    with (
        connection.cursor() as cursor,
        pytest.raises(DatabaseError, match="owns an agent"),
        transaction.atomic(),
    ):
        cursor.execute(
            copy, [json.dumps({"id": 10**9, "public_id": ids.new("dec"), "reviewer_id": cast.carol.pk})]
        )
    assert Decision.objects.get().reviewer == cast.alice


def test_an_approval_of_who_owned_the_agent_since_lets_nothing_run(cast: Cast) -> None:
    item = held(cast)
    decide_as(cast.alice, item)
    deadlines.release_due(now=database_now() + timedelta(hours=1))
    permit = Permit.objects.get(action=item.action_id)
    hand_over(cast, cast.alice)
    hand_over(cast, cast.carol)
    with pytest.raises(permits.NoLongerAllowed):
        permits.consume(
            permit_id=permit.public_id,
            agent=cast.clerk,
            digest=permit.digest,
            consume_key="one",
            now=database_now(),
        )
    permit.refresh_from_db()
    assert permit.consumed_at is None


def test_of_several_approvals_that_of_a_former_owner_does_not_count(cast: Cast) -> None:
    item = held(cast)
    ReviewItem.objects.filter(pk=item.pk).update(approvals_required=2)
    decide_as(cast.alice, item)
    hand_over(cast, cast.alice)
    hand_over(cast, cast.olga)
    item.refresh_from_db()
    assert not decide_as(cast.bob, item).decision.terminal
    item.refresh_from_db()
    assert decide_as(make_person("Rita", "reviewer"), item).decision.terminal


def test_who_just_handed_an_agent_over_grants_it_nothing(cast: Cast) -> None:
    cast.carol.groups.set(Group.objects.filter(name__in=["manager", "ops_admin"]))
    version = cast.clerk.versions.get()
    hand_over(cast, cast.olga)
    with pytest.raises(UnableToGrant, match="own this agent"):
        autonomy.override(
            agent_version=version,
            action_type=cast.refund,
            level=AutonomyLevel.AUTONOMOUS,
            reason="mine was good",
            granted_by=cast.carol,
            expires_at=None,
            now=database_now(),
        )


def test_over_http_an_admin_who_hands_their_agent_over_decides_no_more_than_before(cast: Cast) -> None:
    """An ops admin who also reviews needs nobody for the hand-over; it gives them no vote."""
    cast.carol.groups.set(Group.objects.filter(name__in=["ops_admin", "reviewer"]))
    item = held(cast)
    browser = browser_of(cast.carol)
    details = reverse("policies:agent_change", args=[cast.clerk.public_id])
    answer = browser.post(details, {"details-owner": str(cast.olga.pk), "details-description": "Refunds"})
    assert answer.status_code == 302, answer.status_code
    cast.clerk.refresh_from_db()
    assert cast.clerk.owner == cast.olga
    shown = browser.get(reverse("reviews:review", args=[item.public_id]))
    assert "You owned this agent until lately" in shown.content.decode()
    fields = open_form(browser_of(cast.alice), item)
    fields.pop("token")
    answer = browser.post(reverse("reviews:decide", args=[item.public_id]), {**fields, "kind": "approve"})
    assert answer.status_code == 403, answer.status_code
    assert not Decision.objects.exists()
    assert ActionRequest.objects.get(pk=item.action_id).state == "pending_review"

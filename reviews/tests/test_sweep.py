"""The sweep does all that is due, and nothing that is not; a row that cannot be done holds up no other."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

import pytest

from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry
from reviews.choices import ActionState, ItemKind, ItemStatus
from reviews.models import ActionRequest, Execution, Permit, ReviewItem
from reviews.services import deadlines, permits, sweep
from reviews.services.due_rows import work_off
from reviews.tests.api_client import Api, read
from reviews.tests.cast import Cast, decide_as, held, propose

pytestmark = pytest.mark.django_db

LATER = timedelta(seconds=6)


def entries(verb: str) -> int:
    return LedgerEntry.objects.filter(verb=verb).count()


def test_one_sweep_does_everything_that_is_due(cast: Cast) -> None:
    now = database_now()
    answered = held(cast, timeout="2h")
    late = held(cast, timeout="1m")
    waiting = held(cast, timeout="1h")
    unused = propose(cast, action_type="note.add", arguments={"text": "a"})
    used = propose(cast, action_type="note.add", arguments={"text": "b"})
    permit = Permit.objects.get(action=used)
    run = permits.consume(
        permit_id=permit.public_id, agent=cast.clerk, digest=permit.digest, consume_key="k", now=now
    ).execution
    decide_as(cast.alice, answered, now=now)

    assert sweep.run(now=now + timedelta(hours=0.6)) == 5
    assert ActionRequest.objects.get(pk=answered.action_id).state == ActionState.APPROVED
    assert ActionRequest.objects.get(pk=late.action_id).state == ActionState.EXPIRED
    assert ReviewItem.objects.get(pk=waiting.pk).reminded_at is not None
    assert Execution.objects.get(pk=run.pk).outcome == "unknown"
    assert Permit.objects.get(action=unused).expired_at is not None
    # The permit that the release has just issued runs out by the same moment's clock, but later.
    assert Permit.objects.get(action_id=answered.action_id).expired_at is None
    assert sweep.run(now=now + timedelta(hours=0.6)) == 0


def test_a_permit_that_ran_out_unused_is_written_down_once(cast: Cast) -> None:
    action = propose(cast, action_type="note.add", arguments={"text": "a"})
    permit = Permit.objects.get(action=action)
    assert deadlines.expire_permits(now=permit.expires_at - timedelta(milliseconds=1)) == 0
    assert deadlines.expire_permits(now=permit.expires_at) == 1
    assert deadlines.expire_permits(now=permit.expires_at + LATER) == 0
    entry = LedgerEntry.objects.get(verb="permit.expired")
    assert (entry.actor_kind, entry.object_id, entry.action_id) == (
        "system",
        permit.public_id,
        action.public_id,
    )


def test_a_permit_that_was_used_or_revoked_does_not_expire(cast: Cast) -> None:
    now = database_now()
    used, revoked = (
        Permit.objects.get(action=propose(cast, action_type="note.add", arguments={"text": text}))
        for text in ("a", "b")
    )
    permits.consume(permit_id=used.public_id, agent=cast.clerk, digest=used.digest, consume_key="k", now=now)
    Permit.objects.filter(pk=revoked.pk).update(revoked_at=now, revoke_reason="no longer")
    assert deadlines.expire_permits(now=now + timedelta(days=2)) == 0
    assert entries("permit.expired") == 0


def test_a_lost_run_asks_a_person_to_find_out(cast: Cast) -> None:
    action = propose(cast, action_type="note.add", arguments={"text": "a"})
    permit = Permit.objects.get(action=action)
    run = permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=permit.digest,
        consume_key="k",
        now=database_now(),
    ).execution
    assert deadlines.end_leases(now=run.lease_until) == 1
    assert deadlines.end_leases(now=run.lease_until + LATER) == 0
    item = ReviewItem.objects.get(action=action, kind=ItemKind.INCIDENT)
    assert (item.status, item.incident.kind, item.incident.execution) == (
        ItemStatus.OPEN,
        "outcome_unknown",
        run,
    )
    assert (entries("execution.outcome_unknown"), entries("incident.opened")) == (1, 1)


@pytest.mark.parametrize("batch", [1, 2, 3, 200])
def test_rows_that_raise_keep_nothing_from_those_behind_them(
    cast: Cast, caplog: pytest.LogCaptureFixture, batch: int
) -> None:
    items = [held(cast, timeout="1m") for _ in range(5)]
    bad = {items[n].action_id for n in (0, 1, 3)}

    def act(key: int, now: datetime) -> bool:
        if key in bad:
            raise RuntimeError("this row is bad")
        ActionRequest.objects.filter(pk=key).update(title="done")
        return True

    pending = ActionRequest.objects.filter(state=ActionState.PENDING_REVIEW)
    with caplog.at_level(logging.ERROR):
        done = work_off(pending, due="expires_at", act=act, now=items[-1].due_at, batch=batch)
    assert done == 2
    assert set(pending.exclude(title="done").values_list("pk", flat=True)) == bad
    keys = [items[n].action_id for n in (0, 1, 3)]
    logged = [record.getMessage() for record in caplog.records]
    assert logged == [f"row {key} of a sweep failed and will be tried again" for key in keys]


def test_an_act_that_fails_as_a_whole_keeps_no_other_from_its_turn(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    item = held(cast, timeout="1m")

    def broken(*, now: datetime) -> int:
        raise LookupError("nothing to be had")

    with caplog.at_level(logging.ERROR):
        assert sweep.run(now=item.due_at, acts=(broken, deadlines.expire_due)) == 1
    assert ActionRequest.objects.get(pk=item.action_id).state == ActionState.EXPIRED
    assert "broken failed as a whole" in caplog.text


def test_the_sweeper_sleeps_until_the_next_thing_is_due(cast: Cast) -> None:
    now = database_now()
    assert sweep.next_due(now=now) is None
    item = held(cast, timeout="1h")
    assert sweep.next_due(now=now) == item.remind_at
    decided = decide_as(cast.alice, item, now=now)
    assert sweep.next_due(now=now) == decided.decision.release_at
    # What is due has been tried at that very moment; the next thing is what comes after it.
    assert sweep.next_due(now=decided.decision.release_at) == item.due_at


def test_the_agent_reads_that_its_permit_was_used_or_ran_out(cast: Cast) -> None:
    api = Api(cast.token)
    action = propose(cast, action_type="note.add", arguments={"text": "a"})
    path = f"/actions/{action.public_id}"
    permit = read(api.get(path))["permit"]
    assert permit["state"] == "unused"
    deadlines.expire_permits(now=Permit.objects.get().expires_at)
    assert read(api.get(path))["permit"] == {**permit, "state": "expired"}

    other = propose(cast, action_type="note.add", arguments={"text": "b"})
    good = Permit.objects.get(action=other)
    permits.consume(
        permit_id=good.public_id,
        agent=cast.clerk,
        digest=good.digest,
        consume_key="k",
        now=database_now(),
    )
    assert read(api.get(f"/actions/{other.public_id}"))["permit"]["state"] == "used"

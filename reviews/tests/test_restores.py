"""A database restored from a backup: nothing that was out when the backup was made runs on it (B2)."""

from __future__ import annotations

import io

import pytest
from django.core.management import CommandError, call_command

from hitl_site.lib.clock import database_now
from policies.models import KillSwitch, LedgerEntry
from policies.services import kill_switch
from reviews.models import Execution, Permit
from reviews.services import permits, stops
from reviews.tests.cast import Cast, held, propose

pytestmark = pytest.mark.django_db


def after_restore(*arguments: str) -> str:
    out = io.StringIO()
    call_command("after_restore", "--reason", "Restored the backup of noon", *arguments, stdout=out)
    return out.getvalue()


def consume(cast: Cast, permit: Permit) -> permits.Consumed:
    return permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=permit.digest,
        consume_key="the run after the restore",
        now=database_now(),
    )


def test_a_permit_that_may_have_been_used_since_the_backup_is_not_used_again(cast: Cast) -> None:
    permit = propose(cast, confidence=0.95).permits.get()  # as the backup has it: unused
    told = after_restore()

    assert "Permits taken back: 1." in told
    stop = KillSwitch.objects.get()
    assert f"manage.py lift {stop.public_id}" in told
    assert (stop.scope, stop.reason, stop.lifted_at) == ("everything", "Restored the backup of noon", None)
    kill_switch.lift(kill_switch=stop, reason="Looked at", lifted_by=cast.olga, now=database_now())
    with pytest.raises(permits.PermitRevoked):
        consume(cast, permit)
    assert not Execution.objects.exists()
    entry = LedgerEntry.objects.get(verb="permit.revoked")
    assert (entry.object_id, entry.actor_name) == (permit.public_id, "command line")


def test_doing_it_twice_is_doing_it_once_and_what_ran_stays_as_it_ran(cast: Cast) -> None:
    ran = consume(cast, propose(cast, confidence=0.95).permits.get()).execution
    propose(cast, confidence=0.95)
    after_restore()
    assert "Permits taken back: 0." in after_restore()
    assert KillSwitch.objects.count() == 1
    assert LedgerEntry.objects.filter(verb="permit.revoked").count() == 1
    assert Permit.objects.get(execution=ran).revoked_at is None


def test_what_waits_goes_on_waiting_or_is_closed_where_that_was_asked(cast: Cast) -> None:
    item = held(cast)
    after_restore()
    stops.close_pending(now=database_now())
    item.refresh_from_db()
    assert item.status == "open"
    after_restore("--reject-pending")
    stops.close_pending(now=database_now())
    item.action.refresh_from_db()
    assert item.action.state == "denied"


def test_without_a_reason_nothing_is_done(cast: Cast) -> None:
    permit = propose(cast, confidence=0.95).permits.get()
    with pytest.raises(CommandError):
        call_command("after_restore", "--reason", " ")
    assert not KillSwitch.objects.exists()
    assert not consume(cast, permit).replayed

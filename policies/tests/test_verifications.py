"""Verifications as jobs: one at a time, taken over when a worker dies, and they name the first bad place."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import LazySettings

from hitl_site.lib.clock import database_now
from policies import tasks
from policies.choices import VerificationState
from policies.models import LedgerVerification
from policies.services import checkpoints, ledger, verifications
from policies.services.verifications import Ran
from policies.tests.base import NOON, make_user, recorded
from policies.tests.test_ledger import tamper, write

if TYPE_CHECKING:
    from django.contrib.auth.models import User

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_folders(settings: LazySettings, tmp_path: Path) -> None:
    settings.CHECKPOINT_FILE = tmp_path / "checkpoints.txt"
    settings.CHECKPOINT_KEY_DIR = tmp_path / "keys"


@pytest.fixture
def auditor(transactional_db: None) -> User:
    return make_user("auditor")


def chain(length: int) -> None:
    write(length)
    while ledger.link_entries(now=NOON):
        pass


def ask(auditor: User, now: datetime = NOON) -> LedgerVerification:
    return verifications.request(asked_by=auditor, now=now)


def at(moment: datetime) -> verifications.Clock:
    return lambda: moment


def test_a_whole_chain_is_verified_to_its_end(auditor: User) -> None:
    chain(5)
    asked = ask(auditor)
    assert (asked.state, asked.total) == (VerificationState.QUEUED, 5)
    assert verifications.to_do(now=NOON) == [asked.public_id]
    assert verifications.run(verification_id=asked.public_id, clock=at(NOON)) == Ran.FINISHED
    asked.refresh_from_db()
    assert (asked.state, asked.verified, asked.first_bad_seq) == (VerificationState.DONE, 5, None)
    assert asked.last_hash == ledger.verify().last_hash
    assert verifications.to_do(now=NOON) == []
    assert [told["verified"] for told in recorded("ledger.verified")] == [5]


def test_asking_twice_is_one_run(auditor: User) -> None:
    assert ask(auditor) == ask(auditor)
    assert len(recorded("ledger.verification_requested")) == 1


def test_the_first_bad_place_is_named(auditor: User) -> None:
    chain(5)
    tamper("UPDATE policies_ledgerentry SET actor_name = 'mallory' WHERE object_id = 'thing-2'")
    asked = ask(auditor)
    verifications.run(verification_id=asked.public_id, clock=at(NOON))
    asked.refresh_from_db()
    assert (asked.state, asked.verified, asked.first_bad_seq) == (VerificationState.DONE, 2, 3)
    assert asked.problem == "The entry is not the one that was linked."
    assert [told["first_bad_seq"] for told in recorded("ledger.found_broken")] == [3]


def test_a_chain_that_is_shorter_than_was_signed_is_found(auditor: User) -> None:
    chain(5)
    checkpoints.sign_due(now=NOON)
    checkpoints.copy_out()
    tamper("DELETE FROM policies_ledgerlink WHERE seq > 3")
    asked = ask(auditor)
    verifications.run(verification_id=asked.public_id, clock=at(NOON))
    asked.refresh_from_db()
    assert (asked.verified, asked.first_bad_seq) == (3, 4)
    assert "a checkpoint was signed at 5" in asked.problem


def test_a_slice_that_ends_leaves_the_rest_to_the_next(
    auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifications, "STEP", 2)
    chain(5)
    asked = ask(auditor)
    turns = [
        verifications.run(verification_id=asked.public_id, clock=at(NOON), slice_seconds=0) for _ in range(4)
    ]
    assert turns == [Ran.TO_BE_CONTINUED] * 3 + [Ran.FINISHED]
    asked.refresh_from_db()
    assert (asked.verified, asked.attempts) == (5, 1)


def test_a_dead_workers_run_is_taken_over_where_it_stopped(
    auditor: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifications, "STEP", 2)
    chain(5)
    asked = ask(auditor)
    later = NOON + verifications.SILENT_AFTER + timedelta(seconds=1)
    seen: list[Ran] = []

    def dies_after_a_step() -> datetime:
        row = LedgerVerification.objects.get()
        if row.verified == 0:
            return NOON
        # This worker hangs here; another finds its row silent, and ends the run.
        if not seen:
            assert verifications.to_do(now=NOON) == []
            assert verifications.run(verification_id=asked.public_id, clock=at(NOON)) == Ran.NOT_OURS
            assert verifications.to_do(now=later) == [asked.public_id]
            seen.append(verifications.run(verification_id=asked.public_id, clock=at(later)))
        return NOON

    # The one that hung comes back, and changes nothing any more.
    assert verifications.run(verification_id=asked.public_id, clock=dies_after_a_step) == Ran.NOT_OURS
    assert seen == [Ran.FINISHED]
    asked.refresh_from_db()
    assert (asked.state, asked.verified, asked.attempts) == (VerificationState.DONE, 5, 2)
    assert len(recorded("ledger.verified")) == 1


def test_a_run_that_kills_its_workers_ends(auditor: User) -> None:
    asked = ask(auditor)
    LedgerVerification.objects.update(attempts=verifications.MAX_ATTEMPTS)
    assert verifications.run(verification_id=asked.public_id, clock=at(NOON)) == Ran.NOT_OURS
    asked.refresh_from_db()
    assert asked.state == VerificationState.FAILED
    assert "died 5 times" in asked.problem
    assert len(recorded("ledger.verification_failed")) == 1
    assert ask(auditor) != asked


def test_the_sweeper_finds_what_a_lost_hint_left(auditor: User) -> None:
    chain(3)
    asked = ask(auditor, database_now())
    tasks.sweep_verifications()
    asked.refresh_from_db()
    assert (asked.state, asked.verified) == (VerificationState.DONE, 3)


def test_the_sequencers_task_signs_and_copies_out(settings: LazySettings) -> None:
    write(3)
    tasks.link_ledger()
    assert settings.CHECKPOINT_FILE.read_text().count("— ") == 1
    settings.CHECKPOINT_FILE.unlink()
    settings.CHECKPOINT_FILE.mkdir()
    write(3)
    tasks.link_ledger()  # what cannot be copied out holds nothing up
    assert ledger.verify().verified == 7

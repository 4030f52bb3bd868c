"""Checkpoints: signed in time, copied out once, and what a rewritten chain looks like beside them."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.test import Client

from hitl_site.lib.signed_note import parse_all
from policies.models import LedgerCheckpoint, LedgerEntry, LedgerLink
from policies.services import checkpoint_keys, checkpoints, ledger
from policies.tests.base import NOON, recorded
from policies.tests.test_ledger import tamper, write

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_folders(settings: LazySettings, tmp_path: Path) -> None:
    settings.CHECKPOINT_FILE = tmp_path / "outside" / "checkpoints.txt"
    settings.CHECKPOINT_KEY_DIR = tmp_path / "keys"
    settings.CHECKPOINT_ENTRIES, settings.CHECKPOINT_SECONDS = 10, 60


def go_on(entries: int, *, now: datetime = NOON) -> LedgerCheckpoint | None:
    """Write and link entries, and sign if that is due."""
    write(entries)
    while ledger.link_entries(now=now):
        pass
    return checkpoints.sign_due(now=now)


def file() -> Path:
    from django.conf import settings

    return Path(settings.CHECKPOINT_FILE)


def sizes() -> list[int]:
    return [int(note.text.split("\n")[1]) for note in parse_all(file().read_text())]


def verify(*, keys: list[str] | None = None) -> str:
    out = io.StringIO()
    call_command("verify_ledger", checkpoints=file(), key=keys or [], stdout=out)
    return out.getvalue()


def test_nothing_is_signed_while_there_is_nothing() -> None:
    assert checkpoints.sign_due(now=NOON) is None
    assert checkpoints.copy_out() == 0
    assert not file().exists()
    assert Client().get("/.well-known/handrail-checkpoint").status_code == 404


def test_a_checkpoint_is_due_after_enough_entries_or_enough_time() -> None:
    first = go_on(3)
    assert first is not None
    assert (first.seq, first.hash) == (3, LedgerLink.objects.get(seq=3).hash)
    # The key's own entry is the fourth; nine since the last one are not enough, ten are.
    assert go_on(8) is None
    tenth = go_on(1)
    assert tenth is not None
    assert tenth.seq == 13
    assert go_on(1, now=NOON + timedelta(seconds=59)) is None
    later = checkpoints.sign_due(now=NOON + timedelta(seconds=60))
    assert later is not None
    assert later.seq == 14
    assert checkpoints.sign_due(now=NOON + timedelta(days=9)) is None


def test_the_file_gets_each_checkpoint_once_and_what_it_missed() -> None:
    go_on(3)
    assert checkpoints.copy_out() == 1
    go_on(10)
    go_on(10)
    assert checkpoints.copy_out() == 2
    assert checkpoints.copy_out() == 0
    assert sizes() == list(LedgerCheckpoint.objects.order_by("seq").values_list("seq", flat=True))
    assert file().stat().st_mode & 0o777 == 0o600


def test_a_write_that_was_cut_off_is_passed_over_and_written_again() -> None:
    go_on(3)
    checkpoints.copy_out()
    whole = file().read_text()
    go_on(10)
    file().write_text(whole + "localhost/handrail\n1")
    assert checkpoints.copy_out() == 1
    assert sizes() == [3, 14]
    assert "agrees with 2 checkpoints." in verify()


def test_the_newest_checkpoint_and_its_keys_are_published() -> None:
    go_on(3)
    answer = Client().get("/.well-known/handrail-checkpoint")
    (note,) = parse_all(answer.content.decode())
    assert answer.headers["Content-Type"].startswith("text/plain")
    keys = Client().get("/.well-known/handrail-checkpoint-keys").content.decode().split()
    assert keys == [checkpoint_keys.newest().verifier.text]
    assert note.is_signed_by(checkpoint_keys.newest().verifier)


def test_a_chain_computed_anew_holds_and_is_not_the_one_that_was_signed() -> None:
    for _ in range(3):
        go_on(10)
    checkpoints.copy_out()
    assert "agrees with 3 checkpoints." in verify()
    tamper(
        "UPDATE policies_ledgerentry SET actor_name = 'mallory'"
        " WHERE id = (SELECT entry_id FROM policies_ledgerlink WHERE seq = 15)"
    )
    assert ledger.verify().first_bad_seq == 15
    previous = LedgerLink.objects.get(seq=14).hash
    for link in LedgerLink.objects.select_related("entry").filter(seq__gte=15).order_by("seq"):
        digest = ledger.link_hash(seq=link.seq, previous_hash=previous, entry=link.entry)
        tamper(
            f"UPDATE policies_ledgerlink SET previous_hash = '{previous}', hash = '{digest}'"
            f" WHERE seq = {link.seq}"
        )
        previous = digest
    assert ledger.verify().is_intact
    with pytest.raises(CommandError, match="at seq 11: Between 11 and 21") as refused:
        verify()
    assert refused.value.returncode == 1


def test_a_chain_that_was_cut_off_holds_and_is_too_short() -> None:
    for _ in range(3):
        go_on(10)
    checkpoints.copy_out()
    tamper("DELETE FROM policies_ledgerlink WHERE seq > 25")
    assert ledger.verify().is_intact
    with pytest.raises(CommandError, match="at seq 26: The chain ends at 25; a checkpoint was signed at 31"):
        verify()


def test_an_altered_file_is_no_witness() -> None:
    go_on(3)
    checkpoints.copy_out()
    file().write_text(file().read_text().replace("\n3\n", "\n2\n"))
    with pytest.raises(CommandError, match="not genuine"):
        verify()
    file().write_text("nothing at all")
    with pytest.raises(CommandError, match="holds no checkpoint"):
        verify()
    file().unlink()
    with pytest.raises(CommandError, match="cannot be read"):
        verify()


def test_a_new_key_signs_and_the_ledger_says_so() -> None:
    from django.conf import settings

    go_on(3)
    old = checkpoint_keys.newest().verifier
    call_command("rotate_checkpoint_key", stdout=io.StringIO(), stderr=io.StringIO())
    new = checkpoint_keys.newest().verifier
    signed = go_on(10)
    assert signed is not None
    assert (signed.key_id, old.id != new.id) == (new.id.hex(), True)
    assert [(told["before"], told["after"], told["key"]) for told in recorded(checkpoints.KEY_CHANGED)] == [
        (None, old.id.hex(), old.text),
        (old.id.hex(), new.id.hex(), new.text),
    ]
    checkpoints.copy_out()
    assert "agrees with 2 checkpoints." in verify()
    assert "agrees with 2 checkpoints." in verify(keys=[old.text, new.text])
    with pytest.raises(CommandError, match="None of the given keys"):
        verify(keys=[new.text])
    assert {path.stat().st_mode & 0o777 for path in settings.CHECKPOINT_KEY_DIR.iterdir()} == {0o600}


def test_a_lost_key_and_a_lost_file_leave_a_chain_that_verifies() -> None:
    from django.conf import settings

    go_on(3)
    old = checkpoint_keys.newest().verifier
    for path in settings.CHECKPOINT_KEY_DIR.iterdir():
        path.unlink()
    file().unlink(missing_ok=True)
    assert ledger.verify().is_intact
    assert go_on(10) is not None
    new = checkpoint_keys.newest().verifier
    assert new != old
    # The ledger names the lost key's public part, so the old notes still count as signed.
    assert set(checkpoints.known_keys()) == {old, new}
    assert checkpoints.copy_out() == 2
    assert "agrees with 2 checkpoints." in verify()


def test_without_any_key_the_hashes_alone_are_compared() -> None:
    go_on(3)
    checkpoints.copy_out()
    found = checkpoints.compare(notes=file().read_text(), keys=())
    assert (found.holds, found.compared, found.signed) == (True, 1, 0)


def test_while_another_links_nothing_is_signed() -> None:
    write(3)
    ledger.link_entries(now=NOON)
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [ledger.SEQUENCER_LOCK])
        assert checkpoints.sign_due(now=NOON) is None
    finally:
        other.close()
    assert LedgerEntry.objects.count() == 3
    assert checkpoints.sign_due(now=NOON) is not None


def test_a_checkpoint_never_changes() -> None:
    from django.db import IntegrityError

    go_on(3)
    with pytest.raises(IntegrityError), transaction.atomic():
        LedgerCheckpoint.objects.update(hash="0" * 64)

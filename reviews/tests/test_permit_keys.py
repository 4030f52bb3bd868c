"""The keys that sign permits: rotated while everything runs, published with overlap, stolen ones refused."""

from __future__ import annotations

import json
import stat
import threading
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry, LedgerPayload
from policies.services.ledger import Actor
from reviews.models import Permit
from reviews.services import permit_keys
from reviews.tests.api_client import Api, assert_problem, content_of
from reviews.tests.cast import Cast, propose

COMMAND = Actor.system("command line")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with override_settings(PERMIT_KEY_DIR=tmp_path / "keys"):
        yield tmp_path / "keys"


def rotate(hours: float = 25) -> permit_keys.Rotation:
    return permit_keys.rotate(retire_after=timedelta(hours=hours), actor=COMMAND, now=database_now())


def kid_of(token: str) -> str:
    header: dict[str, str] = json.loads(urlsafe_b64decode(token.split(".")[0] + "=="))
    return header["kid"]


def published() -> dict[str, Any]:
    return {key["kid"]: key for key in permit_keys.public_keys(now=database_now())["keys"]}


def verifies(token: str) -> bool:
    keys = KeySet([OKPKey.import_key(key) for key in published().values()])
    try:
        jws.deserialize_compact(token, keys, algorithms=["Ed25519"])
    except (JoseError, ValueError):
        return False
    return True


@pytest.mark.django_db
def test_a_rotation_signs_with_the_new_key_and_keeps_the_old_permits_good(folder: Path) -> None:
    old = permit_keys.sign({"jti": "prm_1"})
    rotation = rotate()
    new = permit_keys.sign({"jti": "prm_2"})

    assert rotation.before == kid_of(old)
    assert kid_of(new) == rotation.kid
    assert list(published()) == [rotation.kid, kid_of(old)]
    assert verifies(old)
    assert verifies(new)
    assert [kid for kid, _ in rotation.retiring] == [kid_of(old)]


@pytest.mark.django_db
def test_only_the_key_that_signs_has_a_private_half_and_nobody_else_may_read_it(folder: Path) -> None:
    permit_keys.sign({})
    rotate()
    rotate()
    files = sorted(folder.glob("*.json"))
    assert [("d" in json.loads(file.read_text())) for file in files] == [False, False, True]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert all("d" not in key and "retire_at" not in key for key in published().values())
    assert not list(folder.glob("*.new"))


@pytest.mark.django_db
def test_a_retired_key_is_published_no_longer(folder: Path) -> None:
    old = permit_keys.sign({})
    now = database_now()
    rotate(hours=1)
    later = now + timedelta(hours=2)
    assert kid_of(old) not in {key["kid"] for key in permit_keys.public_keys(now=later)["keys"]}
    permit_keys.rotate(retire_after=timedelta(hours=1), actor=COMMAND, now=later)
    assert len(list(folder.glob("*.json"))) == 2


@pytest.mark.django_db
def test_a_second_rotation_never_puts_off_the_end_of_a_key(folder: Path) -> None:
    permit_keys.sign({})
    first = rotate(hours=1)
    second = rotate(hours=100)
    assert second.retiring[0] == first.retiring[0]


@pytest.mark.django_db
def test_a_stolen_key_is_gone_at_once(folder: Path) -> None:
    stolen = permit_keys.sign({})
    (file,) = folder.glob("*.json")
    thief = OKPKey.import_key(json.loads(file.read_text()))
    rotation = rotate(hours=0)
    assert rotation.removed == (kid_of(stolen),)
    header = {"alg": "Ed25519", "typ": permit_keys.TYPE, "kid": kid_of(stolen)}
    forged = jws.serialize_compact(header, b"{}", thief, algorithms=["Ed25519"])
    assert not verifies(forged)
    assert not verifies(stolen)


def test_a_forged_permit_with_a_stolen_key_is_unknown_to_the_online_consume(cast: Cast, folder: Path) -> None:
    permit = propose(cast, confidence=0.95).permits.get()
    forged = "prm_019a9a9a9a9a7a9a9a9a9a9a9a9a9a9a"
    answer = Api(cast.token).post(
        f"/permits/{forged}/consume", {"digest": permit.digest, "execution_key": "run-1"}
    )
    assert_problem(answer, 404, "not-found")
    assert Permit.objects.get().consumed_at is None


@pytest.mark.django_db
def test_a_rotation_is_in_the_ledger_with_the_key_before_and_after(folder: Path) -> None:
    old = permit_keys.sign({})
    said = StringIO()
    call_command("rotate_permit_key", "--retire-after", "2d", stdout=said)
    entry = LedgerEntry.objects.get(verb="permit_key.rotated")
    body = LedgerPayload.objects.get(entry=entry).body
    assert body is not None
    new = kid_of(permit_keys.sign({}))
    assert (body["before"], body["after"]) == ({"kid": kid_of(old)}, {"kid": new})
    assert list(body["retiring"]) == [kid_of(old)]
    assert said.getvalue().splitlines()[0] == f"{new} signs from now on."


@pytest.mark.django_db
@pytest.mark.parametrize("wrong", ["", "1", "-1h", "1w", "1.5h", "367d", "h", "\u0661h"])
def test_a_wrong_duration_rotates_nothing(folder: Path, wrong: str) -> None:
    before = kid_of(permit_keys.sign({}))
    with pytest.raises(CommandError):
        call_command("rotate_permit_key", f"--retire-after={wrong}")
    assert kid_of(permit_keys.sign({})) == before


@pytest.mark.django_db
def test_another_process_takes_up_a_key_that_it_did_not_make(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = kid_of(permit_keys.sign({}))
    seen = permit_keys._ring
    new = rotate().kid
    # As a process that looked before the rotation, in the second in which it does not look again, and after.
    monkeypatch.setattr(permit_keys, "_ring", seen)
    monkeypatch.setattr(permit_keys, "_LOOK_AGAIN_SECONDS", 1e9)
    assert kid_of(permit_keys.sign({})) == old
    monkeypatch.setattr(permit_keys, "_LOOK_AGAIN_SECONDS", 0.0)
    assert kid_of(permit_keys.sign({})) == new


@pytest.mark.django_db
def test_the_first_key_is_on_record_from_the_first_start_and_once(folder: Path) -> None:
    start = Actor.system("start")
    assert permit_keys.ensure_recorded(actor=start, now=database_now())
    (kid,) = published()
    entry = LedgerEntry.objects.get()
    assert (entry.verb, entry.object_id) == ("permit_key.found", kid)
    assert not permit_keys.ensure_recorded(actor=start, now=database_now())
    rotate()
    assert not permit_keys.ensure_recorded(actor=start, now=database_now())
    assert LedgerEntry.objects.count() == 2


def test_many_processes_that_start_at_once_make_one_first_key(folder: Path) -> None:
    barrier = threading.Barrier(8)

    def first() -> None:
        barrier.wait()
        permit_keys._make_first(folder)

    threads = [threading.Thread(target=first) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(folder.glob("*.json"))) == 1


def test_signing_never_meets_half_a_file_while_keys_are_rotated(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    permit_keys.sign({})
    monkeypatch.setattr(permit_keys, "_LOOK_AGAIN_SECONDS", 0.0)
    over = threading.Event()
    tokens: list[str] = []
    failures: list[BaseException] = []

    def keep_signing() -> None:
        try:
            while not over.is_set():
                tokens.append(permit_keys.sign({"n": len(tokens)}))
        except BaseException as error:
            failures.append(error)

    signers = [threading.Thread(target=keep_signing) for _ in range(3)]
    for signer in signers:
        signer.start()
    now = datetime.now(UTC)
    for _ in range(20):
        permit_keys._change_files(folder, retire_after=timedelta(hours=1), now=now)
    over.set()
    for signer in signers:
        signer.join()
    assert failures == []
    keys = {key["kid"] for key in permit_keys.public_keys(now=now)["keys"]}
    assert {kid_of(token) for token in tokens} <= keys


def test_a_clock_that_was_set_back_does_not_bring_an_old_key_to_the_front(folder: Path) -> None:
    permit_keys.sign({})
    (file,) = folder.glob("*.json")
    file.rename(folder / f"{2**62:020d}-ffffffff.json")
    now = datetime.now(UTC)
    rotation = permit_keys._change_files(folder, retire_after=timedelta(hours=1), now=now)
    permit_keys.forget()
    assert kid_of(permit_keys.sign({})) == rotation.kid


@pytest.mark.django_db
def test_the_published_set_may_be_kept_for_a_minute_and_asked_for_again_cheaply(folder: Path) -> None:
    first = Client().get("/.well-known/jwks.json")
    assert first["Cache-Control"] == "public, max-age=60, must-revalidate"
    same = Client().get("/.well-known/jwks.json", headers={"if-none-match": first["ETag"]})
    assert (same.status_code, content_of(same)) == (304, b"")
    rotate()
    changed = Client().get("/.well-known/jwks.json", headers={"if-none-match": first["ETag"]})
    assert (changed.status_code, len(json.loads(content_of(changed))["keys"])) == (200, 2)

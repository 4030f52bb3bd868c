"""Where the embedded servers live, and what they refuse."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from hitl_site.lib import embedded
from hitl_site.lib.embedded import accounts, binaries, places

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to give up its rights")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the servers' account can pass through; pytest's own is closed to it."""
    made = Path(tempfile.mkdtemp(prefix="handrail-places-", dir=places.temporary_parent()))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def shared_data(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(places, "SHARED_DATA", folder / "shared")
    return folder / "shared"


def test_both_servers_are_found_without_importing_their_packages() -> None:
    found = binaries.locate()
    assert os.access(found.postgres, os.X_OK)
    assert os.access(found.initdb, os.X_OK)
    assert os.access(found.valkey, os.X_OK)


def test_data_lives_in_the_home_folder(folder: Path, shared_data: Path) -> None:
    place = embedded.choose(folder / "home")
    assert place.data == folder / "home"
    assert place.sockets == folder / "home" / "run" / "sockets"
    assert place.sockets.stat().st_mode & 0o777 == 0o700
    assert not shared_data.exists()


def test_a_long_path_gets_short_sockets(folder: Path, shared_data: Path) -> None:
    home = folder / ("long" * 30)
    place = embedded.choose(home)
    try:
        assert place.data == home
        assert len(os.fsencode(place.sockets)) <= places.LONGEST_SOCKET_FOLDER
        assert place.sockets.stat().st_mode & 0o777 == 0o700
        assert embedded.choose(home).sockets == place.sockets
    finally:
        shutil.rmtree(place.sockets)


@needs_root
def test_root_gives_its_rights_to_an_account_without_login() -> None:
    account = accounts.for_servers(Path("/nowhere"))
    assert account is not None
    assert account.uid != 0


@needs_root
def test_a_home_that_the_account_cannot_reach_is_not_opened(folder: Path, shared_data: Path) -> None:
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    place = embedded.choose(closed / "home")
    assert place.data.parent == shared_data
    assert place.account is not None
    assert places.reaches(place.account, place.data)
    assert closed.stat().st_mode & 0o777 == 0o700


@needs_root
def test_binaries_that_the_account_cannot_reach_are_copied_once(
    folder: Path, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = binaries.locate()
    package = found.postgres.parents[2]
    closed = folder / "closed"
    closed.mkdir(mode=0o700)
    shutil.copytree(package / "pginstall", closed / package.name / "pginstall", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, closed / libraries.name)
    hidden = binaries.Binaries(
        postgres=closed / found.postgres.relative_to(package.parent), valkey=found.valkey
    )
    monkeypatch.setattr(binaries, "locate", lambda: hidden)
    place = embedded.choose(folder / "home")
    assert place.account is not None
    assert not binaries.usable_by(place.account)(hidden)
    assert binaries.usable_by(place.account)(place.binaries)
    assert place.binaries.postgres.is_relative_to(shared_data)
    before = place.binaries.postgres.stat().st_ctime_ns
    again = embedded.choose(folder / "home").binaries
    assert again == place.binaries
    assert again.postgres.stat().st_ctime_ns == before
    assert closed.stat().st_mode & 0o777 == 0o700


@needs_root
def test_root_runs_existing_data_as_its_owner(folder: Path, shared_data: Path) -> None:
    data = folder / "home" / "postgres"
    data.mkdir(parents=True)
    os.chown(data, 12345, 12345)
    account = accounts.for_servers(folder / "home")
    assert account is not None
    assert (account.uid, account.gid) == (12345, 12345)


@needs_root
@pytest.mark.parametrize(
    ("name", "words"), [("root", "must not be root"), ("no-such-account", "does not exist")]
)
def test_an_unusable_account_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, words: str) -> None:
    monkeypatch.setenv("HANDRAIL_RUN_AS", name)
    with pytest.raises(embedded.CannotServe, match=words):
        accounts.for_servers(Path("/nowhere"))


@needs_root
def test_a_socket_folder_of_somebody_else_is_refused(folder: Path) -> None:
    os.chown(folder, 12345, 12345)
    with pytest.raises(embedded.CannotServe, match="belongs to another user"):
        places.make_private(folder, None)
    assert folder.stat().st_mode & 0o777 == 0o755


def test_a_link_in_place_of_a_socket_folder_is_refused(folder: Path) -> None:
    link = folder / "link"
    link.symlink_to(folder)
    with pytest.raises(embedded.CannotServe, match="belongs to another user"):
        places.make_private(link, None)


def test_data_of_another_major_version_is_refused_untouched(folder: Path, shared_data: Path) -> None:
    place = embedded.choose(folder / "home")
    data = place.data / "postgres"
    data.mkdir()
    (data / "PG_VERSION").write_text("15\n")
    with pytest.raises(embedded.CannotServe, match="made by PostgreSQL 15") as refusal:
        embedded.Postgres(place).prepare()
    assert "pg_dump" in str(refusal.value)
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]

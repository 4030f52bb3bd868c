"""Whom the servers run as when we are root: PostgreSQL refuses root, and root is more than Valkey needs."""

from __future__ import annotations

import logging
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from hitl_site.lib import env
from hitl_site.lib.embedded.errors import CannotServe
from hitl_site.lib.supervision import Account

logger = logging.getLogger(__name__)

OWN_ACCOUNT = "handrail"


def for_servers(data: Path) -> Account | None:
    """Return the account for servers whose files are (or will be) in ``data``; None means ourselves.

    As root: ``HANDRAIL_RUN_AS``, else the owner of existing data, else ``handrail``, made when it is missing.
    """
    if os.geteuid() != 0:
        return None
    wanted = env.text("HANDRAIL_RUN_AS")
    if wanted:
        return _named(wanted)
    if (data / "postgres").exists() and (owner := (data / "postgres").stat().st_uid) != 0:
        return _numbered(owner)
    return _existing(OWN_ACCOUNT) or _made() or _borrowed()


def _named(name: str) -> Account:
    account = _existing(name)
    if account is None:
        raise CannotServe(f"HANDRAIL_RUN_AS names the account {name!r}, which does not exist.")
    if account.uid == 0:
        raise CannotServe("HANDRAIL_RUN_AS must not be root: PostgreSQL refuses to run as root.")
    return account


def _existing(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)


def _numbered(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # made in another container, say: the number is what counts
        return Account(name=str(uid), uid=uid, gid=uid)
    return Account(name=entry.pw_name, uid=uid, gid=entry.pw_gid)


def _made() -> Account | None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return None
    argv = [useradd, "--system", "--no-create-home", "--home-dir", "/nonexistent", "--user-group"]
    subprocess.run(  # noqa: S603 - argv is made by us, no shell
        [*argv, "--shell", "/usr/sbin/nologin", OWN_ACCOUNT], capture_output=True, check=False
    )
    account = _existing(OWN_ACCOUNT)  # also when another start made it a moment ago
    if account is not None:
        logger.info("Made the system account %s (no login) for the embedded servers.", OWN_ACCOUNT)
    return account


def _borrowed() -> Account:
    for name in ("postgres", "_postgres", "daemon", "nobody"):
        account = _existing(name)
        if account is not None and account.uid != 0:
            logger.warning(
                "Could not make the account %s; the embedded servers run as %s, an account that other"
                " programs may share. Set HANDRAIL_RUN_AS to one of your own.",
                OWN_ACCOUNT,
                name,
            )
            return account
    raise CannotServe(
        "No unprivileged account found. Set HANDRAIL_RUN_AS to one, or start as an ordinary user."
    )

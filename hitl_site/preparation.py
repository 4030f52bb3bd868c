"""What a start does to database and folder before the first request: what is needed, safe to repeat."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from hitl_site import catalogs, database_roles
from hitl_site.lib.clock import database_now
from policies.services import accounts
from policies.services.ledger import Actor
from reviews.services import permit_keys

ADMIN = "admin"


@dataclass(frozen=True)
class Installation:
    """What is known of an installation between its starts, kept in ``installation.json``."""

    demo: str = "declined"  # wanted, done or declined: settled by the first start alone
    static: str = ""  # fingerprint of the static files that were collected last


def load(path: Path) -> Installation:
    """Return what the last start wrote, or the defaults."""
    try:
        return Installation(**json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return Installation()


def save(path: Path, installation: Installation) -> None:
    """Write it down, whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(installation)), encoding="utf-8")
    part.replace(path)


def is_new() -> bool:
    """Return whether no schema was ever made in this database."""
    return "django_migrations" not in connection.introspection.table_names()


def migrate() -> int:
    """Apply the migrations that are missing; return how many.

    Never skipped: it also makes the groups and permissions, which an interrupted start may have left out.
    """
    with database_roles.as_owner():
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    call_command("migrate", interactive=False, verbosity=0)
    return len(plan)


def collect_static(installation: Installation) -> Installation:
    """Collect the static files unless none of them changed since the last time."""
    fingerprint = static_fingerprint()
    if installation.static == fingerprint and Path(settings.STATIC_ROOT).is_dir():
        return installation
    call_command("collectstatic", interactive=False, verbosity=0)
    return replace(installation, static=fingerprint)


def compile_catalogs() -> str:
    """Compile the catalogues that changed; return why it could not be done, "" where it could."""
    try:
        catalogs.compile_all(Path(settings.BASE_DIR))
    except OSError as problem:
        return str(problem)
    return ""


def static_fingerprint() -> str:
    """Return a digest of the names, sizes and times of all static files."""
    digest = hashlib.sha256(str(settings.STORAGES["staticfiles"]).encode())
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def ensure_keys() -> None:
    """Have a key that permits are signed with, and in the ledger which one it is."""
    permit_keys.ensure_recorded(actor=Actor.system("start"), now=database_now())


def ensure_admin(password: str) -> str | None:
    """Make the first administrator; return its password, None when there is an administrator already."""
    if User.objects.filter(is_superuser=True).exists():
        return None
    chosen = password or secrets.token_urlsafe(12)
    accounts.make_person(
        name=ADMIN,
        password=chosen,
        is_superuser=True,
        actor=Actor.system("first start"),
        now=database_now(),
    )
    return chosen

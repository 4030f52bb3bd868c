"""No committed change without an entry: a tour through every act, watched from inside the database."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.db import connection, transaction

from policies.models import ActionType
from policies.services import ledger
from policies.services.ledger import Actor
from reviews.tests.cast import make_cast
from tests.contracts import changes, tour

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_folders(settings: LazySettings, tmp_path: Path) -> None:
    settings.CHECKPOINT_FILE = tmp_path / "checkpoints.txt"
    settings.CHECKPOINT_KEY_DIR = tmp_path / "keys"
    settings.EXPORT_DIR = tmp_path / "exports"


def test_every_committed_change_has_an_entry() -> None:
    cast = make_cast()
    with changes.watch() as watched:
        tour.everything(cast)
        assert watched.unrecorded() == []
        # The tour proves something of a table only by changing it: a new table wants a leg in tour.py.
        assert changes.state_tables() - watched.tables() == set()
    assert ledger.verify().is_intact


def test_what_is_exempt_is_there() -> None:
    with connection.cursor() as cursor:
        tables = set(connection.introspection.table_names(cursor))
    assert set(changes.EXEMPT) <= tables
    assert set(changes.SILENT) | set(changes.ADDED_SILENTLY) <= changes.state_tables()


def test_the_watch_sees_a_change_without_an_entry() -> None:
    cast = make_cast()
    with changes.watch() as watched:
        ActionType.objects.filter(pk=cast.refund.pk).update(title="Refunded")
        assert [(found.table, found.operation) for found in watched.unrecorded()] == [
            ("policies_actiontype", "UPDATE")
        ]


def test_the_watch_forgives_what_is_recorded_rolled_back_or_silent() -> None:
    cast = make_cast()
    now = cast.refund.updated_at
    with changes.watch() as watched:
        with transaction.atomic():
            ActionType.objects.filter(pk=cast.refund.pk).update(title="Refunded")
            ledger.record(actor=Actor.system(), verb="a.b", object_kind="x", object_id="y", now=now)
        with transaction.atomic():
            User.objects.update(is_active=False)
            transaction.set_rollback(True)
        type(cast.clerk).objects.update(last_seen_at=now)
        assert watched.unrecorded() == []
        assert watched.tables() == {"policies_actiontype"}

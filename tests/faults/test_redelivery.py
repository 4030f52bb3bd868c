"""Every Celery task delivered three times in any order leaves what one delivery leaves (F7)."""

from __future__ import annotations

import inspect
import json
import random
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from celery import Task, current_app
from django.db import connection
from pytest_django import Settings

from datasets.choices import DataKind
from datasets.models import Export, Freezing
from datasets.services import exporting, freezing, freezings, retention
from datasets.tests.base import make_dataset, many_cases
from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry, LedgerLink, LedgerVerification
from reviews.choices import DecisionKind
from reviews.models import ActionRequest, Decision, Execution, IngestRow, Permit
from reviews.services import replays
from reviews.tests.api_client import Api
from reviews.tests.cast import Cast, decide_as, held, make_cast, propose

APPS = ("reviews.", "policies.", "datasets.")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_f07_tasks_delivered_three_times_in_any_order_do_what_one_delivery_does(
    tmp_path: Path, settings: Settings, seed: int
) -> None:
    """F7: all handlers look at rows; a second delivery finds nothing left to do."""
    settings.EXPORT_DIR = tmp_path
    known = _scene()
    deliveries = [task for task in _tasks() for _ in range(3)]
    random.Random(seed).shuffle(deliveries)
    # Once more at the end, as beat would: a task that came before its cause finds it then.
    for task in [*deliveries, *_tasks()]:
        task.apply(kwargs=_arguments(task, known), throw=True)
    assert _outcome() == {
        "actions": {"approved": 1, "rejected": 1, "expired": 2, "allowed": 1, "observed": 5},
        "rows": {"done": 5},
        "decisions released": 2,
        "permits": 2,
        "executions": {"unknown": 1},
        "exports": {"done": 1},
        "released": 2,
        "expired": 2,
        "observed": 5,
        "unknown": 1,
        "unlinked": 0,
    }
    last = LedgerLink.objects.order_by("-seq").values_list("seq", flat=True)[0]
    assert last == LedgerLink.objects.count()


def _scene() -> dict[str, str]:
    """Make something for every task to do."""
    many_cases(20)
    version = freezing.freeze(dataset_id=make_dataset().public_id, frozen_by=None, now=database_now()).version
    cast = make_cast()
    for person, kind in ((cast.alice, DecisionKind.APPROVE), (cast.bob, DecisionKind.REJECT)):
        earlier = database_now() - timedelta(minutes=1)
        item = held(cast, idempotency_key=kind.value, now=earlier)
        decide_as(person, item, kind, now=earlier)
    for number in range(2):
        held(cast, idempotency_key=f"late-{number}")
    _let_pass(cast)
    permit = propose(cast, idempotency_key="runs", action_type="note.add", confidence=1).permits.get()
    consumed = Api(cast.token).post(
        f"/permits/{permit.public_id}/consume", {"digest": permit.digest, "execution_key": "k"}
    )
    assert consumed.status_code == 200
    Execution.objects.update(lease_until=database_now() - timedelta(seconds=1))
    lines = [
        {"action_type": "note.add", "arguments": {"n": n}, "mode": "observed", "idempotency_key": f"o{n}"}
        for n in range(5)
    ]
    body = "\n".join(json.dumps(line) for line in lines).encode()
    assert (
        Api(cast.token).post("/actions/batch", body, content_type="application/x-ndjson").status_code == 200
    )
    export = exporting.request(version_id=version.public_id, requested_by=None, now=database_now())
    verification = LedgerVerification.objects.create(
        public_id="ver_f07", asked_by_name="a test", asked_at=database_now()
    )
    question = replays.request(
        action_type=cast.refund,
        conditions=["args.amount > 5 && args.amount < 9"],
        days=30,
        total=1,
        asked_by=cast.olga,
        now=database_now(),
    )
    retention.set_rule(kind=DataKind.EXPORTS, action_type="", keep_days=30, by=cast.olga, now=database_now())
    removal = retention.begin_if_due(now=database_now())
    assert removal is not None
    large = make_dataset(name="Large")
    freezings.ask(dataset_id=large.public_id, asked_by=None, now=database_now(), at_once=0)
    return {
        "freezing_id": Freezing.objects.get().public_id,
        "batch_id": IngestRow.objects.values_list("batch_id", flat=True).distinct().get(),
        "export_id": export.public_id,
        "verification_id": verification.public_id,
        "run_id": question.public_id,
        "removal_id": removal.public_id,
    }


def _let_pass(cast: Cast) -> None:
    """Let the deadlines of the open items pass."""
    past = database_now() - timedelta(seconds=1)
    open_ones = ActionRequest.objects.filter(items__status="open", items__agent=cast.clerk)
    ActionRequest.objects.filter(pk__in=open_ones.values("pk")).update(expires_at=past)


def _tasks() -> list[Task]:
    current_app.loader.import_default_modules()
    return [task for name, task in sorted(current_app.tasks.items()) if name.startswith(APPS)]


def _arguments(task: Task, known: dict[str, str]) -> dict[str, str]:
    """Return what the task must be told: the ids of rows, and nothing else."""
    parameters = inspect.signature(task.run).parameters.values()
    named = [each.name for each in parameters if each.kind is not each.VAR_KEYWORD]
    return {name: known[name] for name in named}


def _outcome() -> dict[str, object]:
    verbs = Counter(LedgerEntry.objects.values_list("verb", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM policies_ledgerentry e LEFT JOIN policies_ledgerlink l ON l.entry_id = e.id"
            " WHERE l.seq IS NULL"
        )
        (unlinked,) = cursor.fetchone()
    return {
        "actions": Counter(ActionRequest.objects.values_list("state", flat=True)),
        "rows": Counter(IngestRow.objects.values_list("state", flat=True)),
        "decisions released": Decision.objects.exclude(released_at=None).count(),
        "permits": Permit.objects.count(),
        "executions": Counter(Execution.objects.values_list("outcome", flat=True)),
        "exports": Counter(Export.objects.values_list("state", flat=True)),
        "released": verbs["decision.released"],
        "expired": verbs["action.expired"],
        "observed": verbs["action.observed"],
        "unknown": verbs["execution.outcome_unknown"],
        "unlinked": unlinked,
    }

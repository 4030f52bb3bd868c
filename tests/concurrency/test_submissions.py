"""The same proposal many times at once is one action; batches that overlap neither lose nor double a line."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from hitl_site.lib.clock import database_now
from policies.models import AgentVersion, GateCheck, LedgerEntry
from reviews.adapters import submission as wire
from reviews.models import ActionRequest, IngestRow, Permit, ReviewItem
from reviews.services import ingest, observed, working_off
from reviews.tests.api_client import Api, read
from reviews.tests.cast import REFUND, Cast, make_cast
from tests.concurrency.threads import at_once, errors, values

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def cast(transactional_db: None) -> Cast:
    return make_cast()


def line(key: str, **body: Any) -> wire.BatchLine:
    return wire.read_line(
        {
            "action_type": "refund.issue",
            "arguments": REFUND,
            "agent_version": "1",
            "mode": "observed",
            "idempotency_key": key,
            **body,
        }
    )


def accept(cast: Cast, lines: list[wire.BatchLine]) -> list[observed.Accepted | ingest.UnableToSubmit]:
    return observed.accept(key=cast.key, lines=lines, request_id="", now=database_now())


@pytest.mark.parametrize("confidence", [0.71, 0.95])
def test_one_key_in_twenty_requests_at_once_is_one_action(cast: Cast, confidence: float) -> None:
    def ask() -> tuple[int, str, str]:
        response = Api(cast.token).propose(confidence=confidence)
        return (
            response.status_code,
            read(response).get("id", ""),
            response.headers.get("Idempotent-Replayed", ""),
        )

    ended = at_once(*(ask for _ in range(20)))

    assert errors(ended) == []
    answers = values(ended)
    assert sorted(status for status, _, _ in answers) == [200] * 19 + [201]
    assert {action_id for _, action_id, _ in answers} == {ActionRequest.objects.get().public_id}
    assert all((status == 200) == (replayed == "true") for status, _, replayed in answers)
    assert GateCheck.objects.count() == 1
    assert ReviewItem.objects.count() + Permit.objects.count() == 1
    assert LedgerEntry.objects.filter(verb__in=["action.held", "action.allowed"]).count() == 1


def test_one_key_with_two_bodies_at_once_lets_one_in(cast: Cast) -> None:
    def ask(amount: int) -> int:
        return Api(cast.token).propose(arguments={**REFUND, "amount": amount}).status_code

    ended = at_once(*(partial(ask, amount) for amount in range(6)))
    assert sorted(values(ended)) == [201] + [422] * 5
    assert ActionRequest.objects.count() == 1


def test_a_new_version_seen_by_many_at_once_is_one_version(cast: Cast) -> None:
    def ask(number: int) -> int:
        return Api(cast.token).propose(key=f"k-{number}", agent_version="fresh").status_code

    ended = at_once(*(partial(ask, number) for number in range(8)))
    assert values(ended) == [201] * 8
    assert AgentVersion.objects.filter(label="fresh").count() == 1
    assert LedgerEntry.objects.filter(verb="agent.version_seen").count() == 2  # the cast's own, and this one


def test_batches_that_share_keys_in_another_order_neither_wait_for_ever_nor_store_twice(cast: Cast) -> None:
    for turn in range(4):
        lines = [line(f"{turn}-{number}") for number in range(60)]
        ended = at_once(
            *(partial(accept, cast, each) for each in (lines, lines[::-1], lines[30:] + lines[:30], lines))
        )
        assert errors(ended) == []
        rows = {row.idempotency_key: row.public_id for row in IngestRow.objects.all()}
        assert sum(key.startswith(f"{turn}-") for key in rows) == 60
        fresh = 0
        for answers in values(ended):
            for accepted in answers:
                assert isinstance(accepted, observed.Accepted)
                assert accepted.id == rows[accepted.idempotency_key]
                fresh += not accepted.replayed
        assert fresh == 60


def test_batches_over_http_at_once_store_each_line_once(cast: Cast) -> None:
    body = [line(f"k-{number}").model_dump(mode="json", exclude_defaults=True) for number in range(30)]

    def send(lines: list[dict[str, Any]]) -> list[int]:
        return [each["status"] for each in read(Api(cast.token).post("/actions/batch", lines))["results"]]

    ended = at_once(partial(send, body), partial(send, body[::-1]), partial(send, body[15:] + body[:15]))
    assert sorted(itertools.chain(*values(ended))) == [200] * 60 + [202] * 30
    assert IngestRow.objects.count() == 30


def test_a_row_worked_off_by_many_at_once_is_one_action(cast: Cast) -> None:
    accept(cast, [line(f"k-{number}") for number in range(5)])

    def work() -> int:
        return sum(working_off.work_off(row_id=row, now=database_now()) for row in working_off.rows_to_do())

    ended = at_once(*(work for _ in range(6)))
    done = sum(values(ended)) + work()
    assert (errors(ended), done) == ([], 5)
    assert ActionRequest.objects.count() == 5
    assert set(IngestRow.objects.values_list("state", flat=True)) == {"done"}


def test_agents_do_not_wait_for_each_other(cast: Cast) -> None:
    """Different keys at once: everyone gets an action of their own."""
    asks: list[Callable[[], int]] = [
        partial(lambda n: Api(cast.token).propose(key=f"k-{n}").status_code, number) for number in range(12)
    ]
    assert values(at_once(*asks)) == [201] * 12
    assert ActionRequest.objects.count() == ReviewItem.objects.count() == 12

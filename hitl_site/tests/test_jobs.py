"""Hints: what the broker gets, also over a connection that died meanwhile or belongs to a parent."""

from __future__ import annotations

import base64
import json
import os
import threading
import uuid
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection, transaction

from hitl_site.lib import jobs

pytestmark = pytest.mark.django_db(transaction=True)

TASK = "reviews.ingest_batch"


@pytest.fixture
def broker() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL)


def hinted(broker: redis.Redis, batch_id: str) -> int:
    """Return how many messages of the queue name this batch."""
    return sum(batch_id.encode() in _body(message) for message in broker.lrange("celery", 0, -1))


def _body(message: bytes | str) -> bytes:
    return base64.b64decode(json.loads(message)["body"])


def new_batch() -> str:
    return f"bat_{uuid.uuid4().hex}"


def test_a_hint_is_sent_once_and_only_after_the_commit(broker: redis.Redis) -> None:
    batch = new_batch()
    with transaction.atomic():
        jobs.hint(TASK, batch_id=batch)
        assert hinted(broker, batch) == 0
    assert hinted(broker, batch) == 1


def test_a_kept_connection_that_died_is_replaced_and_the_hint_goes_out_once(broker: redis.Redis) -> None:
    jobs.hint(TASK, batch_id=new_batch())
    # Its own number there, asked over that very connection.
    channel: Any = jobs._line.open().default_channel
    kept = channel.client.client_id()
    assert broker.client_kill_filter(_id=kept) == 1

    batch = new_batch()
    jobs.hint(TASK, batch_id=batch)
    assert hinted(broker, batch) == 1


def test_threads_do_not_share_a_connection(broker: redis.Redis) -> None:
    batches = [new_batch() for _ in range(40)]

    def hint_some(mine: list[str]) -> None:
        for batch in mine:
            jobs.hint(TASK, batch_id=batch)
        connection.close()

    threads = [threading.Thread(target=hint_some, args=(batches[at::4],)) for at in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [hinted(broker, batch) for batch in batches] == [1] * 40


def test_a_forked_child_does_not_use_the_connection_of_its_parent(broker: redis.Redis) -> None:
    jobs.hint(TASK, batch_id=new_batch())
    parents = jobs._line.open()
    child = os.fork()
    if child == 0:
        os._exit(int(jobs._line.open() is parents))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert jobs._line.open() is parents

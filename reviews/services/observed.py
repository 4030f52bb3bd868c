"""Observed actions in batches: stored whole before the answer, and taken through the gate afterwards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import orjson
from django.db import IntegrityError, connection, transaction

from hitl_site.lib import ids, rows
from hitl_site.lib.canonical import digest_of_canonical
from policies.models import AgentKey
from reviews.adapters import submission as wire
from reviews.choices import IngestState
from reviews.models import IngestRow
from reviews.services.ingest import EnvironmentNotAllowed, IdempotencyKeyReused, UnableToSubmit

# Each key is one look into the index of keys: the sums keep the planner to it. To a table that it knows
# nothing of yet, all that the agent ever did looks as short as one key of it.
_SINGLE: Final = """SELECT found.* FROM jsonb_array_elements_text(%(keys)s::jsonb) asked, LATERAL (
        SELECT used.idempotency_key, used.public_id, 'done', used.body_digest
        FROM reviews_actionrequest used
        WHERE used.idempotency_key = asked.value AND used.agent_id + 0 = %(agent)s LIMIT 1
    ) found
"""
_OF_BATCHES: Final = """SELECT found.* FROM jsonb_array_elements_text(%(keys)s::jsonb) asked, LATERAL (
        SELECT line.idempotency_key, line.public_id, line.state, line.body_digest
        FROM reviews_ingestrow line
        WHERE line.idempotency_key = asked.value AND line.agent_id + 0 = %(agent)s LIMIT 1
    ) found
"""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A line of a batch that is stored: it will be worked off, or has been."""

    id: str
    idempotency_key: str
    state: IngestState
    digest: str
    batch_id: str
    replayed: bool


@transaction.atomic
def accept(
    *,
    key: AgentKey,
    lines: Iterable[wire.BatchLine],
    request_id: str,
    now: datetime,
) -> list[Accepted | UnableToSubmit]:
    """Store the observed lines of a batch, all by one COPY, and answer in their order.

    They are durable when this returns to a committed transaction; ``working_off`` takes them through the
    gate. Lines that are read one by one are stored while the next is read. A key that was used before, here
    or for a single action, answers what exists where the body means the same.
    """
    # One batch of an agent at a time: two that share keys in another order would wait for each other for
    # ever, and each finds here what the one before it stored.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"batch:{key.agent_id}"])
    batch = _Batch(id=ids.new("bat"), key=key, request_id=request_id, now=now)
    read: list[wire.BatchLine] = []
    coming = _noting(lines, read)
    try:
        # Most batches are all new: whether this one is, is seen when it stands.
        with transaction.atomic():
            answers = batch.store(coming, known={})
            if _existing(_SINGLE, key.agent_id, read):
                raise _KeysUsed
            return answers
    except (_KeysUsed, IntegrityError):
        pass  # not quite: each key is looked up, and what is new is stored
    for _ in coming:
        pass  # what PostgreSQL did not wait for
    known = _existing(_SINGLE, key.agent_id, read) | _existing(_OF_BATCHES, key.agent_id, read)
    return batch.store(read, known=known)


class _KeysUsed(Exception):
    """Some keys of the batch were used before."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """What all lines of a batch share."""

    id: str
    key: AgentKey
    request_id: str
    now: datetime

    def store(
        self, lines: Iterable[wire.BatchLine], *, known: dict[str, Accepted]
    ) -> list[Accepted | UnableToSubmit]:
        """Write a row for each line that is not ``known`` by its key, and answer each."""
        answers: list[Accepted | UnableToSubmit] = []
        rows.copy(
            IngestRow,
            self._fresh(lines, known=known, answers=answers),
            alike={
                "batch_id": self.id,
                "agent_id": self.key.agent_id,
                "agent_key_id": self.key.pk,
                "request_id": self.request_id,
                "state": IngestState.ACCEPTED.value,
                "attempts": 0,
                "last_error": "",
                "action_id": None,
                "accepted_at": self.now,
                "done_at": None,
            },
        )
        return answers

    def _fresh(
        self,
        lines: Iterable[wire.BatchLine],
        *,
        known: dict[str, Accepted],
        answers: list[Accepted | UnableToSubmit],
    ) -> Iterator[dict[str, Any]]:
        """Yield a row for each line that is new, and put an answer for each line into ``answers``."""
        environments = self.key.environments
        for line in lines:
            if environments and line.environment not in environments:
                answers.append(EnvironmentNotAllowed(f"This key is not good for {line.environment}."))
                continue
            canonical = wire.canonical(line)
            digest = digest_of_canonical(canonical)
            earlier = known.get(line.idempotency_key)
            if earlier is not None:
                same = earlier.digest == digest
                again = replace(earlier, replayed=True)
                answers.append(
                    again if same else IdempotencyKeyReused("This key was used with another body.")
                )
                continue
            new = Accepted(
                id=ids.new("act"),
                idempotency_key=line.idempotency_key,
                state=IngestState.ACCEPTED,
                digest=digest,
                batch_id=self.id,
                replayed=False,
            )
            answers.append(new)
            known[line.idempotency_key] = new
            yield {
                "public_id": new.id,
                "idempotency_key": line.idempotency_key,
                "body_digest": digest,
                "body": canonical.decode(),
            }


def _noting(lines: Iterable[wire.BatchLine], read: list[wire.BatchLine]) -> Iterator[wire.BatchLine]:
    """Yield the lines, each once it stands in ``read``."""
    for line in lines:
        read.append(line)
        yield line


def _existing(question: str, agent_id: int, lines: Sequence[wire.BatchLine]) -> dict[str, Accepted]:
    """Return what exists under the keys of these lines."""
    with connection.cursor() as cursor:
        # As one text: PostgreSQL reads it sooner than Python writes an array of a thousand.
        keys = orjson.dumps([line.idempotency_key for line in lines]).decode()
        cursor.execute(question, {"agent": agent_id, "keys": keys})
        return {
            key: Accepted(
                id=public_id,
                idempotency_key=key,
                state=IngestState(state),
                digest=digest,
                batch_id="",
                replayed=True,
            )
            for key, public_id, state, digest in cursor.fetchall()
        }

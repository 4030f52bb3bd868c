"""Observed actions in batches: stored whole before the answer, and taken through the gate afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from django.db import connection, transaction

from hitl_site.lib import ids, rows
from hitl_site.lib.canonical import digest_of_canonical
from policies.models import AgentKey
from reviews.adapters import submission as wire
from reviews.choices import IngestState
from reviews.models import IngestRow
from reviews.services.ingest import EnvironmentNotAllowed, IdempotencyKeyReused, UnableToSubmit


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
    lines: Sequence[wire.BatchLine],
    request_id: str,
    now: datetime,
) -> list[Accepted | UnableToSubmit]:
    """Store the observed lines of a batch, all by one COPY, and answer in their order.

    They are durable when this returns to a committed transaction; ``working_off`` takes them through the
    gate. A key that was used before, here or for a single action, answers what exists where the body means
    the same.
    """
    # One batch of an agent at a time: two that share keys in another order would wait for each other for
    # ever, and each finds here what the one before it stored.
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"batch:{key.agent_id}"])
    known = _known(key.agent_id, [line.idempotency_key for line in lines])
    answers: list[Accepted | UnableToSubmit] = []
    batch_id = ids.new("bat")
    rows.copy(
        IngestRow,
        _fresh(lines, batch_id=batch_id, environments=key.environments, known=known, answers=answers),
        alike={
            "batch_id": batch_id,
            "agent_id": key.agent_id,
            "agent_key_id": key.pk,
            "request_id": request_id,
            "state": IngestState.ACCEPTED.value,
            "attempts": 0,
            "last_error": "",
            "action_id": None,
            "accepted_at": now,
            "done_at": None,
        },
    )
    return answers


def _fresh(
    lines: Sequence[wire.BatchLine],
    *,
    batch_id: str,
    environments: Sequence[str],
    known: dict[str, Accepted],
    answers: list[Accepted | UnableToSubmit],
) -> Iterator[dict[str, Any]]:
    """Yield a row for each line that is new, and put an answer for each line into ``answers``."""
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
            answers.append(again if same else IdempotencyKeyReused("This key was used with another body."))
            continue
        new = Accepted(
            id=ids.new("act"),
            idempotency_key=line.idempotency_key,
            state=IngestState.ACCEPTED,
            digest=digest,
            batch_id=batch_id,
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


def _known(agent_id: int, keys: Sequence[str]) -> dict[str, Accepted]:
    """Return what exists under these keys of the agent: lines of batches, and single actions.

    Each key is one look into the index of keys, whatever the tables held when the plan was made: by its agent
    alone, all that the agent ever did would be read.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH asked AS MATERIALIZED (
                SELECT each AS key FROM jsonb_array_elements_text(%(keys)s::jsonb) each
            )
            SELECT found.* FROM asked, LATERAL (
                SELECT used.idempotency_key, used.public_id, 'done', used.body_digest
                FROM reviews_actionrequest used
                WHERE used.agent_id = %(agent)s AND used.idempotency_key BETWEEN asked.key AND asked.key
                ORDER BY used.idempotency_key LIMIT 1
            ) found
            UNION ALL
            SELECT found.* FROM asked, LATERAL (
                SELECT line.idempotency_key, line.public_id, line.state, line.body_digest
                FROM reviews_ingestrow line
                WHERE line.agent_id = %(agent)s AND line.idempotency_key BETWEEN asked.key AND asked.key
                ORDER BY line.idempotency_key LIMIT 1
            ) found
            """,
            # As one text: PostgreSQL reads it sooner than Python writes an array of a thousand.
            {"agent": agent_id, "keys": orjson.dumps(keys).decode()},
        )
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

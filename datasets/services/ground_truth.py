"""Ground truth: what the world said later of an action. Kept apart from what reviewers said, written once.

What it means for a labelled case is settled where cases are made, in the order of the ledger
(``services.labelling``): there, whichever of the two came second finds the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import IntegrityError, transaction

from datasets.engine.disputes import contradicts
from datasets.models import GroundTruth
from datasets.services import case_content
from hitl_site.lib import ids
from hitl_site.lib.canonical import body_digest, canonicalize
from hitl_site.lib.strict_json import JsonValue
from policies.models import Agent, RemovalTarget
from policies.services import ledger
from reviews.choices import Mode
from reviews.models import ActionRequest, Decision
from reviews.services import second_opinions


class UnableToReceive(Exception):
    """The report cannot be taken. Nothing has changed."""


class UnknownAction(UnableToReceive):
    """No action of this agent has this id."""


class KeyReused(UnableToReceive):
    """The key was used for something else before."""


@dataclass(frozen=True, slots=True)
class Report:
    """What an agent says of an action of its own: whether what was done was right, who says so, what was."""

    correct: bool
    source: str
    arguments: Mapping[str, JsonValue] | None = None
    detail: Mapping[str, JsonValue] | None = None
    occurred_at: datetime | None = None

    def digest(self, action_id: str) -> str:
        """Return what tells this report from another one under the same key."""
        return body_digest(
            {
                "action_id": action_id,
                "correct": self.correct,
                "source": self.source,
                "arguments": None if self.arguments is None else dict(self.arguments),
                "detail": dict(self.detail or {}),
                "occurred_at": None if self.occurred_at is None else case_content.instant(self.occurred_at),
            }
        )


@dataclass(frozen=True, slots=True)
class Received:
    truth: GroundTruth
    replayed: bool


@transaction.atomic
def receive(*, action_id: str, agent: Agent, report: Report, idempotency_key: str, now: datetime) -> Received:
    """Keep one report. The same key with the same one answers the first; with another: ``KeyReused``."""
    # Under the lock no decision on the action is released, so that what is contradicted is certain.
    action = (
        ActionRequest.objects.select_for_update(of=("self",))
        .filter(public_id=action_id, agent=agent, drill=False)
        .first()
    )
    if action is None:
        raise UnknownAction("There is no such action.")
    digest = report.digest(action_id)
    earlier = _earlier(agent, idempotency_key, digest)
    if earlier is not None:
        return Received(earlier, replayed=True)
    erased = RemovalTarget.objects.filter(
        kind="action", object_id=action.public_id, removed_at__isnull=False
    ).exists()
    if erased:
        # That it was wrong can be counted; what was right would bring back what was taken away.
        report = replace(report, arguments=None, detail=None)
    truth = GroundTruth(
        public_id=ids.new("gtr"),
        action_id=action.public_id,
        agent=agent,
        correct=report.correct,
        arguments_canonical=None if report.arguments is None else canonicalize(dict(report.arguments)),
        source=report.source,
        detail=dict(report.detail or {}),
        idempotency_key=idempotency_key,
        body_digest=digest,
        contradicts=_is_contradicted(action, report),
        occurred_at=report.occurred_at,
        received_at=now,
    )
    try:
        with transaction.atomic():
            truth.save(force_insert=True)
    except IntegrityError:
        # The same key at the same time, for another action: that one holds another lock.
        other = _earlier(agent, idempotency_key, digest)
        if other is None:
            raise
        return Received(other, replayed=True)
    ledger.record(
        actor=ledger.Actor.agent(agent),
        verb="ground_truth.received",
        object_kind="ground_truth",
        object_id=truth.public_id,
        action_id=action.public_id,
        payload={
            "correct": report.correct,
            "source": report.source,
            "contradicts": truth.contradicts,
            "arguments_given": report.arguments is not None,
        },
        now=now,
    )
    if truth.contradicts and not erased:
        second_opinions.ask(
            action=action, because=f"Ground truth ({report.source}) says that it was wrong.", now=now
        )
    return Received(truth, replayed=False)


def _earlier(agent: Agent, idempotency_key: str, digest: str) -> GroundTruth | None:
    found = GroundTruth.objects.filter(agent=agent, idempotency_key=idempotency_key).first()
    if found is not None and found.body_digest != digest:
        raise KeyReused("This key was used for another report.")
    return found


def _is_contradicted(action: ActionRequest, report: Report) -> bool:
    """Say whether a person has let pass what turns out to have been wrong."""
    decision = (
        Decision.objects.filter(
            action=action, terminal=True, undone_at=None, item__kind__in=case_content.LABELLED_KINDS
        )
        .order_by("-id")
        .first()
    )
    if decision is None:
        return False
    return contradicts(
        label=case_content.label_of(decision).value,
        truth=case_content.truth_of(decision, action),
        ran_as_decided=action.mode == Mode.GATED,
        correct=report.correct,
        arguments=None if report.arguments is None else dict(report.arguments),
    )

"""What the tests of evals share: a version of five judged refunds, and runs on it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from datasets.choices import Label
from datasets.models import DatasetMember, DatasetVersion, EvalRun, LabelledCase
from datasets.services import evaluating, freezing
from datasets.services.evaluating import Line, Sent
from datasets.tests.base import decide, label, make_dataset
from hitl_site.lib.clock import database_now
from policies.services.agents import VersionClaim
from reviews.choices import DecisionKind
from reviews.tests.cast import REFUND, Cast

_KEYS = itertools.count()


@dataclass(frozen=True)
class Judged:
    """A frozen version: two corrected refunds (the amount was 20 and 30), two approved, one rejected."""

    cast: Cast
    version: DatasetVersion
    corrected: list[str]
    approved: list[str]
    rejected: list[str]

    @property
    def all(self) -> list[str]:
        return [*self.corrected, *self.approved, *self.rejected]


def order(number: int) -> dict[str, Any]:
    return {**REFUND, "order": f"SO-{number}"}


def make_judged(cast: Cast) -> Judged:
    decide(cast, DecisionKind.CORRECT, proposed=order(1), arguments={**order(1), "amount": 20})
    decide(cast, DecisionKind.CORRECT, proposed=order(2), arguments={**order(2), "amount": 30})
    decide(cast, proposed=order(3))
    decide(cast, proposed=order(4))
    decide(cast, DecisionKind.REJECT, proposed=order(5))
    label()
    version = freeze()
    return Judged(
        cast, version, *(_of(version, each) for each in (Label.CORRECTED, Label.APPROVED, Label.REJECTED))
    )


def freeze(name: str = "Refunds") -> DatasetVersion:
    dataset = make_dataset(name)
    freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now())
    return dataset.versions.get()


def _of(version: DatasetVersion, label: Label) -> list[str]:
    members = DatasetMember.objects.filter(version=version, case__label=label).order_by("position")
    return [member.case.public_id for member in members.select_related("case")]


def begin(judged: Judged, *, label: str = "2", key: str = "", split: str = "", model: str = "") -> EvalRun:
    return evaluating.start(
        agent=judged.cast.clerk,
        version_id=judged.version.public_id,
        claim=VersionClaim(label=label, model=model),
        split=split,
        source="handrail",
        note="",
        idempotency_key=key or f"run-{next(_KEYS)}",
        body_digest="sha256:" + "0" * 64,
        now=database_now(),
    ).run


def right(case: str) -> Sent:
    """Return the right answer to a case."""
    truth: Any = LabelledCase.objects.get(public_id=case).content["truth"]["arguments"]
    return Sent(case=case, acted=truth is not None, output=truth)


def wrong(case: str) -> Sent:
    """Return a wrong answer to a case."""
    return Sent(case=case, acted=True, output={**REFUND, "order": "none", "amount": 1})


def send(run: EvalRun, *results: Sent) -> list[Line]:
    assert run.agent is not None
    return evaluating.take_results(
        run_id=run.public_id, agent=run.agent, results=results, now=database_now()
    )[1]


def finished(judged: Judged, *, failing: list[str], label: str = "2", model: str = "") -> EvalRun:
    """Return a run that is done: it fails exactly these cases."""
    run = begin(judged, label=label, model=model)
    send(run, *(wrong(case) if case in failing else right(case) for case in judged.all))
    run.refresh_from_db()
    return run

"""An incident teaches nothing about a decision: it becomes no labelled case."""

from __future__ import annotations

from datetime import timedelta

from datasets.models import LabelledCase
from datasets.services.labelling import label_cases
from hitl_site.lib.clock import database_now
from policies.models import Observation
from policies.services import ledger
from reviews.choices import ItemStatus, Resolution
from reviews.models import Execution, Incident
from reviews.services import deadlines, incidents, permits
from reviews.tests.cast import Cast, cast, propose

__all__ = ["cast"]


def test_an_incident_that_was_resolved_is_no_case_and_no_observation(cast: Cast) -> None:
    permit = propose(cast, confidence=0.95).permits.get()
    run = permits.consume(
        permit_id=permit.public_id,
        agent=cast.clerk,
        digest=permit.digest,
        consume_key="run-1",
        now=database_now(),
    ).execution
    Execution.objects.update(lease_until=run.started_at)
    deadlines.end_leases(now=database_now())
    incident = Incident.objects.get()
    incidents.resolve(
        incident_id=incident.public_id,
        resolver=cast.alice,
        resolution=Resolution.OTHERWISE,
        note="It ran twice",
        now=database_now(),
    )

    later = database_now() + timedelta(days=1)
    deadlines.release_due(now=later)
    ledger.link_entries(now=later)
    label_cases(now=later)

    incident.item.refresh_from_db()
    assert incident.item.status == ItemStatus.DECIDED
    assert (LabelledCase.objects.count(), Observation.objects.count()) == (0, 0)

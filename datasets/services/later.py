"""What came to be known of cases after they were made: never part of them, always told beside them.

Everything in it is read from rows in one go for many cases. The author of a later answer appears as the same
pseudonym as among the reviewers.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from datasets.exporters.composition import Document, compose, nothing_later
from datasets.models import CaseCuration, GroundTruth, LabelledCase, LabelRevision
from datasets.services.case_content import instant, parsed
from hitl_site.lib.jsonb import from_jsonb
from hitl_site.lib.strict_json import JsonValue
from reviews.models import ActionContext, Execution
from reviews.selectors.decisions import pseudonym


def facts_since(cases: Iterable[LabelledCase]) -> dict[int, Document]:
    """Return by primary key what is known by now beyond each case: the ``later`` of ``compose``."""
    given = list(cases)
    found = {case.pk: case.action_id for case in given}
    erased = {case.pk for case in given if case.erased_at is not None}
    action_ids = {action_id for action_id in found.values() if action_id}
    outcomes, truths = _outcomes(action_ids), _ground_truth(action_ids)
    revisions = _revisions(found)
    curations = CaseCuration.objects.in_bulk(list(found))
    facts: dict[int, Document] = {}
    for key, action_id in found.items():
        curation = curations.get(key)
        if key in erased:
            facts[key] = nothing_later()
            continue
        facts[key] = {
            **nothing_later(),
            "outcome": outcomes.get(action_id),
            "ground_truth": [*truths.get(action_id, [])],
            "revisions": [*revisions.get(key, [])],
            "tags": [] if curation is None else [*sorted(curation.tags)],
            "disputed": curation is not None and curation.disputed_at is not None,
        }
    return facts


def composed(case: LabelledCase) -> Document:
    """Return one case as it stands now, in its newest form with everything that came later."""
    return compose(case.content, facts_since([case])[case.pk])


def _outcomes(action_ids: set[str]) -> dict[str, JsonValue]:
    """Return how the runs of actions ended; of an observed one, what its agent said when it reported it."""
    reported = ActionContext.objects.filter(
        action__public_id__in=action_ids, reported_outcome__isnull=False
    ).select_related("action")
    outcomes: dict[str, JsonValue] = {
        context.action.public_id: {
            "outcome": None,
            "reported": True,
            "mismatch": False,
            "executed_digest": None,
            "detail": from_jsonb(context.reported_outcome),
            "at": instant(context.action.created_at),
        }
        for context in reported
    }
    runs = Execution.objects.filter(action__public_id__in=action_ids).exclude(outcome="")
    # The newest run of an action counts: an earlier permit may have been taken back.
    for run in runs.select_related("action").order_by("id"):
        if run.outcome_at is not None:
            outcomes[run.action.public_id] = {
                "outcome": run.outcome,
                "reported": run.reported,
                "mismatch": run.mismatch,
                "executed_digest": run.executed_digest or None,
                "detail": from_jsonb(run.detail),
                "at": instant(run.outcome_at),
            }
    return outcomes


def _ground_truth(action_ids: set[str]) -> dict[str, list[JsonValue]]:
    truths: dict[str, list[JsonValue]] = defaultdict(list)
    for truth in GroundTruth.objects.filter(action_id__in=action_ids).order_by("id"):
        truths[truth.action_id].append(
            {
                "id": truth.public_id,
                "correct": truth.correct,
                "arguments": parsed(truth.arguments_canonical),
                "source": truth.source,
                "detail": from_jsonb(truth.detail),
                "contradicts": truth.contradicts,
                "occurred_at": None if truth.occurred_at is None else instant(truth.occurred_at),
                "received_at": instant(truth.received_at),
            }
        )
    return truths


def _revisions(case_keys: Iterable[int]) -> dict[int, list[JsonValue]]:
    revisions: dict[int, list[JsonValue]] = defaultdict(list)
    for revision in LabelRevision.objects.filter(case__in=list(case_keys)).order_by("case_id", "number"):
        revisions[revision.case_id].append(
            {
                "number": revision.number,
                "kind": revision.kind,
                "label": revision.label,
                "arguments": parsed(revision.arguments_canonical),
                "reasons": [*revision.reasons],
                "note": revision.note,
                "author": None if revision.author_id is None else pseudonym(revision.author_id),
                "at": instant(revision.created_at),
            }
        )
    return revisions

"""Labelling: every released decision of the ledger becomes a labelled case, exactly once.

The cursor and the cases move in one transaction, so that whatever dies, a decision is either labelled and
behind the cursor or still ahead of it. Reading holds the cursor, so two workers take turns. ``decision_id``
is unique besides.

What speaks against a label (ground truth, a second opinion) is read off the same ledger by the same cursor:
a case and what contradicts it meet here, whichever came first, and the case is disputed once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

from django.db import transaction
from django.db.models import Exists, OuterRef

from datasets.choices import Label
from datasets.exporters.composition import Document
from datasets.models import LabelledCase
from datasets.services import case_content, disputes, eval_standings, omission_cases, settlements
from datasets.services.similarity import similarity
from hitl_site.lib import ids
from hitl_site.lib.canonical import canonicalize, sha256_hex
from policies.models import RemovalTarget
from policies.services import ledger
from reviews.choices import ItemKind
from reviews.models import Decision

READER: Final = "labelling"
VERB: Final = "decision.released"
OMISSION_VERB: Final = "omission.found"
TRUTH_VERB: Final = "ground_truth.received"
SETTLED_VERB: Final = "second_opinion.settled"
_FOLLOWED: Final = frozenset({VERB, OMISSION_VERB, TRUTH_VERB, SETTLED_VERB})

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Labelled:
    """What one step did: entries of the ledger looked at, cases made."""

    entries: int
    cases: int
    disputes: int = 0


@transaction.atomic
def label_cases(*, now: datetime, limit: int = 500) -> Labelled:
    """Make the cases of the next entries of the ledger and move the cursor behind them, or neither.

    A decision that cannot be written as a case stops the reader right before it: what came earlier is kept,
    and nothing is skipped in silence.
    """
    stretch = ledger.read(reader=READER, verbs=_FOLLOWED, limit=limit)
    if not stretch.length:
        return Labelled(entries=0, cases=0)
    decisions = _unlabelled(entry.object_id for entry in stretch.entries if entry.verb == VERB)
    cases: list[LabelledCase] = []
    missing = omission_cases.unlabelled(
        entry.object_id for entry in stretch.entries if entry.verb == OMISSION_VERB
    )
    truth_ids: list[str] = []
    opinions: list[Decision] = []
    made = disputed = 0
    last = stretch.last
    for entry in stretch.entries:
        if entry.verb == SETTLED_VERB:
            # What came before has to be there when it is settled, and what comes after may dispute it anew.
            disputed += _write(cases, truth_ids, opinions, now=now)
            made += len(cases)
            cases, truth_ids, opinions = [], [], []
            settlements.apply(decision_id=entry.object_id, now=now)
        # The same decision was recorded before; only its release makes it final.
        decision = decisions.get(entry.object_id) if entry.verb == VERB else None
        try:
            case = None if decision is None else _case(decision, ledger_seq=entry.seq, now=now)
            if entry.verb == OMISSION_VERB and entry.object_id in missing:
                omission = missing.pop(entry.object_id)
                case = omission_cases.case(omission, ledger_seq=entry.seq, now=now)
        except Exception:
            logger.exception("Labelling stops before ledger entry %s, which it cannot write", entry.seq)
            last = entry.seq - 1
            break
        if case is not None:
            cases.append(case)
        elif decision is not None and decision.item.kind == ItemKind.SECOND_OPINION:
            opinions.append(decision)
        elif entry.verb == TRUTH_VERB:
            truth_ids.append(entry.object_id)
    disputed += _write(cases, truth_ids, opinions, now=now)
    made += len(cases)
    ledger.advance(reader=READER, seq=last)
    return Labelled(entries=last - stretch.after, cases=made, disputes=disputed)


def _write(
    cases: list[LabelledCase], truth_ids: list[str], opinions: list[Decision], *, now: datetime
) -> int:
    """Write the cases and open the disputes that follow from them; return how many disputes."""
    if not (cases or truth_ids or opinions):
        return 0
    LabelledCase.objects.bulk_create(cases)
    eval_standings.corrected({case.agent for case in cases if case.label == Label.CORRECTED}, now=now)
    return disputes.open_where_contradicted(
        cases=cases, truth_ids=truth_ids, second_opinions=opinions, now=now
    )


def _unlabelled(public_ids: Iterable[str]) -> dict[str, Decision]:
    """Return the decisions by id, without those that have their case: the cursor may have been set back."""
    wanted = set(public_ids)
    wanted -= set(LabelledCase.objects.filter(decision_id__in=wanted).values_list("decision_id", flat=True))
    # What was taken away says nothing: a case of it would be a lie.
    gone = RemovalTarget.objects.filter(object_id=OuterRef("action__public_id"), removed_at__isnull=False)
    rows = (
        Decision.objects.filter(~Exists(gone), public_id__in=wanted)
        .select_related(
            "item",
            "policy_version",
            "action__action_type",
            "action__agent",
            "action__agent_version__agent",
            "action__context",
            "action__gate_check__policy_version",
        )
        .prefetch_related("item__decisions")
    )
    return {decision.public_id: decision for decision in rows}


def _case(decision: Decision, *, ledger_seq: int, now: datetime) -> LabelledCase | None:
    """Return the case of this decision, or None where a decision is no label."""
    action, item = decision.action, decision.item
    kind = ItemKind(item.kind)
    if kind not in case_content.LABELLED_KINDS or action.gate_check.drill:
        return None
    if not decision.terminal or decision.undone_at is not None:
        return None
    case_id = ids.new("case")
    content = case_content.build(case_id=case_id, decision=decision, ledger_seq=ledger_seq)
    return LabelledCase(
        public_id=case_id,
        decision_id=decision.public_id,
        action_id=action.public_id,
        ledger_seq=ledger_seq,
        action_type=action.action_type_name,
        agent=action.agent.name,
        agent_version=action.agent_version.label,
        label=case_content.label_of(decision),
        source=case_content.source(decision),
        strength=case_content.strength(decision),
        likeness=action.likeness,
        similarity=_similarity(content),
        group_key=case_content.group(action),
        decided_at=decision.decided_at,
        content=content,
        content_sha256=sha256_hex(canonicalize(content)),
        created_at=now,
    )


def _similarity(content: Document) -> int | None:
    """Return how the case reads: what came in, then what was proposed."""
    said = cast(Document, content["input"])
    return similarity(said["context"], said["reason"], cast(Document, content["proposal"])["arguments"])

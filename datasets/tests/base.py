"""What the tests of the learning app share: decisions made through the services, and labelled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest
from django.contrib.auth.models import User

from datasets.models import Dataset, LabelledCase
from datasets.selectors.selection import Selection
from datasets.services import datasets, labelling
from hitl_site.lib.clock import database_now
from hitl_site.lib.strict_json import JsonValue
from policies.models import LedgerEntry, LedgerLink
from policies.services import ledger
from reviews.choices import DecisionKind
from reviews.models import Decision, ReviewItem
from reviews.selectors.reasons import reason_codes
from reviews.services import deadlines
from reviews.tests.cast import Cast, decide_as, held, make_cast, make_person

Document = dict[str, Any]


@dataclass(frozen=True)
class Learners:
    """The reviewing cast, and who works with data: Mia exports, Vic looks, Rita reviews and sees none."""

    cast: Cast
    mia: User
    vic: User
    rita: User


def make_learners() -> Learners:
    vic = make_person("Vic")
    vic.user_permissions.add(_permission("view_dataset"))
    return Learners(
        cast=make_cast(), mia=make_person("Mia", "ml_engineer"), vic=vic, rita=make_person("Rita", "reviewer")
    )


@pytest.fixture
def learners(db: None) -> Learners:
    return make_learners()


def decide(
    cast: Cast, kind: DecisionKind = DecisionKind.APPROVE, *, item: ReviewItem | None = None, **given: Any
) -> Decision:
    """Have Alice decide what clerk proposes (a refund, or ``proposed``); ``arguments`` are her answer's."""
    answer = {name: given.pop(name) for name in ("arguments", "reasons", "note", "bulk") if name in given}
    if "proposed" in given:
        given["arguments"] = given.pop("proposed")
    item = held(cast, **given) if item is None else item
    if kind != DecisionKind.APPROVE:
        answer.setdefault("reasons", (reason_codes(item.action.action_type)[0].code,))
    return decide_as(cast.alice, item, kind, **answer).decision


def release() -> None:
    """Let every undo window end, and number what happened.

    Stands in for the sequencer, which leaves alone what is not committed: most tests never commit.
    """
    now = database_now()
    deadlines.release_due(now=now + timedelta(minutes=5))
    last = LedgerLink.objects.order_by("-seq").first()
    seq, previous = (last.seq, last.hash) if last else (0, ledger.GENESIS_HASH)
    for entry in LedgerEntry.objects.filter(link=None).order_by("id"):
        seq += 1
        digest = ledger.link_hash(seq=seq, previous_hash=previous, entry=entry)
        LedgerLink.objects.create(seq=seq, entry=entry, previous_hash=previous, hash=digest, linked_at=now)
        previous = digest


def label() -> int:
    """Release, link and label what there is; return how many cases that made."""
    release()
    made = 0
    while (step := labelling.label_cases(now=database_now())).entries:
        made += step.cases
    return made


def case_of(decision: Decision) -> Document:
    """Return the document of a decision's case, straight from the database."""
    return cast(Document, LabelledCase.objects.get(decision_id=decision.public_id).content)


def make_dataset(name: str = "Refunds", **selection: Any) -> Dataset:
    return datasets.create_dataset(
        name=name, selection=Selection(**selection), created_by=None, now=database_now()
    )


def many_cases(count: int, *, filler: JsonValue = None) -> None:
    """Make cases in bulk, by the rules of the database: for the tests that need a long file.

    In turn approved, corrected, rejected; three of one customer after another.
    """
    from hitl_site.lib import ids
    from hitl_site.lib.canonical import canonicalize, sha256_hex
    from policies.models import LedgerCursor

    now = database_now()
    rows = []
    for seq in range(1, count + 1):
        content = bulk_content(seq, filler=filler)
        rows.append(
            LabelledCase(
                public_id=content["id"],
                decision_id=ids.new("dec"),
                action_id=ids.new("act"),
                ledger_seq=seq,
                action_type="refund.issue",
                agent="clerk",
                agent_version="1",
                label=content["label"],
                source="review",
                strength="strong",
                group_key=content["group"],
                decided_at=now,
                content=content,
                content_sha256=sha256_hex(canonicalize(content)),
                created_at=now,
            )
        )
    LabelledCase.objects.bulk_create(rows, batch_size=500)
    LedgerCursor.objects.update_or_create(reader=labelling.READER, defaults={"seq": count, "updated_at": now})


def bulk_content(seq: int, *, filler: JsonValue = None) -> Document:
    """Return the ``seq``-th case of ``many_cases``: whole, as labelling writes it, without its database."""
    from datasets.engine.fields import Declaration
    from datasets.exporters.composition import difference_documents
    from hitl_site.lib import ids

    label = ("approved", "corrected", "rejected")[seq % 3]
    proposed: Document = {"order": f"SO-{seq}", "amount": 184.0, "filler": filler}
    truth = None if label == "rejected" else {**proposed, "amount": 12.5 if label == "corrected" else 184.0}
    differences: list[Any] = difference_documents(proposed, truth, Declaration())
    action_id, decision_id, moment = ids.new("act"), ids.new("dec"), "2026-03-01T12:00:00Z"
    return {
        "format": "handrail.case/2",
        "id": ids.new("case"),
        "kind": "proposal",
        "action": {
            "id": action_id,
            "type": "refund.issue",
            "mode": "gated",
            "environment": "production",
            "subject": f"customer-{seq // 3}",
            "conversation_id": "",
            "created_at": moment,
        },
        "action_type": {
            "title": "Refund",
            "argument_schema": {"type": "object", "properties": {"amount": {"type": "number"}}},
            "cluster_pointer": "",
        },
        "agent": {"name": "clerk", "version": "1", "fingerprint": ""},
        "input": {
            "context": {"messages": [{"role": "user", "content": "One cup broke"}]},
            "reason": "broken",
        },
        "proposal": {
            "arguments": proposed,
            "digest": f"sha256:{seq:064x}",
            "confidence": 0.71,
            "judge_score": None,
            "sample_agreement": None,
        },
        "decision": {
            "id": decision_id,
            "kind": {"approved": "approve", "corrected": "correct", "rejected": "reject"}[label],
            "reasons": [] if label == "approved" else ["wrong_amount"],
            "note": "",
            "decided_at": moment,
            "considered": True,
            "blind": False,
            "reviewer": "rev_0123456789ab",
            "reviewers": ["rev_0123456789ab"],
            "checklist": [],
            "policy_version": None,
        },
        "truth": {"should_act": truth is not None, "arguments": truth},
        "patch": [{"op": "replace", "path": "/amount", "value": 12.5}] if label == "corrected" else [],
        "differences": differences,
        "changed_fields": [one["pointer"] for one in differences],
        "label": label,
        "label_source": "review",
        "label_strength": "strong",
        "gate": {
            "verdict": "review",
            "route": "held",
            "trigger": "high_risk",
            "reasons": ["over_1000"],
            "score": 0.71,
            "score_source": "agent",
            "threshold": 0.9,
            "level": "threshold",
            "propensity": 1.0,
            "min_propensity": 0.02,
            "audit_selected": False,
            "policy_version": {"id": ids.new("pov"), "number": 1},
        },
        "attention": {"decision_ms": 8000, "arguments_seen": True, "parts_opened": [], "opened_at": moment},
        "cluster": "",
        "group": f"subject:customer-{seq // 3}",
        "lineage": {
            "action_id": action_id,
            "digest": f"sha256:{seq:064x}",
            "final_digest": None,
            "parent_action_id": None,
            "conversation_id": None,
            "item_id": None,
            "decision_id": decision_id,
        },
        "ledger_seq": seq,
    }


def _permission(codename: str) -> Any:
    from django.contrib.auth.models import Permission

    return Permission.objects.get(content_type__app_label="datasets", codename=codename)

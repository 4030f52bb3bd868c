"""What the tests of the learning app share: decisions made through the services, and labelled."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

import pytest
from django.contrib.auth.models import User

from datasets.models import Dataset, DatasetVersion, LabelledCase
from datasets.selectors.selection import Selection
from datasets.services import datasets, freezing, labelling
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


def frozen_version(cases: int = 3, name: str = "Refunds") -> DatasetVersion:
    """Make a cast, some cases of its decisions, and a version of them."""
    people = make_cast()
    for number in range(cases):
        decide(people, arguments=None, conversation_id=f"talk-{number}")
    label()
    return freezing.freeze(
        dataset_id=make_dataset(name).public_id, frozen_by=None, now=database_now()
    ).version


def many_cases(count: int, *, filler: JsonValue = None) -> None:
    """Make cases in bulk, by the rules of the database: for the tests that need a long file."""
    from hitl_site.lib import ids
    from hitl_site.lib.canonical import canonicalize, sha256_hex
    from policies.models import LedgerCursor

    now = database_now()
    rows = []
    for seq in range(1, count + 1):
        case_id = ids.new("case")
        content: dict[str, JsonValue] = {
            "format": "handrail.case/1",
            "id": case_id,
            "n": seq,
            "filler": filler,
        }
        rows.append(
            LabelledCase(
                public_id=case_id,
                decision_id=ids.new("dec"),
                action_id=ids.new("act"),
                ledger_seq=seq,
                action_type="refund.issue",
                agent="clerk",
                agent_version="1",
                label="approved",
                source="review",
                strength="strong",
                group_key=f"conversation:{seq}",
                decided_at=now,
                content=content,
                content_sha256=sha256_hex(canonicalize(content)),
                created_at=now,
            )
        )
    LabelledCase.objects.bulk_create(rows, batch_size=500)
    LedgerCursor.objects.update_or_create(reader=labelling.READER, defaults={"seq": count, "updated_at": now})


def _permission(codename: str) -> Any:
    from django.contrib.auth.models import Permission

    return Permission.objects.get(content_type__app_label="datasets", codename=codename)

"""Freezing: a dataset's cases of this moment as a version that never changes.

A version takes the cases that were made from the ledger up to the place where labelling stood. That set is
complete and cannot grow any more, so that counting, hashing and writing the members see the same cases
although other transactions go on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import QuerySet

from datasets.models import Dataset, DatasetMember, DatasetVersion, LabelledCase
from datasets.selectors import cases
from datasets.selectors.selection import Selection
from datasets.services.datasets import actor_of
from hitl_site.lib import ids
from policies.services import ledger

if TYPE_CHECKING:
    from django.contrib.auth.models import User

BATCH: Final = 2000


class UnableToFreeze(Exception):
    """No version can be made of the dataset now."""


class NothingToFreeze(UnableToFreeze):
    """The selection takes no case."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A version, and whether it is new: the same cases again answer the version that has them."""

    version: DatasetVersion
    created: bool


@transaction.atomic
def freeze(*, dataset_id: str, frozen_by: User | None, now: datetime) -> Frozen:
    """Freeze what the dataset's selection takes now, or answer its last version when that is the same.

    Members are in the order of their cases' ids. The content hash is SHA-256 over each member's
    ``content_sha256`` and a line feed, in that order.
    """
    # Two people at once would both make the next number.
    dataset = Dataset.objects.select_for_update().get(public_id=dataset_id)
    selection = Selection.from_document(dataset.selection)
    seq = cases.labelled_up_to()
    members = cases.matching(selection, up_to_seq=seq).order_by("id")
    content_sha256, count = _content_hash(members)
    if count == 0:
        raise NothingToFreeze(f"No labelled case fits the selection of {dataset.name!r} yet.")
    last = dataset.versions.order_by("-number").first()
    if last is not None and last.content_sha256 == content_sha256:
        return Frozen(version=last, created=False)
    actor = actor_of(frozen_by)
    version = DatasetVersion.objects.create(
        public_id=ids.new("dsv"),
        dataset=dataset,
        number=1 if last is None else last.number + 1,
        selection=selection.document(),
        case_count=count,
        label_counts=cases.label_counts(members.order_by()),
        content_sha256=content_sha256,
        ledger_seq=seq,
        frozen_by=frozen_by,
        frozen_by_name=actor.name,
        frozen_at=now,
    )
    _add_members(version, members)
    ledger.record(
        actor=actor,
        verb="dataset.frozen",
        object_kind="dataset_version",
        object_id=version.public_id,
        now=now,
        payload={
            "dataset_id": dataset.public_id,
            "number": version.number,
            "case_count": count,
            "content_sha256": content_sha256,
            "ledger_seq": seq,
        },
    )
    return Frozen(version=version, created=True)


def _content_hash(members: QuerySet[LabelledCase]) -> tuple[str, int]:
    digest, count = hashlib.sha256(), 0
    for case_sha256 in members.values_list("content_sha256", flat=True).iterator(chunk_size=BATCH):
        digest.update(f"{case_sha256}\n".encode())
        count += 1
    return digest.hexdigest(), count


def _add_members(version: DatasetVersion, members: QuerySet[LabelledCase]) -> None:
    batch: list[DatasetMember] = []
    for position, case_id in enumerate(members.values_list("id", flat=True).iterator(chunk_size=BATCH)):
        batch.append(DatasetMember(version=version, case_id=case_id, position=position))
        if len(batch) == BATCH:
            DatasetMember.objects.bulk_create(batch)
            batch = []
    DatasetMember.objects.bulk_create(batch)

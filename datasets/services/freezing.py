"""Freezing: a dataset's cases of this moment as a version that never changes.

A version takes the cases that were made from the ledger up to the place where labelling stood: a set that no
case can join later. What people made of them since (``CaseCuration``, later answers) is taken as it is found.
The version comes whole or not at all: everything is one transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext
from psycopg.errors import LockNotAvailable

from datasets.models import Dataset, DatasetVersion, RedactionProfile
from datasets.selectors import differences, taking, words
from datasets.selectors.choices import Choices, SplitBy, SplitRule
from datasets.selectors.selection import Selection
from datasets.services import eval_standings, members
from datasets.services.datasets import actor_of
from datasets.services.members import Tally
from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
from policies.services import ledger
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Freezing holds it shared: an erasure that takes it alone finds every version that has a case of its subject.
ERASURE_LOCK: Final = 0x68725F6672656574  # "hr_freet"
LONGEST_STATEMENT: Final = "10min"


class UnableToFreeze(Exception):
    """No version can be made of the dataset now."""


class NothingToFreeze(UnableToFreeze):
    """The selection takes no case, or every one stays out."""


class BeingFrozen(UnableToFreeze):
    """Somebody else is at it."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A version, and whether it is new: the same cases again answer the version that has them."""

    version: DatasetVersion
    created: bool


class _Unchanged(Exception):
    """The last version is what would be frozen: the members that were written are taken back."""


def freeze(
    *,
    dataset_id: str,
    frozen_by: User | None,
    now: datetime,
    actor: Actor | None = None,
    told: Callable[[int], None] | None = None,
) -> Frozen:
    """Freeze what the dataset's selection takes now, or answer its last version when that is the same.

    Members are in the order of their cases' ids. The content hash is SHA-256 over each member's
    ``content_sha256`` (of its composed case) and a line feed, in that order. ``told`` hears of the progress.
    """
    with transaction.atomic():
        # Two people at once would both make the next number.
        dataset = _locked(dataset_id)
        last = dataset.versions.order_by("-number").first()
        try:
            with transaction.atomic():
                version = _write(dataset, last, frozen_by, actor or actor_of(frozen_by), now, told)
        except _Unchanged:
            assert last is not None
            return Frozen(version=last, created=False)
        eval_standings.version_frozen(now=now)
        return Frozen(version=version, created=True)


def _locked(dataset_id: str) -> Dataset:
    try:
        dataset = Dataset.objects.select_for_update(of=("self",)).get(public_id=dataset_id)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [ERASURE_LOCK])
            # The end of the transaction is one statement that checks every member of a large version.
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [LONGEST_STATEMENT])
    except OperationalError as exc:
        if not isinstance(exc.__cause__, LockNotAvailable):
            raise
        raise BeingFrozen(
            gettext("Somebody is freezing this dataset right now. Try again in a moment.")
        ) from exc
    return dataset


def _write(
    dataset: Dataset,
    last: DatasetVersion | None,
    frozen_by: User | None,
    actor: Actor,
    now: datetime,
    told: Callable[[int], None] | None,
) -> DatasetVersion:
    selection = Selection.from_document(dataset.selection)
    chosen = Choices.from_document(dataset.choices)
    redaction = newest_profile(dataset.redaction)
    seq = taking.labelled_up_to()
    cases = taking.with_standing(taking.taken(selection, up_to_seq=seq), chosen)
    choices = _with_cuts(chosen, dataset, lambda rule: members.time_cuts(cases, rule.shares))
    # The members come first, because a version says how many there are and can never be changed. That it is
    # there is checked when the transaction ends.
    version_id = _next_id()
    since = _split_alike(dataset, choices)
    tally = members.write(version_id=version_id, cases=cases, rule=choices.split, since=since, told=told)
    if tally.cases == 0:
        raise NothingToFreeze(_why_nothing(dataset, tally))
    if last is not None and _same(last, tally, selection, choices, redaction):
        raise _Unchanged
    if choices.split is not None:
        members.check_splits(version_id=version_id, since=since)
    version = DatasetVersion.objects.create(
        pk=version_id,
        public_id=ids.new("dsv"),
        dataset=dataset,
        number=1 if last is None else last.number + 1,
        selection=selection.document(),
        choices=choices.document(),
        redaction=redaction,
        split_counts=tally.split_counts(choices.split),
        left_out=tally.reasons(),
        difference={} if last is None else differences.counts(of=version_id, since=last.pk),
        case_count=tally.cases,
        label_counts=tally.label_counts(),
        content_sha256=tally.digest.hexdigest(),
        ledger_seq=seq,
        frozen_by=frozen_by,
        frozen_by_name=actor.name,
        frozen_at=now,
    )
    ledger.record(
        actor=actor,
        verb="dataset.frozen",
        object_kind="dataset_version",
        object_id=version.public_id,
        now=now,
        payload=_told_to_the_ledger(version),
    )
    return version


def newest_profile(chosen: RedactionProfile | None) -> RedactionProfile | None:
    """Return the newest redaction profile of the chosen one's name: it is the one in use."""
    if chosen is None:
        return None
    return RedactionProfile.objects.filter(name=chosen.name).order_by("-number").first()


def wait_for_freezings() -> None:
    """Let no version be frozen until this transaction ends, and wait for those that are under way."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ERASURE_LOCK])


def _with_cuts(
    choices: Choices, dataset: Dataset, fresh_cuts: Callable[[SplitRule], tuple[datetime, ...]]
) -> Choices:
    """Fix the cuts of a split by time: those of the last version with the same rule, or new ones."""
    rule = choices.split
    if rule is None or rule.by != SplitBy.TIME:
        return choices
    for document in dataset.versions.order_by("-number").values_list("choices", flat=True):
        earlier = Choices.from_document(document).split
        if earlier is not None and earlier.same_rule(rule):
            return replace(choices, split=earlier)
    return replace(choices, split=replace(rule, cuts=fresh_cuts(rule)))


def _split_alike(dataset: Dataset, choices: Choices) -> int | None:
    """Return the newest version that was split by the very same rule, cuts and all."""
    if choices.split is None:
        return None
    for key, document in dataset.versions.order_by("-number").values_list("pk", "choices"):
        if Choices.from_document(document).split == choices.split:
            return key
    return None


def _same(
    last: DatasetVersion,
    tally: Tally,
    selection: Selection,
    choices: Choices,
    redaction: RedactionProfile | None,
) -> bool:
    return (
        last.content_sha256 == tally.digest.hexdigest()
        and Selection.from_document(last.selection) == Selection.from_document(selection.document())
        and Choices.from_document(last.choices) == choices
        and last.redaction_id == (None if redaction is None else redaction.pk)
    )


def _why_nothing(dataset: Dataset, tally: Tally) -> str:
    if not tally.seen:
        said = gettext("No labelled case fits the selection of {name!r} yet.")
        return said.format(name=dataset.name)
    reasons = ", ".join(
        f"{words.inside(gettext(taking.REASONS[reason]))}: {n}" for reason, n in tally.reasons().items()
    )
    said = gettext("Every case that fits the selection of {name!r} stays out ({reasons}).")
    return said.format(name=dataset.name, reasons=reasons)


def _next_id() -> int:
    table = DatasetVersion._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id'))", [table])
        (value,) = cursor.fetchone()
    assert isinstance(value, int)
    return value


def _told_to_the_ledger(version: DatasetVersion) -> dict[str, JsonValue]:
    return {
        "dataset_id": version.dataset.public_id,
        "number": version.number,
        "case_count": version.case_count,
        "content_sha256": version.content_sha256,
        "ledger_seq": version.ledger_seq,
        "selection": version.selection,
        "choices": version.choices,
        "redaction": None if version.redaction is None else version.redaction.public_id,
        "left_out": version.left_out,
        "difference": version.difference,
    }

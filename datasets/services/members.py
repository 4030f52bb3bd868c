"""The members of a version: each case with the facts, the split and the hash that it is frozen with.

Memory does not grow with the number of cases: they are read, composed and written in batches.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final, cast

from django.db import connection
from django.db.models import Count, Exists, OuterRef, QuerySet

from datasets.choices import Label, Split
from datasets.exporters.composition import Document, compose
from datasets.models import DatasetMember, LabelledCase, LabelRevision
from datasets.selectors import taking
from datasets.selectors.choices import Shares, SplitRule
from datasets.services import placing, splitting
from datasets.services.later import facts_since
from datasets.services.placing import Places
from hitl_site.lib.canonical import canonicalize, sha256_hex

BATCH: Final = 1000


class SplitCut(AssertionError):
    """A group would be in two splits, or a case would move to another one: nothing is frozen."""


@dataclass(slots=True)
class Tally:
    """What went into a version so far, and what stayed out and why."""

    cases: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    digest: Any = field(default_factory=hashlib.sha256)

    @property
    def seen(self) -> int:
        return self.cases + self.left_out.total()

    def label_counts(self) -> dict[str, int]:
        """Return the labels, those without a case included."""
        return {label: self.labels[label] for label in Label.values}

    def split_counts(self, rule: SplitRule | None) -> dict[str, int]:
        """Return the splits that were asked for, those without a case included."""
        return {} if rule is None else {split.value: self.splits[split] for split, _ in rule.shares.wanted()}

    def reasons(self) -> dict[str, int]:
        """Return what stayed out, by reason."""
        return {reason: self.left_out[reason] for reason in taking.REASONS if self.left_out[reason]}


def write(
    *,
    version_id: int,
    cases: QuerySet[LabelledCase],
    rule: SplitRule | None,
    since: int | None = None,
    told: Callable[[int], None] | None = None,
) -> Tally:
    """Write the members of a version from cases with their standing (``taking.with_standing``).

    Which cases those are is read in one statement; ``told`` hears after each batch how many were looked at.
    ``since`` is the newest version that was split by the same rule.
    """
    tally = Tally()
    shared = {} if rule is None else placing.shared_conversations(cases)
    places = Places(rule, shared=shared, since=since)
    rows: QuerySet[Any, tuple[int, str]] = cases.order_by("pk").values_list("pk", "standing")  # type: ignore[misc]  # standing is annotated
    position = 0
    for batch in _batches(rows.iterator(chunk_size=BATCH), BATCH):
        found = LabelledCase.objects.in_bulk([key for key, standing in batch if not standing])
        tally.left_out.update(standing for _, standing in batch if standing)
        # Somebody's data may have been erased since the list was made.
        erased = {key for key, case in found.items() if case.erased_at is not None}
        tally.left_out[taking.ERASED] += len(erased)
        kept = [case for key, case in sorted(found.items()) if key not in erased]
        facts, splits = facts_since(kept), places.of(kept)
        # So may a case have been disputed, by what was said of it a moment ago.
        disputed = {key for key, later in facts.items() if later["disputed"]}
        cut = {key for key, split in splits.items() if split is None} - disputed
        tally.left_out[taking.DISPUTED] += len(disputed)
        tally.left_out[taking.CUT_CONVERSATION] += len(cut)
        kept = [case for case in kept if case.pk not in disputed | cut]
        members = _members(kept, facts, splits, version_id=version_id, position=position)
        DatasetMember.objects.bulk_create(member for member, _ in members)
        position += len(members)
        for member, label in members:
            tally.cases += 1
            tally.labels[label] += 1
            tally.splits[member.split] += 1
            tally.digest.update(f"{member.content_sha256}\n".encode())
        if told is not None:
            told(tally.seen)
    return tally


def time_cuts(cases: QuerySet[LabelledCase], shares: Shares) -> tuple[datetime, ...]:
    """Return where a split by time cuts: each case counts with the first decision of its group."""
    fractions = splitting.cut_fractions(shares)
    if not fractions:
        return ()
    rows: QuerySet[Any, tuple[str]] = cases.filter(standing="").order_by().values_list("group_key")  # type: ignore[misc]  # standing is annotated
    query, params = rows.query.sql_with_params()
    with connection.cursor() as cursor:
        # Django wrote the inner query, and its values stay parameters.
        cursor.execute(
            f"""
            WITH taken (group_key) AS ({query}),
            firsts AS (
                SELECT DISTINCT ON (group_key) group_key, decided_at FROM datasets_labelledcase
                WHERE group_key IN (SELECT group_key FROM taken) ORDER BY group_key, ledger_seq
            )
            SELECT percentile_disc(%s::float8[]) WITHIN GROUP (ORDER BY firsts.decided_at)
            FROM taken JOIN firsts USING (group_key)
            """,  # noqa: S608 - Django wrote the inner query
            [*params, fractions],
        )
        (cuts,) = cursor.fetchone()
    return tuple(cuts or ())


def check_splits(*, version_id: int, since: int | None) -> None:
    """Ask the database whether a group is in two splits, or a case in another one than in ``since``."""
    members = DatasetMember.objects.filter(version_id=version_id)
    groups = members.order_by().values("case__group_key").annotate(splits=Count("split", distinct=True))
    if groups.filter(splits__gt=1).exists():
        raise SplitCut("a group of cases would be in two splits")
    if since is not None:
        before = DatasetMember.objects.filter(version_id=since, case_id=OuterRef("case_id"))
        if members.filter(Exists(before.exclude(split=OuterRef("split")))).exists():
            raise SplitCut("a case would move to another split")


def _members(
    cases: list[LabelledCase],
    facts: Mapping[int, Document],
    splits: Mapping[int, Split | None],
    *,
    version_id: int,
    position: int,
) -> list[tuple[DatasetMember, str]]:
    """Return the members that these cases make, in their order, each with its label."""
    answers = _newest_answers({case.pk: facts[case.pk] for case in cases})
    made = []
    for offset, case in enumerate(cases):
        later = facts[case.pk]
        composed = compose(case.content, later)
        member = DatasetMember(
            version_id=version_id,
            case_id=case.pk,
            position=position + offset,
            split=splits[case.pk] or Split.NONE,
            revision_id=answers.get(case.pk),
            later=later,
            content_sha256=sha256_hex(canonicalize(composed)),
        )
        made.append((member, str(composed["label"])))
    return made


def _newest_answers(facts: dict[int, Document]) -> dict[int, int]:
    """Return the primary keys of the revisions that ``facts`` hold as the newest, by case."""
    newest = {
        key: max(cast(int, revision["number"]) for revision in cast(list[Document], later["revisions"]))
        for key, later in facts.items()
        if later["revisions"]
    }
    rows = LabelRevision.objects.filter(case_id__in=newest).values_list("case_id", "number", "pk")
    return {case_id: key for case_id, number, key in rows if newest[case_id] == number}


def _batches(rows: Iterator[tuple[int, str]], size: int) -> Iterator[list[tuple[int, str]]]:
    while batch := list(islice(rows, size)):
        yield batch

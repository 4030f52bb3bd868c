from __future__ import annotations

import hashlib

import pytest
from django.db import connection, transaction
from django.db.utils import IntegrityError

from datasets.choices import Label
from datasets.exporters.composition import compose
from datasets.models import Dataset, DatasetVersion, LabelledCase
from datasets.selectors.selection import InvalidSelection, Selection
from datasets.services import datasets, freezing
from datasets.services.later import facts_since
from datasets.tests.base import Learners, decide, label, make_dataset, many_cases
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.clock import database_now
from policies.models import LedgerCursor, LedgerEntry
from reviews.choices import DecisionKind
from reviews.tests.cast import REFUND


def freeze(dataset: Dataset) -> freezing.Frozen:
    return freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now())


def test_a_version_holds_the_cases_of_its_moment_in_order_and_their_hash(learners: Learners) -> None:
    decide(learners.cast)
    decide(learners.cast, DecisionKind.CORRECT, arguments={**REFUND, "amount": 1})
    decide(learners.cast, DecisionKind.REJECT)
    label()
    dataset = make_dataset()

    frozen = freeze(dataset)

    cases = list(LabelledCase.objects.order_by("id"))
    version = frozen.version
    assert frozen.created
    assert (version.number, version.case_count) == (1, 3)
    assert version.label_counts == {"approved": 1, "corrected": 1, "rejected": 1}
    assert list(version.members.order_by("position").values_list("position", "case")) == [
        (position, case.pk) for position, case in enumerate(cases)
    ]
    composed = [canonicalize(compose(case.content, facts_since([case])[case.pk])) for case in cases]
    hashes = [hashlib.sha256(document).hexdigest() for document in composed]
    assert list(version.members.order_by("position").values_list("content_sha256", flat=True)) == hashes
    lines = "".join(f"{case_sha256}\n" for case_sha256 in hashes)
    assert version.content_sha256 == hashlib.sha256(lines.encode()).hexdigest()
    assert version.ledger_seq == LedgerCursor.objects.get(reader="labelling").seq
    entry = LedgerEntry.objects.get(verb="dataset.frozen")
    assert entry.object_id == version.public_id
    assert entry.payload.body["case_count"] == 3  # type: ignore[index]  # it is there


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(labels=("rejected",)), 1),
        (Selection(labels=("rejected", "corrected")), 2),
        (Selection(strengths=("weak",)), 1),
        (Selection(action_types=("note.add",)), 0),
        (Selection(action_types=("refund.issue",)), 3),
    ],
)
def test_a_version_takes_what_its_selection_says(
    learners: Learners, selection: Selection, expected: int
) -> None:
    decide(learners.cast, bulk=True)
    decide(learners.cast, DecisionKind.CORRECT, arguments={**REFUND, "amount": 1})
    decide(learners.cast, DecisionKind.REJECT)
    label()
    dataset = datasets.create_dataset(name="Some", selection=selection, created_by=None, now=database_now())

    if expected:
        assert freeze(dataset).version.case_count == expected
    else:
        with pytest.raises(freezing.NothingToFreeze, match="No labelled case fits"):
            freeze(dataset)
        assert not DatasetVersion.objects.exists()


def test_freezing_again_answers_the_same_version_until_something_is_new(learners: Learners) -> None:
    decide(learners.cast)
    label()
    dataset = make_dataset()
    first = freeze(dataset)

    again = freeze(dataset)

    assert (again.created, again.version) == (False, first.version)
    assert LedgerEntry.objects.filter(verb="dataset.frozen").count() == 1

    decide(learners.cast)
    label()
    second = freeze(dataset)
    assert (second.created, second.version.number, second.version.case_count) == (True, 2, 2)
    first.version.refresh_from_db()
    assert first.version.case_count == 1
    assert first.version.members.count() == 1


@pytest.mark.django_db
def test_a_case_that_the_labeller_has_not_committed_to_yet_is_left_for_the_next_version() -> None:
    many_cases(3)
    LedgerCursor.objects.update(seq=2)

    version = freeze(make_dataset(action_types=("refund.issue",))).version

    assert list(version.members.values_list("case__ledger_seq", flat=True)) == [1, 2]


@pytest.mark.django_db
def test_the_database_lets_nobody_change_what_is_frozen() -> None:
    many_cases(2)
    version = freeze(make_dataset()).version

    for statement in (
        "UPDATE datasets_labelledcase SET label = 'rejected'",
        "UPDATE datasets_datasetversion SET case_count = 1",
        "DELETE FROM datasets_datasetmember",
        "DELETE FROM datasets_labelledcase",
    ):
        with (
            pytest.raises(IntegrityError, match="append-only"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
    assert version.members.count() == 2


@pytest.mark.django_db
def test_a_dataset_needs_a_name_of_its_own_and_known_action_types() -> None:
    many_cases(1)
    make_dataset("Refunds")

    with pytest.raises(datasets.NameTaken):
        make_dataset(" Refunds ")
    with pytest.raises(datasets.UnableToCreate):
        make_dataset("  ")
    with pytest.raises(datasets.UnknownActionType):
        make_dataset("Other", action_types=("no.such",))

    assert Dataset.objects.count() == 1
    assert LedgerEntry.objects.filter(verb="dataset.created").count() == 1


@pytest.mark.parametrize(
    "document",
    [
        {"labels": ["maybe"]},
        {"labels": "approved"},
        {"strengths": [1]},
        {"since": "yesterday"},
        {"since": "2026-03-01T00:00:00"},
        {"since": 3},
        {"action_types": [""]},
        {"colour": "red"},
        {"sources": ["guess"]},
        {"kinds": ["other"]},
        {"agents": "clerk"},
        {"tags": [""]},
        {"reasons": ["x" * 121]},
        {"reasons": ["a\x00b"]},
        {"blind_only": "yes"},
        {"until": "soon"},
        {"since": "2026-03-02T00:00:00Z", "until": "2026-03-02T00:00:00Z"},
        {"text": 3},
        {"text": "x" * 201},
        {"text": "\x00"},
        {"agents": [f"agent-{number}" for number in range(201)]},
    ],
)
def test_what_is_not_a_selection_is_refused(document: dict[str, object]) -> None:
    with pytest.raises(InvalidSelection):
        Selection.from_document(document)  # type: ignore[arg-type]  # on purpose


def test_a_selection_survives_being_stored() -> None:
    document = {
        "action_types": ["a", "b"],
        "kinds": ["proposal"],
        "labels": [Label.APPROVED.value],
        "strengths": [],
        "sources": ["audit"],
        "agents": ["clerk"],
        "agent_versions": ["1", "2"],
        "reasons": ["wrong_amount"],
        "tags": ["golden"],
        "blind_only": True,
        "since": "2026-03-01T00:00:00Z",
        "until": "2026-04-01T00:00:00Z",
        "text": 'a "cup"',
    }
    assert Selection.from_document(document).document() == document  # type: ignore[arg-type]  # a document


def test_a_selection_from_before_there_were_more_fields_asks_nothing_of_them() -> None:
    old = {"action_types": [], "labels": ["rejected"], "strengths": [], "since": None}
    assert Selection.from_document(old) == Selection(labels=("rejected",))  # type: ignore[arg-type]  # a document

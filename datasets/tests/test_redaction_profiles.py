"""Profiles as documents, and the service that keeps them."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from django.conf import settings
from django.db import connection

from datasets.choices import ExportFormat
from datasets.exporters.composition import compose
from datasets.models import EvalResult, RedactionProfile
from datasets.redaction import Detector, FieldRule, InvalidProfile, Profile, Treatment, everything
from datasets.selectors import redaction as questions
from datasets.selectors.selection import Selection
from datasets.services import datasets, evaluating, exporting, freezing, redaction
from datasets.services.evaluating import Sent
from datasets.tests.base import many_cases
from hitl_site.lib.clock import database_now
from hitl_site.lib.strict_json import JsonValue
from policies.models import LedgerEntry
from policies.services.agents import VersionClaim
from reviews.tests.cast import make_cast, make_person

NAMES = Profile(
    frozenset({Detector.EMAIL}), (FieldRule("/arguments/*/name", Treatment.MASK, ("refund.issue",)),)
)


def faults(document: JsonValue) -> list[str]:
    with pytest.raises(InvalidProfile) as refused:
        Profile.from_document(document)
    return [fault.pointer for fault in refused.value.faults]


def rule(**given: JsonValue) -> JsonValue:
    return {
        "format": "handrail.redaction/1",
        "rules": [{"pointer": "/arguments/a", "treatment": "mask", **given}],
    }


def test_a_profile_reads_what_it_wrote() -> None:
    assert Profile.from_document(NAMES.to_document()) == NAMES
    assert Profile.from_document(everything().to_document()) == everything()
    assert NAMES.to_document() == {
        "format": "handrail.redaction/1",
        "detectors": ["email"],
        "rules": [{"pointer": "/arguments/*/name", "treatment": "mask", "action_types": ["refund.issue"]}],
    }


@pytest.mark.parametrize(
    ("document", "where"),
    [
        ([], [""]),
        ({}, ["/format"]),
        ({"format": "handrail.redaction/1"}, [""]),
        ({"format": "handrail.redaction/2", "detectors": ["email"]}, ["/format"]),
        ({"format": "handrail.redaction/1", "detectors": "email"}, ["/detectors"]),
        ({"format": "handrail.redaction/1", "detectors": ["email", "email", "name", 4]}, [
            "/detectors/1", "/detectors/2", "/detectors/3",
        ]),
        ({"format": "handrail.redaction/1", "detectors": ["email"], "x/y": 1}, ["/x~1y"]),
        ({"format": "handrail.redaction/1", "rules": [1]}, ["/rules/0"]),
        (rule(pointer="arguments"), ["/rules/0/pointer"]),
        (rule(pointer=4), ["/rules/0/pointer"]),
        (rule(pointer="/arguments/~2"), ["/rules/0/pointer"]),
        (rule(pointer="/proposal/arguments/name"), ["/rules/0/pointer"]),
        (rule(pointer="/label"), ["/rules/0/pointer"]),
        (rule(pointer="/*"), ["/rules/0/pointer"]),
        (rule(pointer="/action/subject", treatment="drop"), ["/rules/0/pointer"]),
        (rule(pointer="/arguments", treatment="drop"), ["/rules/0/pointer"]),
        (rule(pointer="/arguments/" + "a" * 500), ["/rules/0/pointer"]),
        (rule(treatment="hide", action_types=["a", "a", ""]), [
            "/rules/0/treatment", "/rules/0/action_types/1", "/rules/0/action_types/2",
        ]),
        (rule(more=1), ["/rules/0/more"]),
    ],
)  # fmt: skip
def test_every_fault_of_a_profile_is_told_with_its_place(document: JsonValue, where: list[str]) -> None:
    assert faults(document) == where


@pytest.mark.django_db
def test_a_saved_profile_is_a_number_of_its_own_and_on_record() -> None:
    mia = make_person("Mia", "ml_engineer")
    first = redaction.save_profile(
        name=" Strict ", profile=everything(), based_on=0, saved_by=mia, now=database_now()
    )
    again = redaction.save_profile(
        name="Strict", profile=everything(), based_on=1, saved_by=mia, now=database_now()
    )
    second = redaction.save_profile(
        name="Strict", profile=NAMES, based_on=1, saved_by=mia, now=database_now()
    )

    assert (first.name, first.number, again.pk, second.number) == ("Strict", 1, first.pk, 2)
    assert redaction.newest_of("Strict") == second
    entry = LedgerEntry.objects.get(verb="redaction.saved", object_id=second.public_id)
    assert entry.payload.body == {
        "name": "Strict",
        "number": 2,
        "before": everything().to_document(),
        "after": NAMES.to_document(),
    }
    assert LedgerEntry.objects.filter(verb="redaction.saved").count() == 2


@pytest.mark.django_db
def test_a_profile_that_somebody_else_saved_is_not_overwritten() -> None:
    redaction.save_profile(name="Strict", profile=NAMES, based_on=0, saved_by=None, now=database_now())

    with pytest.raises(redaction.NameTaken):
        redaction.save_profile(
            name="Strict", profile=everything(), based_on=0, saved_by=None, now=database_now()
        )
    redaction.save_profile(name="Strict", profile=everything(), based_on=1, saved_by=None, now=database_now())
    with pytest.raises(redaction.SavedMeanwhile):
        redaction.save_profile(name="Strict", profile=NAMES, based_on=1, saved_by=None, now=database_now())

    assert RedactionProfile.objects.count() == 2
    assert LedgerEntry.objects.filter(verb="redaction.saved").count() == 2


@pytest.mark.django_db(transaction=True)
def test_ten_first_looks_make_one_default_profile() -> None:
    made: list[str] = []

    def look() -> None:
        try:
            made.append(redaction.default_profile(now=database_now()).public_id)
        finally:
            connection.close()

    threads = [threading.Thread(target=look) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    profile = RedactionProfile.objects.get()
    assert made == [profile.public_id] * 10
    assert profile.name == "Personal data"
    assert Profile.from_document(profile.document) == everything()
    assert LedgerEntry.objects.filter(verb="redaction.saved").count() == 1


@pytest.mark.django_db
def test_versions_have_pseudonyms_of_their_own_and_keep_the_number_they_were_frozen_with() -> None:
    many_cases(3)
    redaction.default_profile(now=database_now())
    first, second = (
        freezing.freeze(
            dataset_id=datasets.create_dataset(
                name=name,
                selection=Selection(),
                redaction="Personal data",
                created_by=None,
                now=database_now(),
            ).public_id,
            frozen_by=None,
            now=database_now(),
        ).version
        for name in ("One", "Two")
    )
    redaction.save_profile(name="Personal data", profile=NAMES, based_on=1, saved_by=None, now=database_now())
    document: dict[str, JsonValue] = {"to": "anna@example.com", "at": "203.0.113.7"}

    one, two = redaction.redactor_for(first), redaction.redactor_for(second)

    assert one is not None
    assert two is not None
    assert one.profile == everything()
    assert one.apply(document).document != two.apply(document).document
    assert one.apply(document).replaced == {"email": 1, "ip": 1}
    again = redaction.redactor_for(first)
    assert again is not None
    assert again.apply(document) == one.apply(document)


@pytest.mark.django_db
def test_a_version_without_a_profile_has_no_redactor_and_an_unreadable_profile_refuses() -> None:
    many_cases(1)
    dataset = datasets.create_dataset(
        name="Plain", selection=Selection(), created_by=None, now=database_now()
    )
    version = freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now()).version
    assert redaction.redactor_for(version) is None

    version.redaction = RedactionProfile(name="New", number=1, document={"format": "handrail.redaction/9"})
    with pytest.raises(InvalidProfile):
        redaction.redactor_for(version)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "format", [ExportFormat.JSONL, ExportFormat.DPO, ExportFormat.CSV, ExportFormat.CHAT]
)
def test_nothing_leaves_an_export_around_the_redaction(format: ExportFormat) -> None:
    many_cases(4, filler="to anna.berg@example.com, +49 171 9982347")
    redaction.default_profile(now=database_now())
    dataset = datasets.create_dataset(
        name="Private", selection=Selection(), redaction="Personal data", created_by=None, now=database_now()
    )
    version = freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now()).version
    export = exporting.request(
        version_id=version.public_id, order=exporting.Order(format), requested_by=None, now=database_now()
    )

    assert exporting.run(export_id=export.public_id, clock=database_now) == exporting.Ran.FINISHED

    files = [path for path in Path(settings.EXPORT_DIR).rglob("*") if path.is_file()]
    written = b"".join(path.read_bytes() for path in files)
    assert b"anna" not in written
    assert b"171 9982347" not in written
    assert b"email:" in written
    export.refresh_from_db()
    assert export.manifest is not None
    told = export.manifest["redaction"]
    assert (told["profile"], told["number"]) == ("Personal data", 1)
    assert set(told["replaced"]) == {"email", "phone"}
    assert [(use.version, use.number, use.exported) for use in questions.uses("Personal data")] == [
        (version, 1, True)
    ]
    assert [words for words, _ in questions.uses("Personal data")[0].replaced] == [
        "E-mail addresses",
        "Telephone numbers",
    ]


@pytest.mark.django_db
def test_an_answer_to_a_redacted_case_is_measured_by_the_redacted_truth() -> None:
    clerk = make_cast().clerk
    many_cases(1, filler="anna.berg@example.com")
    redaction.default_profile(now=database_now())
    dataset = datasets.create_dataset(
        name="Private", selection=Selection(), redaction="Personal data", created_by=None, now=database_now()
    )
    version = freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now()).version
    member = version.members.select_related("case").get()
    redactor = redaction.redactor_for(version)
    assert redactor is not None
    composed = compose(member.case.content, member.later)
    stored, seen = composed["truth"], redactor.apply(composed).document["truth"]
    assert isinstance(stored, dict)
    assert isinstance(seen, dict)
    passed = []
    for key, truth in (("a", seen), ("b", stored)):
        run = evaluating.start(
            agent=clerk,
            version_id=version.public_id,
            claim=VersionClaim(label="2"),
            split="",
            source="handrail",
            note="",
            idempotency_key=key,
            body_digest="sha256:" + "0" * 64,
            now=database_now(),
        ).run
        arguments = truth["arguments"]
        assert isinstance(arguments, dict)
        sent = Sent(case=member.case.public_id, acted=True, output=arguments)
        _, lines = evaluating.take_results(
            run_id=run.public_id, agent=clerk, results=[sent], now=database_now()
        )
        passed.append(lines[0].passed)

    assert passed == [True, False]
    assert "anna" not in str(list(EvalResult.objects.filter(passed=True).values_list("detail", flat=True)))

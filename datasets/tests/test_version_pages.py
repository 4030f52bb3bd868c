"""Datasets and versions as people and programs meet them: the form, the pages, the job, the API."""

from __future__ import annotations

import json
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from datasets.models import CaseCuration, Dataset, DatasetMember, DatasetVersion, Freezing, LabelledCase
from datasets.selectors.choices import Choices, NearDuplicates, Shares, SplitBy, SplitRule
from datasets.selectors.selection import Selection
from datasets.services import datasets, freezing, freezings
from datasets.tests.base import Learners, decide, label, make_dataset, many_cases
from datasets.tests.test_versions import add_case, exclude
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.clock import database_now
from policies.choices import Scope
from policies.models import LedgerEntry
from policies.services import agents
from policies.services.ledger import Actor
from reviews.tests.cast import make_cast

FRAGMENT = {"HX-Request": "true"}


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def freeze(dataset: Dataset) -> DatasetVersion:
    return freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now()).version


def split_dataset(shares: Shares | None = None) -> Dataset:
    rule = SplitRule(SplitBy.GROUP, shares or Shares(60, 20, 20))
    return datasets.create_dataset(
        name="Split", selection=Selection(), choices=Choices(split=rule), created_by=None, now=database_now()
    )


def test_the_form_shows_every_choice_with_the_number_of_its_cases(learners: Learners) -> None:
    many_cases(6)
    case = LabelledCase.objects.earliest("id")
    CaseCuration.objects.create(case=case, tags=["golden"], updated_at=database_now())

    html = as_(learners.mia).get("/datasets/new/").content.decode()

    for option in (
        "refund.issue · 6",
        "note.add · 0",
        "Right as proposed · 2",
        "Considered · 6",
        "Held and decided · 6",
        "What the agent proposed · 6",
        "clerk · 6",
        "golden · 1",
    ):
        assert option in html, option


def test_a_dataset_is_made_with_all_its_choices_from_the_form(learners: Learners) -> None:
    many_cases(3)
    mia = as_(learners.mia)
    mia.cookies["handrail-tz"] = "UTC"
    answer = mia.post(
        "/datasets/",
        {
            "name": "Everything",
            "labels": ["corrected", "rejected"],
            "sources": ["review"],
            "agents": ["clerk"],
            "since": "2026-03-01",
            "until": "2026-12-31",
            "text": "cup",
            "split": "time",
            "train": "70",
            "validation": "0",
            "test": "30",
            "near_duplicates": "one_per_group",
            "weak": "leave_out",
        },
    )

    dataset = Dataset.objects.get()
    assert answer.status_code == 302
    selection = Selection.from_document(dataset.selection)
    assert (selection.labels, selection.sources, selection.agents, selection.text) == (
        ("corrected", "rejected"),
        ("review",),
        ("clerk",),
        "cup",
    )
    assert dataset.selection["since"] == "2026-03-01T00:00:00Z"
    # That day included.
    assert dataset.selection["until"] == "2027-01-01T00:00:00Z"
    choices = Choices.from_document(dataset.choices)
    assert choices.split is not None
    assert (choices.split.by, choices.split.shares) == ("time", Shares(70, 0, 30))
    assert choices.near_duplicates == NearDuplicates.ONE_PER_GROUP
    page = as_(learners.vic).get(reverse("datasets:detail", args=[dataset.public_id])).content.decode()
    assert "70% training, 0% validation, 30% test" in page


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"split": "group", "train": "80", "validation": "10", "test": "11"}, "make 100 together"),
        ({"split": "group", "train": "-1"}, "greater than or equal to 0"),
        ({"split": "luck"}, "Select a valid choice"),
        ({"since": "2026-03-02", "until": "2026-03-01"}, "not after its beginning"),
        ({"text": "x" * 201}, "at most 200 characters"),
        ({"tags": ["nobody has it"]}, "Select a valid choice"),
        ({"redaction": "No such profile"}, "Select a valid choice"),
    ],
)
def test_what_the_form_cannot_take_comes_back_with_what_was_typed(
    learners: Learners, given: dict[str, Any], message: str
) -> None:
    answer = as_(learners.mia).post("/datasets/", {"name": "Mine", "description": "Kept text", **given})

    assert answer.status_code == 422
    assert message in answer.content.decode()
    assert "Kept text" in answer.content.decode()
    assert not Dataset.objects.exists()


def test_asking_what_it_takes_makes_nothing(learners: Learners) -> None:
    many_cases(6)
    exclude(LabelledCase.objects.earliest("id"))

    answer = as_(learners.mia).post("/datasets/", {"name": "Mine", "preview": "1"})

    html = answer.content.decode()
    assert answer.status_code == 200
    assert "A version frozen now has 5 cases" in html
    assert "excluded by a person" in html
    assert 'value="Mine"' in html
    assert not Dataset.objects.exists()


def test_a_dataset_is_changed_and_the_form_begins_with_what_it_has(learners: Learners) -> None:
    many_cases(3)
    dataset = make_dataset(labels=("corrected",))
    address = reverse("datasets:edit", args=[dataset.public_id])
    mia = as_(learners.mia)

    form = mia.get(address).context["form"]
    assert form.initial["labels"] == ("corrected",)
    answer = mia.post(address, {"labels": ["rejected"], "split": "group"})

    assert answer.headers["Location"] == reverse("datasets:detail", args=[dataset.public_id])
    dataset.refresh_from_db()
    assert dataset.selection["labels"] == ["rejected"]
    assert dataset.choices["split"]["shares"] == {"train": 80, "validation": 10, "test": 10}
    assert dataset.name == "Refunds"
    assert LedgerEntry.objects.filter(verb="dataset.changed").count() == 1


def test_a_day_that_is_left_as_it_is_keeps_its_moment_in_every_zone(learners: Learners) -> None:
    many_cases(1)
    since = database_now().replace(hour=17, minute=23)
    dataset = make_dataset(since=since, until=since + timedelta(days=3))
    address = reverse("datasets:edit", args=[dataset.public_id])
    mia = as_(learners.mia)
    mia.cookies["handrail-tz"] = "Asia/Tokyo"
    initial = mia.get(address).context["form"].initial

    mia.post(
        address,
        {
            "description": "Words alone",
            "since": initial["since"].isoformat(),
            "until": initial["until"].isoformat(),
        },
    )

    dataset.refresh_from_db()
    assert dataset.description == "Words alone"
    assert Selection.from_document(dataset.selection) == Selection(
        since=since, until=since + timedelta(days=3)
    )


@pytest.mark.parametrize("name", ["new", "edit", "version", "freezing_progress"])
def test_who_may_see_the_pages_of_versions(learners: Learners, name: str) -> None:
    many_cases(2)
    version = freeze(make_dataset())
    job = Freezing.objects.create(
        public_id="frz_" + "0" * 32,
        dataset=version.dataset,
        cases_total=3,
        requested_by_name="Mia",
        requested_at=database_now(),
    )
    arguments = {
        "new": [],
        "edit": [version.dataset.public_id],
        "version": [version.public_id],
        "freezing_progress": [job.public_id],
    }
    address = reverse(f"datasets:{name}", args=arguments[name])

    assert Client().get(address).status_code == 302
    assert as_(learners.rita).get(address).status_code == 403
    looks = 200 if name in {"version", "freezing_progress"} else 403
    assert as_(learners.vic).get(address, headers=FRAGMENT).status_code == looks
    assert as_(learners.mia).get(address, headers=FRAGMENT).status_code == 200


def test_the_page_of_a_version_says_all_of_it(learners: Learners) -> None:
    many_cases(9)
    exclude(LabelledCase.objects.earliest("id"))
    dataset = split_dataset()
    first = freeze(dataset)
    new = add_case(10, group="subject:new", decided_at=database_now())
    second = freeze(dataset)
    vic = as_(learners.vic)

    html = vic.get(reverse("datasets:version", args=[second.public_id])).content.decode()

    assert second.content_sha256 in html
    assert "excluded by a person" in html
    assert "60% training, 20% validation, 20% test" in html
    assert "Labels by action type" in html
    assert "Labels by split" in html
    assert '<rect class="balance-approved" x="0.00" y="0" width="' in html
    assert reverse("datasets:version", args=[first.public_id]) in html
    added = vic.get(reverse("datasets:version", args=[second.public_id]), {"show": "added"})
    assert [member.case for member in added.context["page"].items] == [new]
    removed = vic.get(reverse("datasets:version", args=[second.public_id]), {"show": "removed"})
    assert "No case is different in this way." in removed.content.decode()
    # The first one has nothing to be compared with.
    alone = vic.get(reverse("datasets:version", args=[first.public_id]), {"show": "added"})
    assert alone.status_code == 200
    assert "Lists of cases" not in alone.content.decode()


def test_the_cases_of_a_version_are_named_by_what_was_proposed(learners: Learners) -> None:
    decide(learners.cast)
    label()
    version = freeze(make_dataset())

    html = as_(learners.vic).get(reverse("datasets:version", args=[version.public_id])).content.decode()

    assert ">Refund 184 for SO-48213</a>" in html


def test_the_balance_counts_the_answers_that_a_version_was_frozen_with(learners: Learners) -> None:
    many_cases(9)
    version = freeze(split_dataset(Shares(100, 0, 0)))

    balance = (
        as_(learners.vic).get(reverse("datasets:version", args=[version.public_id])).context["view"].balance
    )

    (row,) = balance.by_action_type
    assert (row.name, row.total) == ("refund.issue", 9)
    assert [(name.value, count) for name, count in row.labels] == [
        ("approved", 3),
        ("corrected", 3),
        ("rejected", 3),
    ]
    assert [(part.start, part.width) for part in row.segments] == [
        ("0.00", "33.33"),
        ("33.33", "33.33"),
        ("66.67", "33.33"),
    ]
    assert [(split.name, split.total) for split in balance.by_split] == [("Training", 9)]


def test_the_cases_of_a_version_are_paged_in_its_order(
    learners: Learners, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets.selectors import version_page

    monkeypatch.setattr(version_page, "PAGE_SIZE", 4)
    many_cases(6)
    version = freeze(make_dataset())
    vic, address = as_(learners.vic), reverse("datasets:version", args=[version.public_id])

    first = vic.get(address).context["page"]
    second = vic.get(address, {"after": first.next_cursor}).context["page"]

    assert [member.position for member in (*first.items, *second.items)] == [0, 1, 2, 3, 4, 5]
    altered = vic.get(address, {"after": f"{first.next_cursor}x"})
    assert altered.headers["Location"] == f"{address}?show=all"
    assert vic.get(address, {"show": "colours"}).status_code == 400


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezings, "AT_ONCE", 3)


@pytest.mark.usefixtures("few_at_once")
def test_a_large_version_is_left_to_a_worker_and_its_bar_asks_until_it_is_there(learners: Learners) -> None:
    many_cases(5)
    dataset = make_dataset()
    mia = as_(learners.mia)
    freeze_it = reverse("datasets:freeze", args=[dataset.public_id])

    mia.post(freeze_it)
    mia.post(freeze_it)

    job = Freezing.objects.get()
    assert not DatasetVersion.objects.exists()
    assert (job.cases_total, job.requested_by, job.state) == (5, learners.mia, "requested")
    assert LedgerEntry.objects.filter(verb="dataset.freezing_requested").count() == 1
    address = reverse("datasets:freezing_progress", args=[job.public_id])
    page = mia.get(reverse("datasets:detail", args=[dataset.public_id])).content.decode()
    for html in (page, mia.get(address, headers=FRAGMENT).content.decode()):
        assert f'hx-get="{address}" hx-trigger="every 1s"' in html
        assert '<progress class="progress" aria-label="Freezing a version" max="5" value="0">' in html

    assert freezings.run(freezing_id=job.public_id, clock=database_now)

    version = DatasetVersion.objects.get()
    job.refresh_from_db()
    assert (job.state, job.version) == ("done", version)
    assert (version.case_count, version.frozen_by) == (5, learners.mia)
    done = mia.get(address, headers=FRAGMENT).content.decode()
    assert "hx-get" not in done
    assert reverse("datasets:version", args=[version.public_id]) in done
    assert not freezings.run(freezing_id=job.public_id, clock=database_now)
    assert freezings.to_do() == []
    # By hand, the address leads to the page of the dataset.
    assert mia.get(address).headers["Location"] == reverse("datasets:detail", args=[dataset.public_id])


@pytest.mark.usefixtures("few_at_once")
def test_a_job_with_nothing_to_freeze_fails_and_says_why_and_the_next_one_may_succeed(
    learners: Learners,
) -> None:
    many_cases(5)
    for case in LabelledCase.objects.all():
        exclude(case)
    dataset = make_dataset()
    job = freezings.ask(dataset_id=dataset.public_id, asked_by=learners.mia, now=database_now())
    assert isinstance(job, Freezing)

    assert freezings.run(freezing_id=job.public_id, clock=database_now)

    job.refresh_from_db()
    assert (job.state, job.version) == ("failed", None)
    html = as_(learners.mia).get(reverse("datasets:detail", args=[dataset.public_id])).content.decode()
    assert "Every case that fits the selection" in html
    assert LedgerEntry.objects.filter(verb="dataset.freezing_failed").count() == 1
    CaseCuration.objects.update(excluded_at=None, excluded_because="")
    again = freezings.ask(dataset_id=dataset.public_id, asked_by=learners.mia, now=database_now())
    assert isinstance(again, Freezing)
    assert freezings.run(freezing_id=again.public_id, clock=database_now)
    assert DatasetVersion.objects.get().case_count == 5


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("few_at_once")
def test_workers_at_the_same_job_make_one_version_and_tell_how_far_it_is() -> None:
    make_cast()
    many_cases(30)
    dataset = make_dataset()
    job = freezings.ask(dataset_id=dataset.public_id, asked_by=None, now=database_now())
    assert isinstance(job, Freezing)
    together = threading.Barrier(3)
    worked: list[bool] = []

    def worker() -> None:
        try:
            together.wait(timeout=30)
            worked.append(freezings.run(freezing_id=job.public_id, clock=database_now))
        finally:
            connection.close()

    workers = [threading.Thread(target=worker) for _ in range(3)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()

    assert sorted(worked) == [False, False, True]
    job.refresh_from_db()
    assert (job.state, job.cases_done, job.attempts) == ("done", 30, 1)
    assert DatasetVersion.objects.get().case_count == 30
    assert DatasetMember.objects.count() == 30


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("few_at_once")
def test_a_job_whose_worker_dies_again_and_again_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        """What a kill looks like from inside."""

    def die(**_: Any) -> None:
        raise Killed

    make_cast()
    many_cases(5)
    dataset = make_dataset()
    job = freezings.ask(dataset_id=dataset.public_id, asked_by=None, now=database_now())
    assert isinstance(job, Freezing)
    with monkeypatch.context() as patched:
        patched.setattr(freezing, "freeze", die)
        for _ in range(freezings.MAX_ATTEMPTS):
            with pytest.raises(Killed):
                freezings.run(freezing_id=job.public_id, clock=database_now)
            assert freezings.to_do() == [job.public_id]

    assert freezings.run(freezing_id=job.public_id, clock=database_now)

    job.refresh_from_db()
    assert (job.state, job.attempts) == ("failed", freezings.MAX_ATTEMPTS + 1)
    assert "died 5 times" in job.error
    assert not DatasetVersion.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_an_erasure_waits_for_a_version_that_is_being_frozen() -> None:
    make_cast()
    many_cases(3)
    dataset = make_dataset()
    frozen, let_go = threading.Event(), threading.Event()
    seen: list[int] = []

    def person() -> None:
        try:
            with transaction.atomic():
                freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now())
                frozen.set()
                let_go.wait(timeout=30)
        finally:
            connection.close()

    def erasure() -> None:
        try:
            with transaction.atomic():
                frozen.wait(timeout=30)
                freezing.wait_for_freezings()
                seen.append(DatasetVersion.objects.count())
        finally:
            connection.close()

    threads = [threading.Thread(target=person), threading.Thread(target=erasure)]
    for thread in threads:
        thread.start()
    assert frozen.wait(timeout=30)
    assert seen == []
    let_go.set()
    for thread in threads:
        thread.join()

    # What it waited for is there for it to see.
    assert seen == [1]


@pytest.fixture
def key(learners: Learners) -> str:
    _, token = agents.create_key(
        agent=learners.cast.clerk, scopes=[Scope.DATASETS_READ], actor=Actor.system(), now=database_now()
    )
    return token


def ask(token: str, version_id: str, **query: str) -> Any:
    return Client().get(
        f"/api/v1/dataset-versions/{version_id}/cases",
        query,
        headers={"Authorization": f"Bearer {token}"},
    )


def lines(answer: Any) -> list[bytes]:
    return b"".join(answer.streaming_content).splitlines()


def test_a_program_reads_the_cases_of_a_version_whose_hashes_make_the_versions_hash(
    learners: Learners, key: str
) -> None:
    import hashlib

    many_cases(250)
    version = freeze(split_dataset())

    answer = ask(key, version.public_id, format="jsonl")

    found = lines(answer)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/jsonl"
    assert answer.headers["Handrail-Cases"] == "250"
    assert answer.headers["Handrail-Content-Sha256"] == version.content_sha256
    hashes = [hashlib.sha256(line).hexdigest() for line in found]
    assert (
        hashlib.sha256("".join(f"{one}\n" for one in hashes).encode()).hexdigest() == version.content_sha256
    )
    document = json.loads(found[0])
    assert canonicalize(document) == found[0]
    assert document["later"]["revisions"] == []
    by_split = {split: len(lines(ask(key, version.public_id, split=split))) for split in version.split_counts}
    assert by_split == version.split_counts


def test_who_has_no_scope_or_asks_for_what_is_not_there_gets_a_problem(learners: Learners, key: str) -> None:
    many_cases(1)
    version = freeze(make_dataset())

    for answer, status, kind in (
        (ask(learners.cast.token, version.public_id), 403, "scope"),
        (Client().get(f"/api/v1/dataset-versions/{version.public_id}/cases"), 401, "unauthenticated"),
        (ask(key, "dsv_" + "0" * 32), 404, "not-found"),
        (ask(key, version.public_id, format="xml"), 422, "validation"),
        (ask(key, version.public_id, split="dev"), 422, "validation"),
    ):
        assert answer.status_code == status
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert json.loads(answer.content)["type"].endswith(f"/{kind}/")


def test_a_version_is_read_as_it_was_frozen_whatever_is_known_now(learners: Learners, key: str) -> None:
    decide(learners.cast)
    label()
    version = freeze(make_dataset())
    before = lines(ask(key, version.public_id))
    CaseCuration.objects.create(case=LabelledCase.objects.get(), tags=["golden"], updated_at=database_now())

    assert lines(ask(key, version.public_id)) == before

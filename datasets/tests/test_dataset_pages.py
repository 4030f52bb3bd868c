from __future__ import annotations

from pathlib import Path

import pytest
from celery import Celery
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoCaptureOnCommitCallbacks

from datasets import tasks
from datasets.models import Dataset, DatasetVersion, Export, LabelledCase
from datasets.selectors.selection import Selection
from datasets.services import exporting, freezing
from datasets.tests.base import Learners, decide, label, make_dataset
from hitl_site.lib.clock import database_now
from reviews.choices import DecisionKind
from reviews.tests.cast import REFUND

FRAGMENT = {"HX-Request": "true"}


@pytest.fixture
def export(learners: Learners) -> Export:
    """A correction, in a dataset, in a version, in an export that waits for a worker."""
    decide(learners.cast, DecisionKind.CORRECT, arguments={**REFUND, "amount": 12.5}, note="Too much")
    label()
    version = freezing.freeze(dataset_id=make_dataset().public_id, frozen_by=None, now=database_now()).version
    return exporting.request(version_id=version.public_id, requested_by=None, now=database_now())


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def run(export: Export) -> None:
    assert exporting.run(export_id=export.public_id, clock=database_now) == exporting.Ran.FINISHED


def addresses(export: Export) -> dict[str, str]:
    dataset, case = export.version.dataset, LabelledCase.objects.get()
    return {
        "index": reverse("datasets:index"),
        "detail": reverse("datasets:detail", args=[dataset.public_id]),
        "cases": reverse("datasets:cases"),
        "case": reverse("datasets:case", args=[case.public_id]),
        "export_progress": reverse("datasets:export_progress", args=[export.public_id]),
        "download": reverse("datasets:download", args=[export.public_id]),
        "manifest": reverse("datasets:manifest", args=[export.public_id]),
        "freeze": reverse("datasets:freeze", args=[dataset.public_id]),
        "export": reverse("datasets:export", args=[export.version.public_id]),
        "cancel": reverse("datasets:cancel", args=[export.public_id]),
    }


SEEN = ["index", "detail", "cases", "case", "export_progress"]
TAKEN = ["download", "manifest"]
ACTS = ["index", "freeze", "export", "cancel"]


def _counts() -> tuple[int, int, int, list[str]]:
    states = list(Export.objects.order_by("id").values_list("state", flat=True))
    return Dataset.objects.count(), DatasetVersion.objects.count(), Export.objects.count(), states


@pytest.mark.parametrize("name", [*SEEN, *TAKEN])
def test_who_may_see_what(learners: Learners, export: Export, name: str) -> None:
    run(export)
    address = addresses(export)[name]

    assert Client().get(address).status_code == 302
    assert Client().get(address).headers["Location"] == f"/login/?next={address}"
    assert as_(learners.rita).get(address).status_code == 403
    # Vic looks and takes nothing away.
    assert as_(learners.vic).get(address, headers=FRAGMENT).status_code == (403 if name in TAKEN else 200)
    assert as_(learners.mia).get(address, headers=FRAGMENT).status_code == 200


@pytest.mark.parametrize("name", ACTS)
def test_who_may_not_act_changes_nothing(learners: Learners, export: Export, name: str) -> None:
    address, before = addresses(export)[name], _counts()
    form = {"name": "Mine"}

    assert Client().post(address, form).status_code == 302
    assert as_(learners.rita).post(address, form).status_code == 403
    assert as_(learners.vic).post(address, form).status_code == 403
    assert Client(enforce_csrf_checks=True).post(address, form).status_code == 403
    if name not in {"index", "export"}:
        assert as_(learners.mia).get(address).status_code == 405

    assert _counts() == before


@pytest.mark.parametrize("name", [*SEEN[1:], *TAKEN])
def test_what_only_shows_refuses_a_post(learners: Learners, export: Export, name: str) -> None:
    assert as_(learners.mia).post(addresses(export)[name]).status_code == 405


@pytest.mark.parametrize(
    "address",
    [
        "/datasets/dst_" + "0" * 32 + "/",
        "/cases/case_" + "0" * 32 + "/",
        "/exports/exp_" + "0" * 32 + "/download/",
        "/exports/exp_" + "0" * 32 + "/progress/",
        "/datasets/%00/",
        "/cases/case_%00/",
        "/exports/..%2F..%2Fetc/download/",
    ],
)
def test_what_is_not_there_is_not_found(learners: Learners, address: str) -> None:
    assert as_(learners.mia).get(address).status_code == 404


def test_a_dataset_is_made_frozen_exported_and_downloaded(
    learners: Learners,
) -> None:
    decide(learners.cast, DecisionKind.CORRECT, arguments={**REFUND, "amount": 12.5})
    label()
    mia = as_(learners.mia)

    made = mia.post(
        "/datasets/", {"name": "Corrected refunds", "action_types": ["refund.issue"], "labels": ["corrected"]}
    )
    dataset = Dataset.objects.get()
    assert made.headers["Location"] == reverse("datasets:detail", args=[dataset.public_id])
    assert Selection.from_document(dataset.selection) == Selection(
        action_types=("refund.issue",), labels=("corrected",)
    )
    assert dataset.created_by == learners.mia
    mia.post(reverse("datasets:freeze", args=[dataset.public_id]))
    version = DatasetVersion.objects.get()
    mia.post(reverse("datasets:export", args=[version.public_id]))
    export = Export.objects.get()
    run(export)

    answer = mia.get(reverse("datasets:download", args=[export.public_id]))

    on_disk = (Path(settings.EXPORT_DIR) / export.file_name).read_bytes()
    assert b"".join(answer.streaming_content) == on_disk  # type: ignore[attr-defined]  # a sync stream
    assert answer.headers["Content-Disposition"] == 'attachment; filename="corrected-refunds-v1.jsonl"'
    assert answer.headers["Content-Type"] == "application/jsonl"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "private, no-store"
    manifest = mia.get(reverse("datasets:manifest", args=[export.public_id]))
    assert b"handrail.export/2" in b"".join(manifest.streaming_content)  # type: ignore[attr-defined]  # a sync stream


def test_a_form_that_cannot_stand_comes_back_with_what_was_typed(learners: Learners) -> None:
    make_dataset("Taken")
    decide(learners.cast)
    label()
    mia = as_(learners.mia)

    for form, message in (
        ({"name": "Taken", "description": "Kept text"}, "named &#x27;Taken&#x27; already"),
        ({"name": "", "description": "Kept text"}, "This field is required"),
        ({"name": "x", "description": "Kept text", "labels": ["maybe"]}, "Select a valid choice"),
        ({"name": "x", "description": "Kept text", "action_types": ["no.such"]}, "Select a valid choice"),
        ({"name": "x\x00", "description": "Kept text"}, "Null characters are not allowed"),
        ({"name": "x", "description": "Kept text", "since": "yesterday"}, "Enter a valid date"),
    ):
        answer = mia.post("/datasets/", form)
        assert answer.status_code == 422
        assert message in answer.content.decode()
        assert "Kept text" in answer.content.decode()
    assert list(Dataset.objects.values_list("name", flat=True)) == ["Taken"]


def test_an_empty_dataset_is_not_frozen_and_the_page_says_why(learners: Learners) -> None:
    dataset = make_dataset()

    answer = as_(learners.mia).post(reverse("datasets:freeze", args=[dataset.public_id]))

    assert answer.status_code == 409
    assert "No labelled case fits the selection of &#x27;Refunds&#x27; yet." in answer.content.decode()
    assert not DatasetVersion.objects.exists()


def test_freezing_with_nothing_new_says_that_the_last_version_has_it_all(
    learners: Learners, export: Export
) -> None:
    answer = as_(learners.mia).post(
        reverse("datasets:freeze", args=[export.version.dataset.public_id]), follow=True
    )

    assert "No new cases: version 1 has them all." in answer.content.decode()
    assert DatasetVersion.objects.count() == 1


def test_the_bar_asks_again_while_an_export_runs_and_stops_when_it_is_done(
    learners: Learners, export: Export
) -> None:
    address = reverse("datasets:export_progress", args=[export.public_id])
    mia = as_(learners.mia)

    waiting = mia.get(address, headers=FRAGMENT).content.decode()
    page = mia.get(reverse("datasets:detail", args=[export.version.dataset.public_id])).content.decode()
    for html in (waiting, page):
        assert f'hx-get="{address}" hx-trigger="every 1s" hx-target="this" hx-swap="outerHTML"' in html
        assert '<progress class="progress" aria-label="Waiting to start" max="1" value="0">' in html
    run(export)
    done = mia.get(address, headers=FRAGMENT).content.decode()

    assert "hx-get" not in done
    assert reverse("datasets:download", args=[export.public_id]) in done
    assert Export.objects.get().sha256 in done
    # By hand, the address leads to the page that holds the bar.
    assert mia.get(address).headers["Location"] == reverse(
        "datasets:detail", args=[export.version.dataset.public_id]
    )


def test_a_bar_whose_viewer_has_been_signed_out_sends_the_page_to_sign_in(export: Export) -> None:
    answer = Client().get(reverse("datasets:export_progress", args=[export.public_id]), headers=FRAGMENT)

    assert answer.headers["HX-Redirect"] == "/login/"
    assert b"<form" not in answer.content


def test_what_is_not_done_is_not_downloaded(learners: Learners, export: Export) -> None:
    mia = as_(learners.mia)
    address = reverse("datasets:download", args=[export.public_id])

    assert mia.get(address).status_code == 409
    run(export)
    (Path(settings.EXPORT_DIR) / export.file_name).unlink()
    assert mia.get(address).status_code == 404


def test_cancelling_stops_what_runs_and_leaves_alone_what_is_done(learners: Learners, export: Export) -> None:
    mia = as_(learners.mia)
    address = reverse("datasets:cancel", args=[export.public_id])

    assert mia.post(address).status_code == 302
    export.refresh_from_db()
    assert export.state == "cancelled"

    again = exporting.request(
        version_id=export.version.public_id, requested_by=learners.mia, now=database_now()
    )
    run(again)
    answer = mia.post(reverse("datasets:cancel", args=[again.public_id]))
    assert answer.status_code == 409
    assert "The export is over: done." in answer.content.decode()
    again.refresh_from_db()
    assert again.state == "done"


def test_a_broker_that_is_away_does_not_stop_an_export_from_being_asked_for(
    learners: Learners,
    export: Export,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    run(export)
    # An application of its own: the one of the site keeps its connections.
    nobody = Celery("nobody", broker="redis://127.0.0.1:1/0", set_as_current=False)
    nobody.conf.task_publish_retry = False
    monkeypatch.setattr(
        tasks, "run_export", nobody.task(lambda **_: None, name="datasets.run_export", shared=False)
    )

    with django_capture_on_commit_callbacks(execute=True) as hints:
        answer = as_(learners.mia).post(reverse("datasets:export", args=[export.version.public_id]))

    assert len(hints) == 1
    assert "The broker is away" in caplog.text
    assert answer.status_code == 302
    assert list(Export.objects.order_by("id").values_list("state", flat=True)) == ["done", "requested"]


HOSTILE = '<script>alert(1)</script><img src=x hx-get="/"> \u202egnp.exe\u200b'


def test_hostile_text_of_an_agent_is_shown_whole_and_does_nothing(learners: Learners) -> None:
    proposed = {"order": HOSTILE, HOSTILE: [HOSTILE]}
    decide(
        learners.cast,
        DecisionKind.CORRECT,
        action_type="evil.act",
        proposed=proposed,
        arguments={"order": HOSTILE + "!"},
        context={"input": HOSTILE},
        reason=HOSTILE,
        subject=HOSTILE,
        conversation_id=HOSTILE,
        judge={"name": HOSTILE, "score": 0.5, "rationale": HOSTILE},
        samples=[HOSTILE],
        note=HOSTILE,
        agent_version="<script>alert(1)</script>",
    )
    label()

    for address in (
        reverse("datasets:cases"),
        reverse("datasets:case", args=[LabelledCase.objects.get().public_id]),
    ):
        html = as_(learners.mia).get(address).content.decode()
        assert "<script>alert" not in html
        assert "<img" not in html
        assert "\u202e" not in html
        assert "\u200b" not in html
        assert "&lt;script&gt;alert(1)" in html
    assert "U+202E" in html


def test_a_case_shows_the_proposal_beside_the_truth(learners: Learners, export: Export) -> None:
    html = as_(learners.vic).get(addresses(export)["case"]).content.decode()

    assert "1 field corrected" in html
    assert "<del>184</del>" in html
    assert "<ins>12.5</ins>" in html
    assert "Too much" in html
    assert LabelledCase.objects.get().content["decision"]["reviewer"] in html
    # A pseudonym stands for the person, also here.
    assert "Alice" not in html


def test_cases_are_listed_filtered_and_paged_by_key(
    learners: Learners, monkeypatch: pytest.MonkeyPatch
) -> None:
    from datasets.selectors import cases

    monkeypatch.setattr(cases.page, "__kwdefaults__", {"cursor": None, "size": 2})
    for _ in range(3):
        decide(learners.cast)
    decide(learners.cast, DecisionKind.REJECT)
    label()
    vic = as_(learners.vic)
    newest_first = list(LabelledCase.objects.order_by("-id").values_list("public_id", flat=True))

    first = vic.get("/cases/")
    page = first.context["page"]
    second = vic.get("/cases/", {"after": page.next_cursor})

    assert [case.public_id for case in page.items] == newest_first[:2]
    assert [case.public_id for case in second.context["page"].items] == newest_first[2:]
    rejected = vic.get("/cases/", {"label": "rejected", "agent": "clerk", "action_type": "refund.issue"})
    assert [case.label for case in rejected.context["page"].items] == ["rejected"]
    assert "There are none with these filters." in vic.get("/cases/", {"strength": "weak"}).content.decode()
    assert vic.get("/cases/", {"label": "nonsense"}).status_code == 400
    assert vic.get("/cases/", {"agent": "\x00"}).status_code == 400
    stale = vic.get("/cases/", {"label": "rejected", "after": page.next_cursor})
    assert stale.headers["Location"] == "/cases/?label=rejected"


def test_empty_places_say_what_will_come(learners: Learners) -> None:
    mia = as_(learners.mia)

    assert "No datasets yet" in mia.get("/datasets/").content.decode()
    assert "No cases yet" in mia.get("/cases/").content.decode()
    dataset = make_dataset()
    assert "No version yet" in mia.get(reverse("datasets:detail", args=[dataset.public_id])).content.decode()


def test_the_list_says_what_has_grown_since_the_last_version(learners: Learners, export: Export) -> None:
    decide(learners.cast)
    label()

    (row,) = as_(learners.mia).get("/datasets/").context["datasets"]

    assert (row.last_version.case_count, row.new) == (1, 1)
    assert [(name.value, count) for name, count in row.labels] == [
        ("approved", 0),
        ("corrected", 1),
        ("rejected", 0),
    ]

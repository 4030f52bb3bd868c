from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings as site
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from datasets.choices import ExportFormat
from datasets.exporters import registry
from datasets.models import DatasetVersion, Export, ExportSchedule
from datasets.services import exporting, freezing
from datasets.tests.base import Learners, make_dataset, many_cases
from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry


@pytest.fixture
def version(learners: Learners) -> DatasetVersion:
    many_cases(9)
    dataset = make_dataset()
    return freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now()).version


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def finished(version: DatasetVersion, order: exporting.Order = exporting.JSON_LINES) -> Export:
    export = exporting.request(
        version_id=version.public_id, order=order, requested_by=None, now=database_now()
    )
    assert exporting.run(export_id=export.public_id, clock=database_now) == "finished"
    export.refresh_from_db()
    return export


@pytest.mark.parametrize("format", registry.formats())
def test_every_format_has_a_form_of_its_own(learners: Learners, version: DatasetVersion, format: str) -> None:
    address = reverse("datasets:export", args=[version.public_id])

    html = as_(learners.mia).get(address, {"format": format}).content.decode()

    assert f'<input type="hidden" name="format" value="{format}">' in html
    for option in registry.options_of(format):
        assert f'name="option_{option.name}"' in html
    assert as_(learners.vic).get(address).status_code == 403


def test_what_was_chosen_is_what_is_exported(learners: Learners, version: DatasetVersion) -> None:
    address = reverse("datasets:export", args=[version.public_id])

    answer = as_(learners.mia).post(address, {"format": "kto", "compression": "gzip"})

    assert answer.status_code == 302
    export = Export.objects.get()
    assert (export.format, export.compression, export.requested_by) == ("kto", "gzip", learners.mia)
    assert export.options == registry.complete_options("kto", export.options)


def test_an_export_says_its_options_as_its_form_does(learners: Learners, version: DatasetVersion) -> None:
    made = exporting.request(
        version_id=version.public_id,
        order=exporting.Order(format=ExportFormat.DPO, options={"whole_context": True}),
        requested_by=None,
        now=database_now(),
    )

    page = as_(learners.vic).get(f"/exports/{made.public_id}/").content.decode()

    told = dict(registry.options_in_words(made.format, made.options))
    assert told["The whole context"] == "Yes"
    for title, value in told.items():
        assert f"<dt>{title}</dt><dd>{value}</dd>" in page
    assert "whole_context" not in page


@pytest.mark.parametrize(
    "form",
    [
        {"format": "jsonl", "compression": "lzma"},
        {"format": "jsonl", "destination": "s3://elsewhere/"},
        {"format": "jsonl", "destination": "memory://place/", "folder": "../up"},
    ],
)
def test_what_cannot_be_chosen_is_refused_and_asks_for_nothing(
    learners: Learners, version: DatasetVersion, settings: Settings, form: dict[str, str]
) -> None:
    settings.EXPORT_DESTINATIONS = ["memory://place/"]
    address = reverse("datasets:export", args=[version.public_id])

    assert as_(learners.mia).post(address, form).status_code == 422
    assert as_(learners.mia).post(address, {"format": "word"}).status_code == 404

    assert not Export.objects.exists()


def test_each_download_is_in_the_ledger_with_who_took_what(
    learners: Learners, version: DatasetVersion
) -> None:
    export = finished(version)
    mia = as_(learners.mia)

    for name in ("download", "card", "manifest"):
        answer = mia.get(reverse(f"datasets:{name}", args=[export.public_id]))
        assert answer.status_code == 200
    whole = mia.get(reverse("datasets:export_file", args=[export.public_id, export.file_name]))
    assert b"".join(whole.streaming_content) == (Path(site.EXPORT_DIR) / export.file_name).read_bytes()  # type: ignore[attr-defined]  # a sync stream

    entries = LedgerEntry.objects.filter(verb="export.downloaded")
    assert entries.count() == 4
    assert set(entries.values_list("actor_name", flat=True)) == {"Mia"}


@pytest.mark.parametrize("name", ["../../secrets/master", "exp_other.jsonl", "a/../b", "x" * 200])
def test_no_other_file_can_be_had_by_its_name(learners: Learners, version: DatasetVersion, name: str) -> None:
    export = finished(version)

    answer = as_(learners.mia).get(f"/exports/{export.public_id}/files/{name}")

    assert answer.status_code == 404
    assert not LedgerEntry.objects.filter(verb="export.downloaded").exists()


def test_what_went_to_a_destination_is_not_here_but_its_manifest_is(
    learners: Learners, version: DatasetVersion, settings: Settings
) -> None:
    settings.EXPORT_DESTINATIONS = ["memory://pages/"]
    export = finished(version, exporting.Order(destination="memory://pages/"))
    mia = as_(learners.mia)

    refused = mia.get(reverse("datasets:download", args=[export.public_id]))
    page = mia.get(reverse("datasets:export_detail", args=[export.public_id])).content.decode()

    assert refused.status_code == 409
    assert "memory://pages/refunds-v1" in page
    assert mia.get(reverse("datasets:manifest", args=[export.public_id])).status_code == 200


def test_exports_are_listed_with_what_was_asked_for(learners: Learners, version: DatasetVersion) -> None:
    assert "No exports yet" in as_(learners.vic).get("/exports/").content.decode()
    export = finished(version)

    html = as_(learners.vic).get("/exports/").content.decode()

    assert reverse("datasets:export_detail", args=[export.public_id]) in html
    assert "JSON Lines, the canonical case" in html
    # Vic looks, and takes nothing away.
    assert reverse("datasets:download", args=[export.public_id]) not in html
    assert as_(learners.rita).get("/exports/").status_code == 403
    assert as_(learners.vic).get("/exports/", {"after": "nonsense"}).headers["Location"] == "/exports/"


def test_a_schedule_is_made_paused_resumed_and_run_on_its_page(
    learners: Learners, version: DatasetVersion
) -> None:
    mia = as_(learners.mia)
    address = reverse("datasets:schedules", args=[version.dataset.public_id])
    assert "No schedules yet" in mia.get(address).content.decode()

    form = {"format": "csv", "cadence": "weekly", "weekday": "4", "hour": "5", "only_new": "on"}
    assert mia.post(address, form).status_code == 302
    schedule = ExportSchedule.objects.get()
    assert (schedule.format, schedule.weekday, schedule.hour, schedule.only_new) == ("csv", 4, 5, True)
    assert "Every Friday at 05:00 UTC" in mia.get(address).content.decode()
    for active in ("0", "1"):
        mia.post(reverse("datasets:schedule_active", args=[schedule.public_id]), {"active": active})
        schedule.refresh_from_db()
        assert schedule.active is (active == "1")
    mia.post(reverse("datasets:schedule_run", args=[schedule.public_id]))

    assert Export.objects.get().schedule == schedule
    assert "Waiting to start" in mia.get(address).content.decode()
    assert mia.post(address, {**form, "hour": "24"}).status_code == 422
    assert ExportSchedule.objects.count() == 1


def test_who_may_only_look_changes_no_schedule(learners: Learners, version: DatasetVersion) -> None:
    vic = as_(learners.vic)
    address = reverse("datasets:schedules", args=[version.dataset.public_id])
    form = {"format": "csv", "cadence": "daily", "weekday": "0", "hour": "5"}
    as_(learners.mia).post(address, form)
    schedule = ExportSchedule.objects.get()

    assert vic.get(address).status_code == 200
    assert vic.post(address, form).status_code == 403
    assert vic.post(reverse("datasets:schedule_run", args=[schedule.public_id])).status_code == 403
    assert vic.post(reverse("datasets:schedule_active", args=[schedule.public_id])).status_code == 403
    assert as_(learners.rita).get(address).status_code == 403

    schedule.refresh_from_db()
    assert schedule.active is True
    assert ExportSchedule.objects.count() == 1
    assert not Export.objects.exists()

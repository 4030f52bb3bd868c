"""Exports to an object store: a real S3 protocol, spoken with a server on this machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec import AbstractFileSystem
from moto.server import ThreadedMotoServer
from pytest_django import Settings

from datasets.services import destinations, exporting, freezing
from datasets.services.destinations import Upload
from datasets.services.exporting import Order, Ran
from datasets.tests.base import make_dataset, many_cases
from hitl_site.lib.clock import database_now

PREFIX = "s3://handrail/exports/"
MEBIBYTE = 1024 * 1024


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Iterator[AbstractFileSystem]:
    """Start an object store with one bucket, named by the environment alone as an operator would."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "here",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    settings.EXPORT_DESTINATIONS = [PREFIX]
    try:
        files = fsspec.filesystem("s3")
        files.makedirs("handrail", exist_ok=True)
        yield files
        files.rm("handrail", recursive=True)
    finally:
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        server.stop()


@pytest.mark.django_db
def test_an_export_is_in_the_bucket_with_its_manifest(store: AbstractFileSystem, settings: Settings) -> None:
    many_cases(20)
    version = freezing.freeze(dataset_id=make_dataset().public_id, frozen_by=None, now=database_now()).version
    order = Order(destination=destinations.address(PREFIX, "daily"))
    export = exporting.request(
        version_id=version.public_id, order=order, requested_by=None, now=database_now()
    )

    assert exporting.run(export_id=export.public_id, clock=database_now) == Ran.FINISHED

    export.refresh_from_db()
    place = "handrail/exports/daily/refunds-v1"
    written = store.cat_file(f"{place}/{export.public_id}.jsonl")
    assert hashlib.sha256(written).hexdigest() == export.sha256
    assert len(written.splitlines()) == 20
    assert json.loads(store.cat_file(f"{place}/{export.public_id}.manifest.json")) == export.manifest
    assert not (Path(settings.EXPORT_DIR) / export.file_name).exists()

    destinations.remove_all(order.destination, export.public_id)
    store.invalidate_cache()
    assert store.find("handrail") == []


def test_an_upload_that_gives_up_leaves_nothing_and_the_next_is_whole(
    store: AbstractFileSystem,
) -> None:
    content = b"0123456789abcdef" * (13 * MEBIBYTE // 16)  # more than two parts of a multipart upload
    file = Upload(name="large.jsonl", size=len(content), open=lambda: BytesIO(content))
    steps = iter(range(9))

    def step() -> None:
        if next(steps) == 8:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        destinations.upload(PREFIX, [file], step=step)
    store.invalidate_cache()
    assert store.find("handrail") == []
    destinations.upload(PREFIX, [file], step=lambda: None)

    store.invalidate_cache()
    assert _sizes(store) == {"handrail/exports/large.jsonl": len(content)}
    assert store.cat_file("handrail/exports/large.jsonl") == content


def _sizes(store: AbstractFileSystem) -> dict[str, Any]:
    return {path: facts["size"] for path, facts in store.find("handrail", detail=True).items()}

"""Kill -9 of the worker at random places: an export is absent or complete, and always the same bytes."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit, urlunsplit

import pytest
from django.conf import settings
from django.db import connection
from pytest_django import Settings

from datasets import tasks
from datasets.choices import ExportFormat
from datasets.exporters.composition import compose
from datasets.models import DatasetVersion, Export
from datasets.selectors import exports
from datasets.services import exporting, freezing
from datasets.tests.base import make_dataset, many_cases
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.clock import database_now
from tests.faults.stack import send

CASES = 900
# Thirty kills: where rows are appended, where they are compressed, where nothing can be gone on with.
KILLS = {
    ("jsonl", ""): 8,
    ("jsonl", "gzip"): 6,
    ("dpo", ""): 4,
    ("openai_evals", ""): 4,
    ("csv", "gzip"): 4,
    ("parquet", ""): 2,
    ("hugging_face", ""): 2,
}
KILLS_EACH = 4
# A run may be over before the kill arrives: then another one is killed in its stead.
MOST_RUNS = 150


@pytest.fixture
def folder(tmp_path: Path, settings: Settings) -> Path:
    settings.EXPORT_DIR = tmp_path
    return tmp_path


@pytest.mark.timeout(400)
@pytest.mark.django_db(transaction=True)
def test_f18_an_export_killed_at_random_places_is_absent_or_complete_and_always_the_same(
    folder: Path,
) -> None:
    version = _version()
    places = random.Random(20)
    killed: Counter[tuple[str, str]] = Counter()
    runs = 0
    with _fork_server(folder) as worker:
        for (format, compression), wanted in KILLS.items():
            order = exporting.Order(format=ExportFormat(format), compression=compression)
            undisturbed = _request(version, order)
            worker.run(undisturbed)
            whole = _content(undisturbed, folder)
            # Once where all is written and nothing vouches for it yet.
            last = [len(whole)]
            while killed[format, compression] < wanted and runs < MOST_RUNS:
                export = _request(version, order)
                for _ in range(min(wanted - killed[format, compression], KILLS_EACH)):
                    runs += 1
                    size = last.pop() if last else places.randrange(len(whole))
                    met = worker.kill_at(export, folder, size=size)
                    killed[format, compression] += met
                    _is_absent_or_complete(export, folder, whole)
                    _lapse(export)
                    if not met:
                        break
                worker.run(export)
                _is_complete(export, folder, whole)
    # Each of these kills ended a living writer.
    assert killed == KILLS
    assert killed.total() == 30
    assert not [path for path in folder.rglob("*") if path.name.endswith(".part")]


@pytest.mark.timeout(400)
@pytest.mark.django_db(transaction=True)
def test_f03_an_export_outlives_the_celery_worker_that_wrote_it(folder: Path) -> None:
    version = _version()
    whole = _whole(version)
    export = _request(version, exporting.Order())
    queue = f"kill-{uuid.uuid4().hex}"
    tasks.run_export.apply_async(kwargs={"export_id": export.public_id}, queue=queue)
    with _celery(folder, queue) as doomed:
        _until(lambda: _size(export, folder) > 0)
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
    _is_absent_or_complete(export, folder, whole)

    _lapse(export)
    # What the sweep does with what it finds.
    for export_id in exports.to_do_ids(limit=5):
        tasks.run_export.apply_async(kwargs={"export_id": export_id}, queue=queue)
    with _celery(folder, queue):
        _until(lambda: Export.objects.get().state == "done")

    _is_complete(export, folder, whole)


class _ForkServer:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._stdin: IO[str] = process.stdin
        self._stdout: IO[str] = process.stdout

    def kill_at(self, export: Export, folder: Path, *, size: int) -> bool:
        """Start a run and kill it when its file has that size; say whether it was still alive."""
        child = self._start(export)
        ended = time.monotonic() + 20
        while _size(export, folder) < size and time.monotonic() < ended and _alive(child):
            time.sleep(0.0005)
        send(child, signal.SIGKILL)  # it may be done, and gone, by now
        ended = self._end()
        assert ended in (0, signal.SIGKILL)
        return ended == signal.SIGKILL

    def run(self, export: Export) -> None:
        """Run to the end."""
        self._start(export)
        assert self._end() == 0

    def _start(self, export: Export) -> int:
        self._stdin.write(f"{export.public_id}\n")
        self._stdin.flush()
        return int(self._stdout.readline().removeprefix("pid "))

    def _end(self) -> int:
        return int(self._stdout.readline().removeprefix("end "))


@contextmanager
def _fork_server(folder: Path) -> Iterator[_ForkServer]:
    command = [sys.executable, "-m", "tests.faults.export_worker"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment(folder)
    ) as process:
        try:
            yield _ForkServer(process)
        finally:
            process.kill()


@contextmanager
def _celery(folder: Path, queue: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "celery", "-A", "hitl_site", "worker", "-P", "solo", "-Q", queue]
    command += ["--without-gossip", "--without-mingle", "--loglevel", "WARNING"]
    process = subprocess.Popen(command, env=_environment(folder), cwd=settings.BASE_DIR)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _environment(folder: Path) -> dict[str, str]:
    parts = urlsplit(settings.DATABASE_URL)
    database = urlunsplit(parts._replace(path=f"/{connection.settings_dict['NAME']}"))
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "hitl_site.settings",
        "DATABASE_URL": database,
        "HANDRAIL_EXPORTS": str(folder),
        "PYTHONPATH": str(settings.BASE_DIR),
    }


def _version() -> DatasetVersion:
    many_cases(CASES, filler="x" * 1500)
    dataset = make_dataset()
    return freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now()).version


def _whole(version: DatasetVersion) -> bytes:
    members = version.members.order_by("position").select_related("case")
    return b"".join(canonicalize(compose(m.case.content, m.later)) + b"\n" for m in members)


def _request(version: DatasetVersion, order: exporting.Order) -> Export:
    return exporting.request(version_id=version.public_id, order=order, requested_by=None, now=database_now())


def _content(export: Export, folder: Path) -> bytes:
    """Return the bytes of all data files that the manifest names, each one checked against its hash."""
    manifest = json.loads((folder / f"{export.public_id}.manifest.json").read_text(encoding="utf-8"))
    found = []
    for file in manifest["files"]:
        written = (folder / file["name"]).read_bytes()
        assert (len(written), hashlib.sha256(written).hexdigest()) == (file["bytes"], file["sha256"])
        if file["role"] == "data":
            found.append(written)
    return b"".join(found)


def _lapse(export: Export) -> None:
    """Let the dead worker's lease run out, without waiting for it."""
    Export.objects.filter(pk=export.pk, state="running").update(lease_expires_at="2020-01-01T00:00:00Z")


def _size(export: Export, folder: Path) -> int:
    sizes = [0]
    for path in folder.glob(f"{export.public_id}*"):
        if path.name.endswith((".card.md", ".json")):
            continue
        try:
            if path.is_dir():
                sizes.append(sum(below.stat().st_size for below in path.rglob("*") if below.is_file()))
            else:
                sizes.append(path.stat().st_size)
        except FileNotFoundError:
            continue
    return max(sizes)


def _alive(pid: int) -> bool:
    # A zombie answers signals; its state tells.
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _is_absent_or_complete(export: Export, folder: Path, whole: bytes) -> None:
    """An export is what has a manifest: then all of it is there. Without one there is no export."""
    if (folder / f"{export.public_id}.manifest.json").exists():
        assert _content(export, folder) == whole
    if (folder / export.file_name).is_file():
        assert (folder / export.file_name).read_bytes() == whole
    export.refresh_from_db()
    assert export.state in {"requested", "running", "done"}
    if export.state == "done":
        assert _content(export, folder) == whole


def _is_complete(export: Export, folder: Path, whole: bytes) -> None:
    export.refresh_from_db()
    assert (export.state, export.rows_done, export.bytes_done) == ("done", CASES, len(whole))
    assert _content(export, folder) == whole
    assert export.manifest is not None
    assert export.manifest["cases"]["read"] == CASES
    assert not list(folder.glob(f"{export.public_id}*.part"))


def _until(condition: object, seconds: float = 150) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)

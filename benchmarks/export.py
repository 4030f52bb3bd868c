"""Exports: rows a second and peak memory of JSON Lines and Parquet, beside COPY of the same rows.

``BENCH_EXPORT_ROWS`` says how many cases (100,000). They are made by SQL, about 2 kB each as JSON. Each
export runs as a worker would, in a process of its own, whose peak memory is told; so does COPY, which reads
the same rows in the same order over the same socket and writes them to a file. The smallest export says what
a worker needs before its first row.
"""

from __future__ import annotations

import importlib.util
import os
import resource
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import django
import psycopg
from django.conf import settings
from django.db import connection

from benchmarks.installation import Installation

ROWS: Final = int(os.environ.get("BENCH_EXPORT_ROWS", "100000"))
FEW: Final = 1000
_WRITTEN_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)


def measure(_made: Installation) -> None:
    """Make the cases and export them."""
    few, many = _versions()
    rounds: list[tuple[str, int, Callable[[int], tuple[int, float, float]]]] = [
        ("COPY, JSON of the same rows", many, _copy),
        ("JSON Lines, 1,000 cases", few, _jsonl),
        ("JSON Lines", many, _jsonl),
        ("JSON Lines, gzip", many, _gzip),
    ]
    if importlib.util.find_spec("pyarrow") is not None:
        rounds += [("Parquet, 1,000 cases", few, _parquet), ("Parquet", many, _parquet)]
    print(f"\nExports, {ROWS:,} cases\n| what | rows/s | of COPY | peak memory |\n|---|---:|---:|---:|")
    copied = 0.0
    for title, version_id, run in rounds:
        rows, seconds, memory = _apart(run, version_id)
        rate = rows / seconds
        copied = copied or rate
        print(f"| {title} | {rate:,.0f} | {rate / copied:.2f} | {memory:,.0f} MB |", flush=True)


def _apart(run: Callable[[int], tuple[int, float, float]], version_id: int) -> tuple[int, float, float]:
    """Run it in a fresh process, so that its memory is its own."""
    connection.close()
    with get_context("spawn").Pool(1, initializer=django.setup) as pool:
        return pool.apply(run, (version_id,))


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _jsonl(version_id: int) -> tuple[int, float, float]:
    return _export(version_id, "jsonl")


def _gzip(version_id: int) -> tuple[int, float, float]:
    return _export(version_id, "jsonl", "gzip")


def _parquet(version_id: int) -> tuple[int, float, float]:
    return _export(version_id, "parquet")


def _export(version_id: int, format: str, compression: str = "") -> tuple[int, float, float]:
    from datasets.choices import ExportFormat
    from datasets.models import DatasetVersion
    from datasets.services import exporting
    from hitl_site.lib.clock import database_now

    with tempfile.TemporaryDirectory(dir=settings.HANDRAIL_HOME) as folder:
        settings.EXPORT_DIR = Path(folder)
        version = DatasetVersion.objects.get(pk=version_id)
        order = exporting.Order(format=ExportFormat(format), compression=compression)
        wanted = exporting.request(
            version_id=version.public_id, order=order, requested_by=None, now=database_now()
        )
        begun = time.perf_counter()
        while (ran := exporting.run(export_id=wanted.public_id, clock=database_now)) == "to_be_continued":
            pass
        seconds = time.perf_counter() - begun
        wanted.refresh_from_db()
        assert ran == exporting.Ran.FINISHED, wanted.error
        return version.case_count, seconds, _peak()


def _copy(version_id: int) -> tuple[int, float, float]:
    from datasets.models import DatasetVersion

    count = DatasetVersion.objects.get(pk=version_id).case_count
    rows = """
        COPY (SELECT c.content FROM datasets_datasetmember m JOIN datasets_labelledcase c ON c.id = m.case_id
               WHERE m.version_id = {} ORDER BY m.position) TO STDOUT
    """
    path = Path(settings.HANDRAIL_HOME) / "bench-copy"
    try:
        begun = time.perf_counter()
        query = psycopg.sql.SQL(rows).format(version_id)
        with psycopg.connect(settings.DATABASE_URL) as line, line.cursor() as cursor, path.open("wb") as file:
            with cursor.copy(query) as copying:
                for data in copying:
                    file.write(data)
            file.flush()
            os.fsync(file.fileno())
        return count, time.perf_counter() - begun, _peak()
    finally:
        path.unlink(missing_ok=True)


def _versions() -> tuple[int, int]:
    """Make the cases, and two versions: one of a few, one of all."""
    from datasets.exporters.composition import compose
    from datasets.tests.base import bulk_content
    from hitl_site.lib.canonical import canonicalize

    content: dict[str, Any] = bulk_content(1, filler="Sorry for the delay. " * 10)
    content |= {"id": "@ID@", "ledger_seq": "@SEQ@"}
    # The canonical text with two holes: what SQL puts in keeps it canonical, so its hash is the frozen one.
    text = canonicalize(compose(content, {})).decode().replace('"@SEQ@"', "@SEQ@")
    with psycopg.connect(settings.DATABASE_URL) as line:
        line.execute(_CASES, {"text": text, "rows": ROWS, "at": _WRITTEN_AT})
        dataset = line.execute(_DATASET, {"at": _WRITTEN_AT}).fetchone()
        assert dataset is not None
        made = []
        for number, count in enumerate((min(FEW, ROWS), ROWS), start=1):
            version = line.execute(
                _VERSION, {"dataset": dataset[0], "number": number, "rows": count, "at": _WRITTEN_AT}
            ).fetchone()
            assert version is not None
            line.execute(_MEMBERS, {"version": version[0], "text": text, "rows": count})
            made.append(version[0])
    with psycopg.connect(settings.MIGRATION_DATABASE_URL or settings.DATABASE_URL, autocommit=True) as line:
        line.execute("VACUUM ANALYZE datasets_labelledcase, datasets_datasetmember")
    return made[0], made[1]


_CASES = """
    INSERT INTO datasets_labelledcase (public_id, kind, decision_id, action_id, ledger_seq, action_type,
        agent, agent_version, label, source, strength, likeness, group_key, decided_at, content,
        content_sha256, created_at)
    SELECT 'case_' || id, 'proposal', 'dec_' || id, 'act_' || id, n, 'refund.issue',
        'clerk', '1', 'corrected', 'review', 'strong', '', 'subject:' || n, %(at)s,
        replace(replace(%(text)s, '@ID@', 'case_' || id), '@SEQ@', n::text)::jsonb - 'later',
        repeat('0', 64), %(at)s
      FROM (SELECT n, lpad(to_hex(n), 32, '0') AS id FROM generate_series(1, %(rows)s) AS n) AS made
"""
_DATASET = """
    INSERT INTO datasets_dataset
        (public_id, name, description, selection, choices, created_by_name, created_at)
    VALUES ('dst_' || md5(random()::text), 'Bench', '', '{}', '{}', 'bench', %(at)s) RETURNING id
"""
_VERSION = """
    INSERT INTO datasets_datasetversion (public_id, dataset_id, number, selection, choices, split_counts,
        left_out, difference, case_count, label_counts, content_sha256, ledger_seq, frozen_by_name, frozen_at)
    VALUES ('dsv_' || md5(random()::text), %(dataset)s, %(number)s, '{}', '{}', '{}',
        '{}', '{}', %(rows)s, '{}', repeat('0', 64), %(rows)s, 'bench', %(at)s) RETURNING id
"""
_MEMBERS = """
    INSERT INTO datasets_datasetmember (version_id, case_id, position, split, later, content_sha256)
    SELECT %(version)s, id, ledger_seq - 1, '', '{}', encode(sha256(convert_to(
        replace(replace(%(text)s, '@ID@', public_id), '@SEQ@', ledger_seq::text), 'UTF8')), 'hex')
      FROM datasets_labelledcase WHERE ledger_seq <= %(rows)s
"""

"""The cases of a version as an export reads them: in order, composed, checked by their frozen hash, redacted.

Pages follow each other by position and not in a server-side cursor: a version's members never change, so
pages fit together without a transaction that stays open as long as the export does. How many cases make a
page depends on how large they were so far, which keeps the memory flat.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias, cast

import orjson
from django.db import connection
from django.db.models import Exists, Max, Min, OuterRef, QuerySet
from psycopg import Cursor
from psycopg.types.string import TextBinaryLoader

from datasets.exporters import composition
from datasets.exporters.base import Document
from datasets.exporters.composition import compose, nothing_later
from datasets.exporters.tools import Tool, Tools
from datasets.models import DatasetMember, Export
from datasets.redaction import Redactor
from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.jsonb import from_jsonb

FIRST_PAGE: Final = 100
MAX_PAGE: Final = 2000
PAGE_BYTES: Final = 4 * 1024 * 1024


class CaseChanged(Exception):
    """A stored case no longer has the bytes that it was frozen with."""


@dataclass(frozen=True, slots=True)
class Member:
    """One case of a version. ``canonical`` are the RFC 8785 bytes of ``document``.

    ``replaced`` counts what redaction took out of it, by detector.
    """

    position: int
    public_id: str
    split: str
    erased: bool
    document: Document
    canonical: bytes
    replaced: Mapping[str, int] = field(default_factory=dict)


Pages: TypeAlias = Iterator[Iterator[Member]]


@dataclass(frozen=True, slots=True)
class _Stored:
    position: int
    split: str
    member_sha256: str
    public_id: str
    case_sha256: str
    erased: bool
    content: bytes
    later: bytes


class _BytesLoader(TextBinaryLoader):
    """Texts as the bytes that PostgreSQL sends: what parses JSON wants bytes, and most of a row is JSON."""

    def load(self, data: bytes | bytearray | memoryview) -> bytes:
        return bytes(data)


# The page first and its cases afterwards, so that no plan ever reads more of the version than a page.
_SELECT: Final = """
    WITH page AS MATERIALIZED (
        SELECT m.position, m.split, m.content_sha256, m.case_id, m.later
          FROM datasets_datasetmember m
         WHERE m.version_id = %(version)s AND m.position > %(after)s {conditions}
         ORDER BY m.position LIMIT %(size)s
    )
    SELECT page.position, page.split, page.content_sha256, c.public_id, c.content_sha256,
           c.erased_at IS NOT NULL, c.content::text, page.later::text
      FROM page JOIN datasets_labelledcase c ON c.id = page.case_id
     ORDER BY page.position
"""
_OF_SPLIT: Final = "AND m.split = %(split)s"
# A case with another answer than last time counts as new: whoever has the old one has to hear of it.
_NEW_SINCE: Final = """
    AND NOT EXISTS (SELECT FROM datasets_datasetmember o
                     WHERE o.version_id = %(since)s AND o.case_id = m.case_id
                       AND o.content_sha256 = m.content_sha256)
"""


def members(export: Export, *, after: int, redactor: Redactor | None) -> Pages:
    """Yield the members that the export takes behind a position, page by page; raise ``CaseChanged``.

    A page is read at once and its cases are parsed one by one, as they are asked for.
    """
    size = FIRST_PAGE
    while rows := _page(export, after=after, size=size):
        yield (_member(row, redactor) for row in rows)
        after = rows[-1].position
        if len(rows) < size:
            return
        average = sum(len(row.content) + len(row.later) for row in rows) // len(rows) + 1
        size = max(1, min(MAX_PAGE, 4 * size, PAGE_BYTES // average))


def taken(export: Export) -> QuerySet[DatasetMember]:
    """Return the members that an export takes, to count."""
    found = DatasetMember.objects.filter(version=export.version_id)
    if export.split:
        found = found.filter(split=export.split)
    if export.since_version_id is not None:
        before = DatasetMember.objects.filter(
            version=export.since_version_id,
            case=OuterRef("case"),
            content_sha256=OuterRef("content_sha256"),
        )
        found = found.filter(~Exists(before))
    return found


def ledger_range(export: Export) -> tuple[int, int] | None:
    """Return the first and the last place in the ledger that the export's cases were made from."""
    found = taken(export).aggregate(first=Min("case__ledger_seq"), last=Max("case__ledger_seq"))
    return None if found["first"] is None else (found["first"], found["last"])


def tools(export: Export) -> Tools:
    """Return the action types of the version as its last case of each describes them.

    From the frozen cases and not from today's declarations: a version tells of the same tools for ever, also
    where one split of it is exported.
    """
    found: dict[str, Tool] = {}
    of_version = DatasetMember.objects.filter(version=export.version_id)
    for name in sorted(of_version.order_by().values_list("case__action_type", flat=True).distinct()):
        last = of_version.filter(case__action_type=name).order_by("-position")
        found[name] = _tool(last.values_list("case__content__action_type", flat=True)[:1].get())
    return found


def _tool(declared: object) -> Tool:
    if not isinstance(declared, dict):
        return Tool()
    schema = declared.get("argument_schema")
    return Tool(
        description=str(declared.get("description") or declared.get("title") or ""),
        parameters=cast(Document, from_jsonb(schema)) if isinstance(schema, dict) else None,
    )


def _page(export: Export, *, after: int, size: int) -> list[_Stored]:
    conditions = _OF_SPLIT if export.split else ""
    conditions += _NEW_SINCE if export.since_version_id is not None else ""
    given = {
        "version": export.version_id,
        "after": after,
        "split": export.split,
        "since": export.since_version_id,
        "size": size,
    }
    connection.ensure_connection()
    # Not Django's cursor: that one binds values on this side, and then all results come as text.
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.adapters.register_loader("text", _BytesLoader)
        cursor.execute(_SELECT.format(conditions=conditions).encode(), given, binary=True)
        return [_Stored(*row) for row in cursor]


def _member(row: _Stored, redactor: Redactor | None) -> Member:
    document, canonical = _document(row)
    if redactor is None:
        return Member(row.position, row.public_id, row.split, row.erased, document, canonical)
    redacted = redactor.apply(document)
    return Member(
        position=row.position,
        public_id=row.public_id,
        split=row.split,
        erased=row.erased,
        document=redacted.document,
        canonical=canonicalize(redacted.document),
        replaced=redacted.replaced,
    )


def _document(row: _Stored) -> tuple[Document, bytes]:
    """Return the composed case and its canonical bytes, which are those that were frozen, or raise."""
    quick = None if row.erased else _quickly(row)
    if quick is not None:
        return quick
    content = json.loads(row.content)
    # Frozen before members had a hash of their own: then the case's content has to be what it was.
    if not row.erased and not row.member_sha256:
        _must_be(row, canonicalize(from_jsonb(content)), row.case_sha256)
    document = compose(content, json.loads(row.later))
    canonical = canonicalize(document)
    if not row.erased and row.member_sha256:
        _must_be(row, canonical, row.member_sha256)
    return document, canonical


def _quickly(row: _Stored) -> tuple[Document, bytes] | None:
    """Return what ``compose`` would, at a tenth of the cost, where the frozen hash proves it; else None."""
    try:
        document, later = orjson.loads(row.content), orjson.loads(row.later)
        if document.get("format") != composition.FORMAT or later.get("revisions"):
            return None
        document["later"] = {**nothing_later(), **later}
        # Nearly always the canonical bytes. Where they are not, the hash is another one.
        canonical = orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)
    except (orjson.JSONDecodeError, TypeError, AttributeError):
        return None
    return (document, canonical) if sha256_hex(canonical) == row.member_sha256 else None


def _must_be(row: _Stored, canonical: bytes, frozen_sha256: str) -> None:
    if sha256_hex(canonical) != frozen_sha256:
        raise CaseChanged(f"Case {row.public_id} does not have the content that it was frozen with.")

"""``/dataset-versions``: the cases of a frozen version, composed and redacted, as long as they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Final, Literal

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router, Schema

from datasets.exporters import jsonl
from datasets.models import DatasetVersion, Export
from datasets.services import export_members
from datasets.services.export_redaction import CannotRedact, redactor_of
from hitl_site.lib import problems
from hitl_site.lib.openapi import may_answer
from policies.api import needs, rate_headers
from policies.choices import Scope

router = Router(tags=["datasets"])

_BEFORE_THE_FIRST: Final = -1

_LINES: Final[dict[str, Any]] = {
    "description": "One composed case a line (docs/case.schema.json), in its RFC 8785 bytes.",
    "headers": {
        "Handrail-Cases": {
            "description": "How many lines there are. Fewer are an answer that broke off.",
            "schema": {"type": "integer", "minimum": 0},
        },
        "Handrail-Content-Sha256": {
            "description": "The content hash of the whole version.",
            "schema": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        },
    },
    "content": {jsonl.MEDIA_TYPE: {"schema": {"type": "string"}}},
}


class CaseFilter(Schema):
    format: Literal["jsonl"] = "jsonl"
    split: Literal["", "train", "validation", "test"] = ""


def _may_answer() -> dict[str, Any]:
    declared = may_answer("not-found", "forbidden", "validation")
    declared["responses"][200] = _LINES
    return declared


@router.get(
    "/{version_id}/cases",
    auth=needs(Scope.DATASETS_READ),
    summary="The cases of a dataset version, one a line",
    openapi_extra=_may_answer(),
)
def list_version_cases(
    request: HttpRequest, version_id: str, where: Query[CaseFilter]
) -> StreamingHttpResponse:
    """In the order of the version, redacted where it was frozen with a profile, without erased cases."""
    versions = DatasetVersion.objects.select_related("redaction")
    version = versions.filter(public_id=version_id).first()
    if version is None:
        raise problems.error("not-found", "There is no such dataset version.")
    try:
        redactor = redactor_of(version)
    except CannotRedact as error:
        raise problems.error("forbidden", str(error)) from None
    wanted = Export(version=version, split=where.split)
    pages = export_members.members(wanted, after=_BEFORE_THE_FIRST, redactor=redactor)
    # The first page before the answer begins: what is wrong with the version is an error and no torn answer.
    first: Iterable[export_members.Member] = list(next(pages, iter(())))
    answer = StreamingHttpResponse(_lines(chain([first], pages)), content_type=jsonl.MEDIA_TYPE)
    answer["Handrail-Cases"] = str(export_members.taken(wanted).filter(case__erased_at=None).count())
    answer["Handrail-Content-Sha256"] = version.content_sha256
    answer["Cache-Control"] = "private, no-store"
    answer["X-Content-Type-Options"] = "nosniff"
    for name, value in rate_headers(request).items():
        answer[name] = value
    return answer


def _lines(pages: Iterable[Iterable[export_members.Member]]) -> Iterator[bytes]:
    for page in pages:
        yield b"".join(member.canonical + b"\n" for member in page if not member.erased)

"""Cases to test an agent on: of a dataset version on the server, or of an exported JSON Lines file."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from handrail.canonical import JSONObject
from handrail.endpoints import segment
from handrail.errors import ProtocolError
from handrail.exchange import Flow, exchange
from handrail.flows import Flows
from handrail.wire import Fields, read_json

_FORMATS = frozenset({"handrail.case/1", "handrail.case/2"})
_LARGEST_VERSION = 1 << 30
_DOWNLOAD_SECONDS = 600.0


@dataclass(frozen=True)
class EvalCase:
    """One case. ``input`` is all that the agent under test is shown: never the proposal or the answer."""

    id: str
    input: JSONObject


def read_case(document: object) -> EvalCase:
    """Return the case of a canonical document (docs/cases.md) without what would give the answer away."""
    if not isinstance(document, dict) or document.get("format") not in _FORMATS:
        raise ProtocolError("this is no canonical case: export the version as JSON Lines")
    fields = Fields(document, of="case")
    action, said = fields.maybe("action"), fields.maybe_object("input") or {}
    shown: JSONObject = {
        "case": fields.text("id"),
        "context": said.get("context"),
        "subject": None if action is None else action.maybe_text("subject"),
        "conversation_id": None if action is None else action.maybe_text("conversation_id"),
        "environment": None if action is None else action.maybe_text("environment"),
        "created_at": None if action is None else action.maybe_text("created_at"),
    }
    return EvalCase(fields.text("id"), shown)


def from_file(path: Path) -> Iterator[EvalCase]:
    """Yield the cases of an exported file, which may be gzipped."""
    if path.suffix == ".gz":
        with gzip.open(path, "rb") as lines:
            yield from _lines(lines)
    else:
        with path.open("rb") as plain:
            yield from _lines(plain)


def of_version(flows: Flows, version_id: str, split: str) -> Flow[list[EvalCase]]:
    """Return the cases of a version on the server; needs the scope ``datasets:read``."""
    request = flows.endpoints.get(
        f"dataset-versions/{segment(version_id)}/cases", {"split": split} if split else None
    )
    response = yield from exchange(
        replace(request, limit=_LARGEST_VERSION, timeout=_DOWNLOAD_SECONDS),
        retries=flows.retries,
        clock=flows.clock,
    )
    cases = list(_lines(response.body.split(b"\n")))
    if response.headers.get("handrail-cases", str(len(cases))) != str(len(cases)):
        raise ProtocolError("the server stopped in the middle of the cases")
    return cases


def _lines(lines: Iterable[bytes]) -> Iterator[EvalCase]:
    for line in lines:
        if line.strip():
            yield read_case(read_json(line))

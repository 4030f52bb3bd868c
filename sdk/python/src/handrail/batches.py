"""Many proposals in one request: a line each (NDJSON), and a result for each line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from handrail.answers import BatchLine, as_object, read_answer
from handrail.canonical import JSONObject, JSONValue, same_digest
from handrail.errors import DigestMismatch, InvalidArguments, NotApproved, ProtocolError, RequestRefused
from handrail.problems import words_of
from handrail.proposals import Proposal, SubmitOptions, propose
from handrail.wire import Fields, Response, read_json, read_object

MAX_ROWS = 1000
NDJSON = "application/x-ndjson"


def propose_row(row: Mapping[str, object], *, environment: str) -> Proposal | NotApproved:
    """Freeze one row: ``action_type``, ``arguments`` and any option of ``submit``."""
    options = dict(row)
    action_type, arguments = options.pop("action_type", None), options.pop("arguments", None)
    try:
        if not isinstance(action_type, str) or not isinstance(arguments, Mapping):
            raise InvalidArguments("a row has an action_type and an object of arguments")
        return propose(action_type, arguments, environment=environment, **cast("SubmitOptions", options))
    except NotApproved as refusal:
        return refusal


def encode_rows(proposals: Sequence[Proposal]) -> bytes:
    """Return one line for each proposal; the idempotency key of a row travels in the row."""
    return b"".join(proposal.encoded_with_key() + b"\n" for proposal in proposals)


def read_lines(response: Response, proposals: Sequence[Proposal], *, agent: str) -> list[BatchLine]:
    """Return what became of each row that was sent, in the order sent."""
    lines = _read_documents(response)
    if len(lines) != len(proposals):
        raise ProtocolError(f"{len(proposals)} rows were sent and {len(lines)} answered")
    return [
        _read_line(at, line, proposal, agent)
        for at, (line, proposal) in enumerate(zip(lines, proposals, strict=True))
    ]


def merge_lines(proposals: Sequence[Proposal | NotApproved], sent: Sequence[BatchLine]) -> list[BatchLine]:
    """Return a line for every row: the server's for those sent, our own refusal for the others."""
    answers = iter(sent)
    return [
        BatchLine(index=at, id=None, answer=None, refusal=proposal)
        if isinstance(proposal, NotApproved)
        else replace(next(answers), index=at)
        for at, proposal in enumerate(proposals)
    ]


def _read_documents(response: Response) -> list[JSONObject]:
    if response.media_type == NDJSON:
        return [as_object(read_json(line)) for line in response.body.splitlines() if line.strip()]
    return [as_object(item) for item in Fields(read_object(response), of="batch").items("results")]


def _read_line(at: int, line: JSONObject, proposal: Proposal, agent: str) -> BatchLine:
    try:
        if line.get("verdict") is not None:
            answer = read_answer(line, proposal=proposal)
            if not same_digest(answer.digest, proposal.digest(agent=agent)):
                raise DigestMismatch("the gate answered for another action than the one proposed")
            return BatchLine(index=at, id=answer.id, answer=answer, refusal=None)
        fields = Fields(line, of="batch line")
        problem = fields.maybe("problem") or fields.maybe("error") or fields
        if problem is not fields or _is_refused(line.get("status")):
            kind = (problem.maybe_text("type") or "").rstrip("/").rpartition("/")[2]
            raise RequestRefused(words_of(problem) or "the row was refused", code=kind or None)
        return BatchLine(index=at, id=fields.text("id"), answer=None, refusal=None)
    except NotApproved as refusal:
        refusal.concerning(action_type=proposal.action_type, idempotency_key=proposal.idempotency_key)
        return BatchLine(index=at, id=None, answer=None, refusal=refusal)


def _is_refused(status: JSONValue) -> bool:
    return status == "refused" or (isinstance(status, int) and status >= 400)

"""What a client does, as flows (see ``exchange``): one method for each resource of the API."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Unpack

from handrail import conversations, late_truth
from handrail.answers import (
    Agent,
    Answer,
    BatchLine,
    Decision,
    Execution,
    Outcome,
    Page,
    Permit,
    read_agent,
    read_answer,
    read_decision,
    read_execution,
    read_page,
)
from handrail.batches import MAX_ROWS, NDJSON, encode_rows, merge_lines, propose_row, read_lines
from handrail.canonical import JSONObject, canonical_bytes, same_digest, snapshot_object
from handrail.endpoints import Endpoints, segment
from handrail.errors import DigestMismatch, NotApproved, ProtocolError
from handrail.exchange import Clock, Flow, Retries, exchange
from handrail.proposals import Detail, Proposal, SubmitOptions, outcome_detail, propose
from handrail.wire import BODY_LIMIT, Fields, Request, read_object

_OK = frozenset({200})
_CREATED = frozenset({200, 201})
_BATCH_ACCEPTED = frozenset({200, 201, 202, 207})
_BATCH_LIMIT = 8 * BODY_LIMIT


@dataclass
class Flows:
    """The flows of one client. The only state is who the agent is, learnt once."""

    endpoints: Endpoints
    environment: str
    retries: Retries
    clock: Clock
    agent_name: str | None = None
    agent: Agent | None = None

    def name(self) -> Flow[str]:
        """Return the agent's own name: as configured, else as the server knows it."""
        if self.agent_name is None:
            self.agent_name = (yield from self.identity()).name
        return self.agent_name

    def identity(self) -> Flow[Agent]:
        """Return who the key belongs to, asking once."""
        if self.agent is None:
            agent = read_agent((yield from self._read("agent")))
            if self.agent_name not in (None, agent.name):
                raise ProtocolError(f"the key belongs to the agent {agent.name!r}, not {self.agent_name!r}")
            self.agent = agent
        return self.agent

    def published_keys(self) -> Flow[JSONObject]:
        """Return the keys that the server publishes, with which its permits are signed."""
        request = self.endpoints.published_keys()
        response = yield from exchange(request, retries=self.retries, clock=self.clock, accept=_OK)
        return read_object(response, media_type="application/jwk-set+json")

    def submit(
        self, action_type: str, arguments: Mapping[str, object], **options: Unpack[SubmitOptions]
    ) -> Flow[Answer]:
        """Propose an action and return the gate's answer, its digest compared with our own."""
        return (
            yield from self.send(propose(action_type, arguments, environment=self.environment, **options))
        )

    def send(self, proposal: Proposal) -> Flow[Answer]:
        """Propose what was frozen before: the same key and the same bytes every time."""
        try:
            agent = yield from self.name()
            request = self.endpoints.post_encoded(
                "actions", proposal.encoded, idempotency_key=proposal.idempotency_key
            )
            answer = read_answer((yield from self._exchange(request, _CREATED)), proposal=proposal)
            if not same_digest(answer.digest, proposal.digest(agent=agent)):
                raise DigestMismatch("the gate answered for another action than the one proposed")
        except NotApproved as refusal:
            refusal.concerning(action_type=proposal.action_type, idempotency_key=proposal.idempotency_key)
            raise
        return answer

    def submit_batch(self, rows: Sequence[Mapping[str, object]]) -> Flow[list[BatchLine]]:
        """Propose up to 1,000 rows. A row that is not plain JSON is refused here and spoils no other."""
        if len(rows) > MAX_ROWS:
            raise ValueError(f"a batch holds at most {MAX_ROWS} rows")
        proposals = [propose_row(row, environment=self.environment) for row in rows]
        good = [proposal for proposal in proposals if isinstance(proposal, Proposal)]
        if not good:
            return merge_lines(proposals, [])
        agent = yield from self.name()
        request = self.endpoints.post_encoded(
            "actions/batch", encode_rows(good), idempotency_key=uuid.uuid4().hex, media_type=NDJSON
        )
        response = yield from exchange(
            replace(request, limit=_BATCH_LIMIT),
            retries=self.retries,
            clock=self.clock,
            accept=_BATCH_ACCEPTED,
        )
        return merge_lines(proposals, read_lines(response, good, agent=agent))

    def get(self, action_id: str) -> Flow[Answer]:
        """Return the action as it stands."""
        return read_answer((yield from self._read(f"actions/{segment(action_id)}")))

    def list(
        self, *, status: str | None = None, action_type: str | None = None, cursor: str | None = None
    ) -> Flow[Page]:
        """Return a page of the agent's own actions."""
        given = {"status": status, "action_type": action_type, "cursor": cursor}
        query = {name: value for name, value in given.items() if value is not None}
        return read_page((yield from self._read("actions", query)))

    def cancel(self, action_id: str) -> Flow[Answer]:
        """Withdraw an action that nobody has decided."""
        return read_answer((yield from self._act(f"actions/{segment(action_id)}/cancel", {})))

    def decision(self, action_id: str) -> Flow[Decision]:
        """Return a person's decision on an action."""
        return read_decision((yield from self._read(f"actions/{segment(action_id)}/decision")))

    def consume(
        self,
        permit: Permit | str,
        digest: str,
        *,
        execution_key: str | None = None,
        arguments: Mapping[str, object] | None = None,
    ) -> Flow[Execution]:
        """Use the permit up for exactly this digest. At most one execution key ever gets an execution.

        With ``arguments``, those about to run, the digest may be another than the permit's where the action
        type declares that the difference does not matter; the server must release these very arguments.
        """
        permit_id = permit.id if isinstance(permit, Permit) else permit
        key = execution_key or uuid.uuid4().hex
        body: JSONObject = {"digest": digest, "execution_key": key}
        running = None if arguments is None else snapshot_object(arguments)
        if running is not None:
            body["arguments"] = running
        document = yield from self._act(f"permits/{segment(permit_id)}/consume", body, idempotency_key=key)
        execution = read_execution(document, digest=digest)
        released = execution.arguments if running is not None else None
        if released is not None and canonical_bytes(released) != canonical_bytes(running):
            raise DigestMismatch("the server released other arguments than those about to run")
        return execution

    def report(
        self,
        execution: Execution | str,
        outcome: Outcome | str,
        detail: Detail | None = None,
        *,
        executed_digest: str | None = None,
        patiently: bool = True,
    ) -> Flow[None]:
        """Say what came of a run, with the digest of what ran: as computed there, else as consumed with."""
        body: JSONObject = {"outcome": Outcome(outcome).value}
        if detail is not None:
            body["detail"] = outcome_detail(detail)
        if executed_digest is not None:
            body["executed_digest"] = executed_digest
        elif isinstance(execution, Execution):
            body["executed_digest"] = execution.digest
        request = self.endpoints.post(f"executions/{_execution_segment(execution)}/outcome", body)
        retries = self.retries if patiently else replace(self.retries, attempts=1)
        yield from exchange(request, retries=retries, clock=self.clock, accept=_CREATED)

    def heartbeat(self, execution: Execution | str) -> Flow[datetime]:
        """Say that the run goes on; return until when it may."""
        document = yield from self._act(f"executions/{_execution_segment(execution)}/heartbeat", {})
        return Fields(document, of="execution").time("lease_until")

    def report_ground_truth(self, report: late_truth.Report) -> Flow[late_truth.GroundTruth]:
        """Say what turned out to be true of an action."""
        document = yield from self._act(report.path, report.body, idempotency_key=report.idempotency_key)
        return late_truth.read_ground_truth(document)

    def close_conversation(self, ending: conversations.Ending) -> Flow[conversations.ClosedConversation]:
        """Say that a conversation is over."""
        document = yield from self._act(ending.path, ending.body)
        return conversations.read_closed(document)

    def _read(self, path: str, query: Mapping[str, str] | None = None) -> Flow[JSONObject]:
        return (yield from self._exchange(self.endpoints.get(path, query), _OK))

    def _act(
        self, path: str, document: JSONObject, *, idempotency_key: str | None = None
    ) -> Flow[JSONObject]:
        request = self.endpoints.post(path, document, idempotency_key=idempotency_key)
        return (yield from self._exchange(request, _CREATED))

    def _exchange(self, request: Request, accept: frozenset[int]) -> Flow[JSONObject]:
        response = yield from exchange(request, retries=self.retries, clock=self.clock, accept=accept)
        return read_object(response)


def _execution_segment(execution: Execution | str) -> str:
    return segment(execution.id if isinstance(execution, Execution) else execution)

"""The agents' side: each record proposed by its agent through the client, waited for, and run as decided.

"Running" is to note the arguments that the permit was consumed for; the outcome is reported like any other.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from datasets.replay.recording import Document, Ending, Record
from handrail import (
    ActionDenied,
    ActionRejected,
    Answer,
    Client,
    NotApproved,
    Outcome,
    Retries,
    StillPending,
)
from handrail.proposals import RunOptions

JUDGE: Final = "recorded-agreement"
PATIENCE_SECONDS: Final = 240.0
# A site under this load may ask for a moment; an answer is worth waiting for.
RETRIES: Final = Retries(attempts=8, first_pause=0.2)


class Roll:
    """Which action came of which record: told by the agents, asked by the reviewers."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._told = threading.Condition()

    def enter(self, action_id: str, record: Record) -> None:
        """Tell that an action has come of a record."""
        with self._told:
            self._records[action_id] = record
            self._told.notify_all()

    def find(self, action_id: str, *, patience: float) -> Record | None:
        """Return the record behind an action; None for one that is not of this replay.

        The inbox may know of an action before its agent has read the gate's answer: so this waits a moment.
        """
        with self._told:
            self._told.wait_for(lambda: action_id in self._records, timeout=patience)
            return self._records.get(action_id)


@dataclass(frozen=True, slots=True)
class Played:
    """What the agent saw of one record. ``ran`` holds the arguments it ran with, None where nothing ran."""

    record: Record
    action_id: str
    verdict: str
    state: str
    gate_ms: float
    ran: Document | None = None
    problem: str = ""


@dataclass(frozen=True)
class AgentSide:
    """The agents of a recording, each with a client of its own."""

    url: str
    keys: Mapping[str, str] = field(repr=False)
    roll: Roll
    _clients: dict[str, Client] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def play(self, record: Record) -> Played:
        """Propose, wait, verify, consume, run and report. Never raises for what the site answers."""
        client = self._client(record.agent)
        began = time.perf_counter()
        try:
            answer = client.submit(record.action_type, record.arguments, **proposal_of(record))
        except NotApproved as refusal:
            return Played(record, "", "", "", _since(began), problem=f"not taken in: {_words(refusal)}")
        gate_ms = _since(began)
        self.roll.enter(answer.id, record)
        return self._go_on(client, record, answer, gate_ms)

    def close(self, ending: Ending) -> None:
        """Say that a conversation is over. Raises ``NotApproved`` for what the site does not take."""
        # The recording keeps what the customer wanted, and not what was said.
        said = [{"role": "user", "content": ending.instruction}]
        self._client(ending.agent).close_conversation(
            ending.conversation_id, said, agent_version=ending.model, subject=ending.customer
        )

    def _go_on(self, client: Client, record: Record, answer: Answer, gate_ms: float) -> Played:
        state, ran, problem = answer.state, None, ""
        try:
            decided = client.wait(answer, timeout=PATIENCE_SECONDS)
            state = decided.state
            verified = client.verify(decided)
            # The same key on every run of the replay: one that was interrupted takes up its own permit again.
            execution = client.consume(verified.permit, verified.digest, execution_key=f"replay:{answer.id}")
            ran = verified.arguments
            client.report(execution, Outcome.SUCCEEDED, {"replayed": record.event_id})
        except ActionRejected:
            state = "rejected"
        except ActionDenied:
            state = "denied"
        except StillPending:
            problem = f"nobody decided within {PATIENCE_SECONDS:.0f} s"
        except NotApproved as refusal:
            problem = f"{'ran, but ' if ran is not None else ''}{_words(refusal)}"
        return Played(record, answer.id, answer.verdict.value, state, gate_ms, ran, problem)

    def _client(self, agent: str) -> Client:
        with self._lock:
            if agent not in self._clients:
                self._clients[agent] = Client(
                    self.url, self.keys[agent], agent=agent, retries=RETRIES, timeout=30.0
                )
            return self._clients[agent]


def proposal_of(record: Record) -> RunOptions:
    """Return what the agent says besides the action: its context, its scores, what its platform found out."""
    options: RunOptions = {
        "idempotency_key": record.event_id,
        "context": {"messages": record.context, "facts": facts_of(record)},
        "agent_version": record.model,
        "conversation_id": record.conversation_id,
    }
    if record.customer is not None:
        options["subject"] = record.customer
    if record.own_score is not None:
        options["confidence"] = record.own_score
    if record.judge_score is not None:
        options["judge"] = {"name": JUDGE, "score": record.judge_score}
    return options


def facts_of(record: Record) -> Document:
    """Return what a platform would know at this moment: nothing of the label or of what should have been."""
    return {
        "policy_violations": list(record.policy_violations),
        "amount_usd": record.amount_usd,
        "user_confirmed": record.user_confirmed,
    }


def _since(began: float) -> float:
    return (time.perf_counter() - began) * 1000


def _words(refusal: NotApproved) -> str:
    return f"{refusal.code}: {str(refusal)[:200]}"

"""A track record for the tests of evidence and ladder: actions, answers and the ledger between them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hitl_site.lib import ids
from policies.choices import MissingLabelReason
from policies.models import (
    ActionType,
    AgentVersion,
    EvidenceTrack,
    GateCheck,
    LedgerEntry,
    LedgerLink,
    Observation,
)
from policies.services import gate, ladder, ledger, trust
from policies.services.ledger import Actor
from policies.tests.base import NOON, make_proposal
from tests.plugins.draws import drawn

if TYPE_CHECKING:
    from django.contrib.auth.models import User

_ENTERED = {"review": "action.held", "allow": "action.allowed", "deny": "action.denied"}


class Clock:
    """A clock that goes on by a second with every act, and by more on demand."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def tick(self, **more: float) -> datetime:
        self.now += timedelta(**more) if more else timedelta(seconds=1)
        return self.now


class Record:
    """Acts of one agent version, with the entries that the services above write for them."""

    def __init__(self, version: AgentVersion, clock: Clock | None = None) -> None:
        self.version = version
        self.clock = clock or Clock()

    def act(self, **fields: object) -> GateCheck:
        """Propose an action and note it."""
        now = self.clock.tick()
        check = gate.check(proposal=make_proposal(self.version, **fields), now=now)
        self._note(_ENTERED[check.verdict], check)
        return check

    def act_until_drawn(self, **fields: object) -> GateCheck:
        """Propose until one runs alone, which is drawn for a check."""
        with drawn():
            for _ in range(5000):
                check = self.act(**fields)
                if check.audit_selected:
                    return check
        raise AssertionError("nothing ran alone")

    def answer(
        self,
        check: GateCheck,
        *,
        error: bool = False,
        considered: bool = True,
        reasons: tuple[str, ...] = (),
        blind: bool = True,
    ) -> Observation | None:
        """Release a person's answer."""
        now = self.clock.tick()
        seen = trust.observe(
            gate_check=check,
            decision_id=ids.new("dec"),
            audited=check.audit_selected,
            error=error,
            considered=considered,
            blind=blind,
            reasons=reasons,
            now=now,
        )
        self._note("decision.released", check)
        return seen

    def expire(self, check: GateCheck) -> None:
        """Close it without an answer."""
        trust.note_missing(gate_check=check, reason=MissingLabelReason.EXPIRED, now=self.clock.tick())
        self._note("action.expired", check)

    def reviewed(self, number: int, *, errors: int = 0, **fields: object) -> None:
        """Let people answer so many held actions; the first ``errors`` of them are wrong."""
        for place in range(number):
            self.answer(self.act(**fields), error=place < errors)

    def checked(self, number: int, *, errors: int = 0, **fields: object) -> None:
        """Let so many actions run alone and be checked; the first ``errors`` of them are wrong."""
        for place in range(number):
            self.answer(self.act_until_drawn(**fields), error=place < errors)

    def keep(self) -> None:
        """Number what happened and let the ladder follow."""
        number_entries()
        ladder.keep(now=self.clock.now)

    def settle(self) -> None:
        """Follow until nothing follows from what followed."""
        for _ in range(4):
            self.keep()

    def track(self, action_type: ActionType) -> EvidenceTrack:
        return EvidenceTrack.objects.get(agent_version=self.version, action_type=action_type)

    def _note(self, verb: str, check: GateCheck) -> None:
        ledger.record(
            actor=Actor.system(),
            verb=verb,
            object_kind="action",
            object_id=check.action_id,
            action_id=check.action_id,
            now=self.clock.now,
        )


def number_entries() -> None:
    """Give every entry its place, as the sequencer does once its transaction has ended."""
    last = LedgerLink.objects.order_by("-seq").values_list("seq", flat=True).first() or 0
    waiting = LedgerEntry.objects.filter(link=None).order_by("id")
    LedgerLink.objects.bulk_create(
        LedgerLink(seq=last + place, entry=entry, previous_hash="0" * 64, hash="0" * 64, linked_at=NOON)
        for place, entry in enumerate(waiting, start=1)
    )


def may_grant(user: User) -> User:
    """Give a person the right to grant autonomy."""
    from django.contrib.auth.models import Permission

    user.user_permissions.add(Permission.objects.get(codename="grant_autonomy"))
    return type(user).objects.get(pk=user.pk)

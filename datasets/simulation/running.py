"""A run: the world proposes, people answer late, workers follow, a person approves what is proposed.

All of it goes through the services that the product itself uses, at the moments of the world. The simulated
agent runs nothing: a permit is used up by the database's own clock, which no simulation moves.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

from datasets.simulation.stage import VERSION, Rules, Stage, set_up
from datasets.simulation.world import START, Crew, Proposed, World, proposals_of
from policies.choices import AutonomyLevel, ProposalState, Route
from policies.models import AutonomyProposal, LedgerEntry, LedgerPayload
from policies.selectors import evidence as questions
from policies.services import ladder, ledger, proposals
from reviews.adapters import submission as wire
from reviews.choices import DecisionKind, ItemKind, ItemStatus
from reviews.models import ReviewItem
from reviews.services import deadlines, decisions, ingest
from reviews.services.attention import Opening

_READING: Final = timedelta(seconds=25)
_DAY: Final = timedelta(days=1)
# The usual rule: at most 5 errors among the last 100 reviewed, so let it run, and never look again.
_NAIVE_WINDOW: Final = 100
_NAIVE_ERRORS: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A change of level, as the ledger tells it, and at which action it came."""

    place: int
    reviews: int
    at: datetime
    verb: str
    before: str
    after: str
    because: str


@dataclass(kw_only=True)
class Run:
    """What became of one run."""

    world: World
    actions: int
    steps: list[Step] = field(default_factory=list)
    reviews: int = 0
    checks: int = 0
    alone: int = 0
    shipped: int = 0
    passed_by_people: int = 0
    certified_after: int | None = None
    catch_lower: float = 0.0
    naive_from: int | None = None
    naive_shipped: int = 0
    intact: bool = False
    entries: int = 0

    @property
    def promotions(self) -> list[Step]:
        """Return the grants of a level at which something runs alone."""
        return [step for step in self.steps if step.verb == "autonomy.granted"]

    @property
    def demotions(self) -> list[Step]:
        return [step for step in self.steps if step.verb == "autonomy.demoted"]

    @property
    def drift_to_demotion(self) -> int | None:
        """Return how many actions came between the drift and the first demotion after it."""
        change = self.world.changes_at(self.actions)
        return next((step.place - change for step in self.demotions if step.place >= change), None)

    @property
    def demotions_before_drift(self) -> int:
        change = self.world.changes_at(self.actions)
        return sum(step.place < change for step in self.demotions)


def run(
    world: World,
    *,
    actions: int,
    seed: int,
    rules: Rules,
    crew: Crew,
    progress: Callable[[int], None] | None = None,
) -> Run:
    """Act one world out and return what became of it, in a database that holds nothing but runs."""
    stage = set_up(
        f"simulated.{world.name}_{seed}", rules=rules, crew=crew, seed=seed, now=START - timedelta(days=1)
    )
    told = Run(world=world, actions=actions)
    limits = questions.limits_of(stage.action_type)
    told.catch_lower = limits.catch.lower if limits.catch is not None else 1.0
    scene = _Scene(stage=stage, crew=crew, seed=seed, told=told, tick=rules.tick)
    seen_by_people: list[bool] = []
    for proposed in proposals_of(world, actions=actions, per_day=rules.per_day, seed=seed):
        scene.go_on_to(proposed.at)
        scene.propose(proposed)
        seen_by_people.append(_is_seen(proposed, scene))
        if progress:
            progress(proposed.place + 1)
        _tell_naive(told, proposed, seen_by_people)
    scene.close()
    verified = ledger.verify()
    told.intact, told.entries = verified.is_intact, verified.verified
    return told


@dataclass(kw_only=True)
class _Scene:
    """The world's clock, and who is to answer when."""

    stage: Stage
    crew: Crew
    seed: int
    told: Run
    tick: timedelta
    waiting: list[tuple[datetime, int, Proposed, bool]] = field(default_factory=list)
    ticked: datetime = START
    tended: datetime = START
    place: int = 0
    level: AutonomyLevel = AutonomyLevel.REVIEW_ALL
    heard: int = 0

    def go_on_to(self, moment: datetime) -> None:
        """Let everything happen that comes before this moment, in its order."""
        while True:
            answer = self.waiting[0][0] if self.waiting else None
            tick = self.ticked + self.tick
            if answer is not None and answer <= min(moment, tick):
                self._answer(*heapq.heappop(self.waiting))
            elif tick <= moment:
                self._follow(tick)
            else:
                return

    def propose(self, proposed: Proposed) -> None:
        """Have the agent propose it through the gate."""
        self.place = proposed.place
        taken = ingest.submit(
            key=self.stage.key,
            body=wire.read(
                {
                    "action_type": self.stage.name,
                    "arguments": {"place": proposed.place},
                    "confidence": proposed.score,
                    "agent_version": VERSION,
                }
            ),
            idempotency_key=f"{self.stage.name} {proposed.place}",
            request_id="",
            now=proposed.at,
            action_id=self.stage.action_id(proposed.place),
        )
        check = taken.action.gate_check
        alone = check.route == Route.ALONE
        if alone:
            self.told.alone += 1
            self.told.shipped += proposed.wrong
        if not alone or check.audit_selected:
            at = proposed.at + self.crew.delay(self.luck(proposed, "delay"), is_check=alone)
            heapq.heappush(self.waiting, (at, proposed.place, proposed, alone))

    def luck(self, proposed: Proposed, what: str) -> Random:
        """Return the draws of one action for one purpose, the same however the run goes."""
        return Random(f"{self.stage.name} {self.seed} {proposed.place} {what}")  # noqa: S311 - told again by its seed, no secret

    def close(self) -> None:
        """Let the last answers come in, and the workers follow them."""
        last = max((at for at, _, _, _ in self.waiting), default=self.ticked)
        self.go_on_to(last + 2 * self.tick)

    def _answer(self, at: datetime, _place: int, proposed: Proposed, is_check: bool) -> None:
        """Have a person answer what waits of an action."""
        kind = ItemKind.AUDIT if is_check else ItemKind.GATE
        item = (
            ReviewItem.objects.select_related("action")
            .filter(action__public_id=self.stage.action_id(proposed.place), kind=kind, status=ItemStatus.OPEN)
            .first()
        )
        if item is None:
            return
        objects = _is_seen(proposed, self)
        decisions.decide(
            item_id=item.public_id,
            reviewer=self.stage.reviewers[proposed.place % len(self.stage.reviewers)],
            answer=decisions.Answer(
                kind=DecisionKind.REJECT if objects else DecisionKind.APPROVE,
                reasons=("wrong_arguments",) if objects else (),
            ),
            shown_digest=item.action.digest,
            item_version=item.version,
            opening=Opening(token="", opened_at=at - _READING, arguments_seen=True, parts_opened=()),
            now=at,
        )
        if is_check:
            self.told.checks += 1
        else:
            self.told.reviews += 1
            self.told.passed_by_people += proposed.wrong and not objects

    def _follow(self, now: datetime) -> None:
        """Do what the workers do: release, number, follow the evidence; and what a person does."""
        self.ticked = now
        deadlines.release_due(now=now)
        self._approve(now)
        ledger.link_entries(now=now)
        if now - self.tended >= _DAY:
            self.tended = now
            deadlines.expire_due(now=now)
            ladder.tend(now=now)
            ledger.link_entries(now=now)
        # What follows from the evidence is in the ledger itself, which the evidence follows.
        ladder.keep(now=now)
        self._hear()
        self._look_for_a_certificate(now)

    def _approve(self, now: datetime) -> None:
        """Have a person approve what waits for one."""
        waiting = AutonomyProposal.objects.filter(
            agent_version=self.stage.version, action_type=self.stage.action_type, state=ProposalState.OPEN
        ).first()
        if waiting is None:
            return
        try:
            proposals.approve(
                proposal_id=waiting.public_id,
                approved_by=self.stage.operator,
                reason="The evidence is there",
                now=now,
            )
        except proposals.UnableToApprove:
            # What it rests on has just turned: the workers withdraw it, or it stands again at the next look.
            return

    def _hear(self) -> None:
        """Note what the ledger says of levels since the last look."""
        entries = LedgerEntry.objects.filter(
            verb__in=("autonomy.granted", "autonomy.demoted", "autonomy.lapsed", "autonomy.ended"),
            pk__gt=self.heard,
        ).order_by("pk")
        for entry in entries:
            self.heard = entry.pk
            body = LedgerPayload.objects.get(entry=entry).body
            assert isinstance(body, dict)
            if body.get("action_type") != self.stage.name:
                continue
            self.level = AutonomyLevel(str(body["after"]))
            self.told.steps.append(
                Step(
                    place=self.place,
                    reviews=self.told.reviews,
                    at=entry.occurred_at,
                    verb=entry.verb,
                    before=str(body.get("before") or "review_all"),
                    after=str(body["after"]),
                    because=str(body.get("says") or body.get("reason") or "It ran out."),
                )
            )

    def _look_for_a_certificate(self, now: datetime) -> None:
        """Note after how many reviews a threshold is certified, whatever else the rung asks for."""
        if self.told.certified_after is not None or self.level != AutonomyLevel.REVIEW_ALL:
            return
        found = questions.evidence_of(self.stage.version, self.stage.action_type, now)
        if found is not None and questions.certified_point(found) is not None:
            self.told.certified_after = self.told.reviews


def _is_seen(proposed: Proposed, scene: _Scene) -> bool:
    """Say whether a person who looks at this action objects."""
    return proposed.wrong and scene.crew.catches(scene.luck(proposed, "catch"))


def _tell_naive(told: Run, proposed: Proposed, seen: list[bool]) -> None:
    """Go on with the usual rule beside: it lets everything run from a good hundred on."""
    if told.naive_from is not None:
        told.naive_shipped += proposed.wrong
    elif len(seen) >= _NAIVE_WINDOW and sum(seen[-_NAIVE_WINDOW:]) <= _NAIVE_ERRORS:
        told.naive_from = proposed.place

"""The stage of one run: people, one action type with its policy, one agent, and the drills of the people."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Final

from django.contrib.auth.models import Group, User
from django.db import transaction

from datasets.simulation.world import Crew
from hitl_site.groups import make_groups
from policies.choices import AGENT_SCOPES, Risk
from policies.models import ActionType, AgentKey, AgentVersion
from policies.services import accounts, action_types, agents, drill_results, policies
from policies.services.ledger import Actor

VERSION: Final = "1.0"
_REVIEWERS: Final = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What is tested: the limit of errors, cut-offs that differ from the usual ones, actions a day."""

    error_limit: float = 0.05
    ladder: dict[str, float] = field(default_factory=dict)
    per_day: float = 60.0
    tick: timedelta = timedelta(hours=4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """Everybody and everything that a run needs."""

    name: str
    key: AgentKey
    version: AgentVersion
    action_type: ActionType
    operator: User
    reviewers: tuple[User, ...]

    def action_id(self, place: int) -> str:
        """Return an id that the run alone decides: the draws of the gate are made of it."""
        return "act_" + hashlib.sha256(f"{self.name} {place}".encode()).hexdigest()[:32]


@transaction.atomic
def set_up(name: str, *, rules: Rules, crew: Crew, seed: int, now: datetime) -> Stage:
    """Make the stage, by the services, under a name that no other run has."""
    make_groups()
    operator = _person("simulated-admin", "ops_admin", now=now)
    reviewers = tuple(_person(f"simulated-{place}", "reviewer", now=now) for place in range(_REVIEWERS))
    actor = Actor.person(operator)
    action_type = action_types.declare(
        name=name,
        title="A simulated act",
        risk=Risk.LOW,
        reading_floor_ms=0,
        argument_schema={
            "type": "object",
            "properties": {"place": {"type": "integer"}},
            "required": ["place"],
            "additionalProperties": False,
        },
        error_limit=rules.error_limit,
        ladder=dict(rules.ladder),
        actor=actor,
        now=now,
    )
    policies.put_in_force(
        action_type=action_type,
        document={"threshold": 0.5, "deadline_seconds": 30 * 86_400, "undo_seconds": 0, "blind_share": 0.2},
        author=operator,
        reason="A world to try the ladder in",
        now=now,
    )
    agent = agents.create_agent(name=name, description="Simulated", actor=actor, now=now)
    key, _ = agents.create_key(agent=agent, scopes=AGENT_SCOPES, actor=actor, now=now)
    version = agents.see_version(agent=agent, label=VERSION, now=now)
    stage = Stage(
        name=name,
        key=key,
        version=version,
        action_type=action_type,
        operator=operator,
        reviewers=reviewers,
    )
    _drill(stage, crew, seed=seed, now=now)
    return stage


def _drill(stage: Stage, crew: Crew, *, seed: int, now: datetime) -> None:
    """Keep what came of the drills before the agent began: planted errors, seen or not."""
    rng = Random(f"drills {stage.name} {seed}")  # noqa: S311 - told again by its seed, no secret
    for place in range(crew.drills):
        drill_results.record(
            drill_id="act_" + hashlib.sha256(f"{stage.name} drill {place}".encode()).hexdigest()[:32],
            action_type=stage.action_type,
            reviewer=stage.reviewers[place % len(stage.reviewers)],
            error_kind="wrong_value",
            caught=crew.catches(rng),
            decision_ms=20_000,
            now=now,
        )


def _person(name: str, group: str, *, now: datetime) -> User:
    user, is_new = User.objects.get_or_create(username=name, defaults={"date_joined": now})
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
        user.groups.set(Group.objects.filter(name=group))
        accounts.note_new_person(user=user, actor=Actor.system("simulation"), now=now)
    return user

"""The ladder of the demo: a version that has earned a level, one that is being tried, one that lost it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User

from datasets.demo import acting
from datasets.demo.setting_up import Stage
from datasets.demo.story import RIGHT, Story, Verdict
from hitl_site.lib.clock import database_now
from policies.choices import AGENT_SCOPES, AutonomyLevel, ProposalState, Risk
from policies.models import ActionType, AutonomyProposal
from policies.services import action_types, agents, autonomy, ladder, ledger, policies, proposals
from policies.services.ledger import Actor
from reviews.choices import DecisionKind, ItemKind, ItemStatus
from reviews.models import ActionRequest
from reviews.services import deadlines

AGENT: Final = "tagger"
TYPE: Final = "ticket.tag"
_TAGS: Final = ("refund", "delivery", "damaged", "account", "praise", "return")
_WRONG: Final = Verdict(kind=DecisionKind.REJECT, reasons=("wrong_arguments",))
_DAYS: Final = 20
# Labels that fix the grid of thresholds, and those that certify one: a second attempt of the same agent's.
_FIRST, _LATER = 55, 75


def climb(stage: Stage, *, base: datetime) -> None:
    """Act it out, once."""
    if ActionType.objects.filter(name=TYPE).exists():
        return
    rng = random.Random("demo ladder")  # noqa: S311 - the same demo everywhere, no secret
    start = base - timedelta(days=_DAYS)
    _declare(stage, now=start)
    _reviewed(stage, "1.0", _FIRST, rng, now=start)
    _keep(database_now())
    _lost(stage, rng, now=start + timedelta(days=2))
    for version in ("2.0", "2.1"):
        _reviewed(stage, version, _LATER, rng, now=start + timedelta(days=3))
    _keep(database_now())
    waiting = AutonomyProposal.objects.filter(
        state=ProposalState.OPEN, agent_version__label="2.0", agent_version__agent__name=AGENT
    ).first()
    if waiting is not None:
        proposals.approve(
            proposal_id=waiting.public_id,
            approved_by=User.objects.get(username=stage.operator.username),
            reason=f"{_LATER} tags in a row without a mistake; let it try",
            now=database_now(),
        )
    _keep(database_now())


def _declare(stage: Stage, *, now: datetime) -> None:
    operator = Actor.person(stage.operator)
    declared = action_types.declare(
        name=TYPE,
        title="Tag a ticket",
        title_template="Tag {ticket} as {tag}",
        icon="file-text",
        risk=Risk.LOW,
        reading_floor_ms=0,
        argument_schema={
            "type": "object",
            "properties": {"ticket": {"type": "string"}, "tag": {"enum": list(_TAGS)}},
            "required": ["ticket", "tag"],
            "additionalProperties": False,
        },
        error_limit=0.3,
        # Which reviews are blind is drawn: less is asked for than usual, so that chance freezes nothing.
        ladder={"delta": 0.2, "drift_run": 100, "blind_min": 0.05},
        actor=operator,
        now=now,
    )
    policies.put_in_force(
        action_type=declared,
        document={"threshold": 0.5, "audit_rate": 0.9, "deadline_seconds": 86_400 * 7},
        author=stage.operator,
        reason="A tag is quickly put right",
        now=now,
    )
    agent = agents.create_agent(name=AGENT, description="Tags tickets", actor=operator, now=now)
    stage.keys[AGENT], _ = agents.create_key(agent=agent, scopes=AGENT_SCOPES, actor=operator, now=now)


def _reviewed(stage: Stage, version: str, number: int, rng: random.Random, *, now: datetime) -> None:
    for place in range(number):
        at = now + timedelta(minutes=7 * place)
        _answered(stage, _act(stage, version, place, rng, now=at), RIGHT, rng, now=at + timedelta(minutes=5))
    deadlines.release_due(now=now + timedelta(minutes=7 * number + 10))


def _lost(stage: Stage, rng: random.Random, *, now: datetime) -> None:
    """Grant a level by hand to a version that then makes mistakes, and let Handrail take it away."""
    version = agents.see_version(agent=stage.keys[AGENT].agent, label="1.0", now=now)
    autonomy.grant(
        agent_version=version,
        action_type=ActionType.objects.get(name=TYPE),
        level=AutonomyLevel.THRESHOLD,
        reason="The queue is long this week",
        granted_by=stage.operator,
        now=now,
    )
    for place in range(14):
        at = now + timedelta(minutes=5 * place)
        action = _act(stage, "1.0", 100 + place, rng, now=at)
        _answered(stage, action, _WRONG, rng, now=at + timedelta(minutes=2))
    deadlines.release_due(now=now + timedelta(hours=3))
    _keep(database_now())


def _act(stage: Stage, version: str, place: int, rng: random.Random, *, now: datetime) -> ActionRequest:
    ticket = f"T-{rng.randint(10_000, 99_999)}"
    story = Story(
        agent=AGENT,
        version=version,
        action_type=TYPE,
        arguments={"ticket": ticket, "tag": rng.choice(_TAGS)},
        messages=[],
        facts={},
        confidence=round(rng.uniform(0.6, 0.98), 2),
        judge=None,
        reason="",
        subject="",
        conversation="",
    )
    return acting.propose(stage, story, key=f"ladder-{version}-{place}", now=now)


def _answered(
    stage: Stage, action: ActionRequest, verdict: Verdict, rng: random.Random, *, now: datetime
) -> None:
    kinds = (ItemKind.GATE, ItemKind.AUDIT)
    for item in action.items.filter(status=ItemStatus.OPEN, kind__in=kinds):
        acting.answer(item, rng.choice(list(stage.reviewers.values())), verdict, now=now, rng=rng)


def _keep(now: datetime) -> None:
    """Number what happened, and let the ladder follow to its end."""
    for _ in range(3):
        ledger.link_entries(now=now)
        ladder.keep(now=now)

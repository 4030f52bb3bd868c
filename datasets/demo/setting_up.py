"""The demo's stage: people, queues, agents, action types and their policies, as an operator made them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import Group, User
from django.db import transaction

from datasets.demo import catalogue
from policies.choices import AGENT_SCOPES
from policies.models import ActionType, Agent, AgentKey
from policies.services import accounts, action_types, agents, autonomy, policies, publications
from policies.services.ledger import Actor
from reviews.services import queues


@dataclass(frozen=True)
class Stage:
    """Everybody and everything that the stories need."""

    operator: User
    reviewers: dict[str, User]
    keys: dict[str, AgentKey]
    types: dict[str, ActionType]


@transaction.atomic
def set_up(*, now: datetime) -> None:
    """Make the stage as it was a month ago, or find it made."""
    if Agent.objects.filter(name=catalogue.AGENTS[0].name).exists():
        return
    for person in catalogue.PEOPLE:
        _person(person, now=now)
    operator = User.objects.get(username=catalogue.OPERATOR)
    actor = Actor.person(operator)
    for slug, name, icon in catalogue.QUEUES:
        queues.make_queue(slug=slug, name=name, icon=icon, actor=actor, now=now)
    for demo_type in catalogue.TYPES:
        action_type = action_types.declare(name=demo_type.name, actor=actor, now=now, **demo_type.declaration)
        threshold = demo_type.earlier_threshold or demo_type.policy["threshold"]
        policies.put_in_force(
            action_type=action_type,
            document={**demo_type.policy, "threshold": threshold},
            author=operator,
            reason="To begin with",
            now=now,
        )
    for demo_agent in catalogue.AGENTS:
        _agent(demo_agent, operator, now=now)


@transaction.atomic
def change_policies(*, now: datetime) -> None:
    """Put in force what was learnt in the first weeks."""
    operator = User.objects.get(username=catalogue.OPERATOR)
    for demo_type in catalogue.TYPES:
        action_type = ActionType.objects.get(name=demo_type.name)
        if demo_type.earlier_threshold is None or action_type.policy_versions.count() > 1:
            continue
        policies.put_in_force(
            action_type=action_type,
            document=demo_type.policy,
            author=operator,
            reason="After three weeks of reviews",
            now=now,
        )

    _put_in_shadow(operator, now=now)


@transaction.atomic
def ask_to_publish(*, now: datetime) -> None:
    """Ask for a looser policy, which waits for a second admin."""
    operator = User.objects.get(username=catalogue.OPERATOR)
    name, threshold = catalogue.WAITING
    action_type = ActionType.objects.get(name=name)
    if action_type.publications.exists():
        return
    draft = policies.save_draft(
        action_type=action_type,
        document={**_policy_of(name), "threshold": threshold},
        author=operator,
        reason="Nothing was corrected for two weeks",
        now=now,
    )
    publications.ask(
        version=draft,
        person=operator,
        reason="Nothing was corrected for two weeks",
        content_sha256=draft.content_sha256,
        now=now,
    )


def _put_in_shadow(operator: User, *, now: datetime) -> None:
    name, threshold = catalogue.IN_SHADOW
    action_type = ActionType.objects.get(name=name)
    if action_type.policy_versions.filter(shadowed_at__isnull=False).exists():
        return
    draft = policies.save_draft(
        action_type=action_type,
        document={**_policy_of(name), "threshold": threshold},
        author=operator,
        reason="How much more would we look at?",
        now=now,
    )
    policies.start_shadow(version=draft, person=operator, content_sha256=draft.content_sha256, now=now)


def _policy_of(name: str) -> catalogue.Document:
    return next(demo_type.policy for demo_type in catalogue.TYPES if demo_type.name == name)


def stage() -> Stage:
    """Return the stage that ``set_up`` made."""
    people = {user.username: user for user in User.objects.filter(username__in=catalogue.REVIEWERS)}
    names = [agent.name for agent in catalogue.AGENTS]
    keys = AgentKey.objects.filter(agent__name__in=names, revoked_at=None).select_related("agent")
    return Stage(
        operator=User.objects.get(username=catalogue.OPERATOR),
        reviewers=people,
        keys={key.agent.name: key for key in keys.order_by("-id")},
        types={each.name: each for each in ActionType.objects.all()},
    )


def _person(person: catalogue.Person, *, now: datetime) -> None:
    user, is_new = User.objects.get_or_create(
        username=person.username,
        defaults={"first_name": person.first_name, "last_name": person.last_name, "date_joined": now},
    )
    if is_new:
        user.set_unusable_password()
        user.save(update_fields=["password"])
        user.groups.set(Group.objects.filter(name__in=person.groups))
        accounts.note_new_person(user=user, actor=Actor.system("demo data"), now=now)


def _agent(demo_agent: catalogue.DemoAgent, operator: User, *, now: datetime) -> None:
    actor = Actor.person(operator)
    agent = agents.create_agent(
        name=demo_agent.name, description=demo_agent.description, actor=actor, now=now
    )
    agents.create_key(agent=agent, scopes=AGENT_SCOPES, actor=actor, now=now)
    version = agents.see_version(agent=agent, label=demo_agent.version, now=now)
    for name, level in demo_agent.levels.items():
        autonomy.grant(
            agent_version=version,
            action_type=ActionType.objects.get(name=name),
            level=level,
            reason="Agreed with the team before the start",
            granted_by=operator,
            now=now,
        )

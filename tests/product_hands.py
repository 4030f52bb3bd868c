"""What people do in a running stack; ``tests.plugins.product`` starts it in a ``tests.product_process``.

It lives inside the stack's environment, so that the tests beside it keep their own database. Agents and types
of actions are made by services; deciding goes through the pages, as a person's browser would.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django.contrib.auth.models import Group, User

from datasets.exporters.composition import compose
from datasets.models import LabelledCase
from datasets.replay.browser import Browser
from datasets.replay.reviewer import give
from datasets.selectors.selection import Selection
from datasets.services import datasets, freezing
from hitl_site.lib.clock import database_now
from policies.choices import AGENT_SCOPES, AutonomyLevel, Risk, Scope
from policies.models import Agent
from policies.selectors.action_types import by_name
from policies.services import action_types, agents, autonomy, policies
from policies.services.ledger import Actor
from reviews.models import ActionRequest, ReviewItem

RELEASED_WITHIN = 30.0


class Hands:
    """The operator and the reviewer of the tests."""

    def __init__(self) -> None:
        self.url = os.environ["HANDRAIL_URL"]
        self.operator = User.objects.create_user("operator")
        self._password = secrets.token_urlsafe(12)
        reviewer = User.objects.create_user("rita", password=self._password, first_name="Rita")
        reviewer.groups.set(Group.objects.filter(name="reviewer"))
        self._alone: list[str] = []

    def acts(self) -> dict[str, Callable[..., Any]]:
        """Return what can be asked of these hands, by name."""
        return {
            "create_agent": self.create_agent,
            "create_key": self.create_key,
            "create_person": self.create_person,
            "declare": self.declare,
            "decide": self.decide,
            "freeze": self.freeze,
        }

    def before_each(self) -> None:
        """Prepare for the next act."""

    def create_agent(self, name: str) -> str:
        """Make an agent whose version runs alone what ``declare`` said may; return its key."""
        now, actor = database_now(), Actor.person(self.operator)
        agent = agents.create_agent(name=name, actor=actor, now=now)
        for action_type in self._alone:
            self._trust(agent, action_type)
        return agents.create_key(agent=agent, scopes=AGENT_SCOPES, actor=actor, now=now)[1]

    def create_key(self, agent: str, scopes: Sequence[str]) -> str:
        """Make another key of an agent, with these scopes alone; return it."""
        return agents.create_key(
            agent=Agent.objects.get(name=agent),
            scopes=[Scope(scope) for scope in scopes],
            actor=Actor.person(self.operator),
            now=database_now(),
        )[1]

    def create_person(self, name: str, groups: list[str]) -> str:
        """Make a person in these groups and return the password."""
        password = secrets.token_urlsafe(12)
        person = User.objects.create_user(name, password=password, first_name=name.capitalize())
        person.groups.set(Group.objects.filter(name__in=groups))
        return password

    def declare(
        self, action_type: str, runs_alone: bool, schema: dict[str, Any] | None, undo_seconds: int
    ) -> None:
        """Declare an action type that is always allowed, or always held."""
        now = database_now()
        declared = action_types.declare(
            name=action_type,
            title=action_type,
            risk=Risk.LOW,
            argument_schema=schema,
            autonomy_cap=AutonomyLevel.AUTONOMOUS,
            actor=Actor.person(self.operator),
            now=now,
        )
        policies.put_in_force(
            action_type=declared,
            document={"threshold": 0.5, "undo_seconds": undo_seconds},
            author=self.operator,
            reason="a test",
            now=now,
        )
        if runs_alone:
            self._alone.append(action_type)
            for agent in Agent.objects.all():
                self._trust(agent, action_type)

    def decide(self, action_id: str, kind: str, arguments: Mapping[str, object] | None, note: str) -> None:
        """Answer on the review page, and wait until the worker has released the answer."""
        item = ReviewItem.objects.get(action__public_id=action_id, kind="gate")
        browser = self._signed_in()
        shown = browser.get(f"/review/{item.public_id}/")
        form = shown.page.form(id="review-form")
        if arguments is not None:
            shown = browser.press(shown, form, form.button("op", "tab:json"))
            form = shown.page.form(id="review-form")
            form.fill("json", json.dumps(arguments))
        if kind != "approve":
            form.tick("reasons", "wrong_arguments")
        form.fill("note", note)
        shown = give(browser, shown, form, kind)
        if shown.status != 200:
            raise RuntimeError(f"The review page answered {shown.status} to {kind}.")
        ends = time.monotonic() + RELEASED_WITHIN
        while ActionRequest.objects.get(public_id=action_id).state == "pending_review":
            if time.monotonic() > ends:
                raise RuntimeError("The worker did not release the decision.")
            time.sleep(0.05)

    def freeze(self, action_type: str, cases: int) -> dict[str, Any]:
        """Freeze a dataset of an action type once it has so many cases; return its version and its lines."""
        selection = Selection(action_types=(action_type,))
        ends = time.monotonic() + RELEASED_WITHIN
        while LabelledCase.objects.filter(action_type=action_type).count() < cases:
            if time.monotonic() > ends:
                raise RuntimeError("The worker did not make the cases.")
            time.sleep(0.05)
        now = database_now()
        dataset = datasets.create_dataset(name=action_type, selection=selection, created_by=None, now=now)
        freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=now)
        version = dataset.versions.get()
        members = version.members.select_related("case").order_by("position")
        return {
            "version": version.public_id,
            "cases": [compose(member.case.content, member.later) for member in members],
        }

    def _signed_in(self) -> Browser:
        browser = Browser(self.url)
        shown = browser.get("/login/")
        form = shown.page.form(action="/login/")
        form.fill("username", "rita")
        form.fill("password", self._password)
        browser.press(shown, form)
        return browser

    def _trust(self, agent: Agent, action_type: str) -> None:
        now = database_now()
        declared = by_name(action_type)
        assert declared is not None
        autonomy.grant(
            agent_version=agents.see_version(agent=agent, label="", now=now),
            action_type=declared,
            level=AutonomyLevel.AUTONOMOUS,
            reason="a test",
            granted_by=self.operator,
            certified=True,
            now=now,
        )

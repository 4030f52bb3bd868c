"""What operators do in a stack that is hurt meanwhile, beside the acts of everybody's.

Served by ``tests.product_process`` inside the stack's environment. An act that the database cuts off is
answered with an error, and the next one finds a new connection.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import connection

from datasets.models import Dataset
from datasets.selectors.selection import Selection
from datasets.services import datasets, exporting, freezing
from hitl_site.lib.clock import database_now
from policies.choices import AgentState, KillSwitchScope
from policies.models import Agent, KillSwitch
from policies.selectors.action_types import by_name
from policies.services import kill_switch, policies
from tests.product_hands import Hands


class FaultHands(Hands):
    """The operator of the tests of faults."""

    def publish(self, action_type: str, document: dict[str, Any]) -> str:
        """Put a policy in force, as an installation's own commands do; return its id."""
        declared = by_name(action_type)
        assert declared is not None
        version = policies.put_in_force(
            action_type=declared, document=document, author=self.operator, reason="a test", now=database_now()
        )
        return version.public_id

    def stop(self, action_type: str = "", agent: str = "") -> dict[str, str]:
        """Stop an action type, an agent, or everything; return the stop and when it was in force."""
        scope = KillSwitchScope.EVERYTHING
        if agent or action_type:
            scope = KillSwitchScope.AGENT if agent else KillSwitchScope.ACTION_TYPE
        switch = kill_switch.engage(
            scope=scope,
            agent=Agent.objects.get(name=agent) if agent else None,
            action_type=by_name(action_type) if action_type else None,
            reason="a test",
            engaged_by=self.operator,
            now=database_now(),
        )
        return {"id": switch.public_id, "at": database_now().isoformat()}

    def lift(self, stop: str) -> dict[str, str]:
        """Lift a stop; return until when it was surely in force."""
        before = database_now()
        # Where lifting takes two people, the second one agrees at once.
        second, _ = User.objects.get_or_create(username="second-operator")
        admins = Group.objects.get(name="ops_admin")
        for person in (self.operator, second):
            person.groups.add(admins)  # who may not stop agents is none of the two
            found = KillSwitch.objects.get(public_id=stop)
            if found.lifted_at is None:
                kill_switch.lift(kill_switch=found, reason="a test", lifted_by=person, now=database_now())
        if KillSwitch.objects.get(public_id=stop).lifted_at is None:
            raise RuntimeError("the stop is still in force")
        return {"id": stop, "at": before.isoformat()}

    def set_agent_state(self, agent: str, state: str) -> None:
        """Pause or retire an agent, or let it go on."""
        Agent.objects.filter(name=agent).update(state=AgentState(state))

    def set_owner(self, agent: str, person: str) -> None:
        """Give an agent to a person."""
        Agent.objects.filter(name=agent).update(owner=User.objects.get(username=person))

    def set_groups(self, person: str, groups: list[str]) -> None:
        """Put a person into these groups, and out of all others."""
        User.objects.get(username=person).groups.set(Group.objects.filter(name__in=groups))

    def export(self) -> str:
        """Freeze what there is and ask for a file of it; return the id of the export."""
        dataset = Dataset.objects.filter(name="everything").first() or datasets.create_dataset(
            name="everything", selection=Selection(), created_by=None, now=database_now()
        )
        frozen = freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now())
        wanted = exporting.request(version_id=frozen.version.public_id, requested_by=None, now=database_now())
        return wanted.public_id

    def now(self) -> str:
        """Return the database's time."""
        return database_now().isoformat()

    def acts(self) -> dict[str, Callable[..., Any]]:
        """Return what can be asked of these hands, by name."""
        more: dict[str, Callable[..., Any]] = {
            "publish": self.publish,
            "stop": self.stop,
            "lift": self.lift,
            "set_agent_state": self.set_agent_state,
            "set_owner": self.set_owner,
            "set_groups": self.set_groups,
            "export": self.export,
            "now": self.now,
        }
        return super().acts() | more

    def before_each(self) -> None:
        """Let go of a connection that died since."""
        connection.close_if_unusable_or_obsolete()
        if connection.connection is not None and not connection.is_usable():
            connection.close()

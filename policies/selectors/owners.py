"""Who answers for an agent: its owner, and whoever owned it when something was proposed, or since.

Handing an agent over makes nobody independent of what it did. So a former owner stays apart from all that was
proposed before the hand-over and in the week after it: whoever hands over in order to approve has to wait.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from policies.models import Agent


def is_apart(agent: Agent, person_id: int, *, since: datetime) -> bool:
    """Say whether this person answers for the agent now, or did at that moment or later.

    Those who handed it over in the week before that moment are among them.
    """
    if agent.owner_id == person_id:
        return True
    until = agent.former_owners.get(key_of(person_id))
    return until is not None and since < datetime.fromisoformat(until)


def all_apart(agent: Agent, *, since: datetime) -> frozenset[int]:
    """Return everybody of whom ``is_apart`` is true."""
    former = {int(key.removeprefix("u")) for key in agent.former_owners}
    return frozenset(
        person
        for person in former | ({agent.owner_id} if agent.owner_id is not None else set())
        if is_apart(agent, person, since=since)
    )


def independent_among(people: Iterable[int], agent: Agent, *, since: datetime) -> set[int]:
    """Return those of these people who do not answer for the agent and did not at that moment or later."""
    return {person for person in people if not is_apart(agent, person, since=since)}


def key_of(person_id: int) -> str:
    """Return under which name ``Agent.former_owners`` keeps a person: no number, which JSON paths misread."""
    return f"u{person_id}"

"""The allow list: which agents, and which versions of them, an action may run alone for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields

from policies.engine.faults import PolicyError, repeated, unknown_keys

MAX_AGENTS = 100
MAX_VERSIONS = 50
_LONGEST = 200


@dataclass(frozen=True, kw_only=True)
class ListedAgent:
    """An agent on the list; without `versions`, every version of it."""

    name: str
    versions: tuple[str, ...] = ()

    def to_document(self) -> dict[str, object]:
        """Return the entry as JSON values."""
        return {"name": self.name, "versions": list(self.versions)}


def lists(agents: tuple[ListedAgent, ...] | None, *, name: str, version: str | None) -> bool:
    """Return whether this version of this agent is on the list; without a list everyone is."""
    if agents is None:
        return True
    return any(each.name == name and (not each.versions or version in each.versions) for each in agents)


def read_agents(value: object) -> tuple[object, list[PolicyError]]:
    """Return the list as objects where it can be read, with the faults that `agent_faults` cannot see."""
    if not isinstance(value, list | tuple):
        return value, []
    names = [each.name for each in fields(ListedAgent)]
    agents: list[object] = []
    errors: list[PolicyError] = []
    for index, entry in enumerate(value):
        if not isinstance(entry, Mapping):
            agents.append(entry)
            continue
        errors += unknown_keys(entry, names, ("agents", index))
        versions = entry.get("versions", ())
        agents.append(
            ListedAgent(
                name=entry.get("name", ""),
                versions=tuple(versions) if isinstance(versions, list | tuple) else versions,
            )
        )
    return tuple(agents), errors


def agent_faults(agents: object) -> Iterator[PolicyError]:
    """Yield what is wrong with the list, each fault with its place."""
    if agents is None:
        return
    if not isinstance(agents, tuple) or len(agents) > MAX_AGENTS:
        yield PolicyError("/agents", f"a list of up to {MAX_AGENTS} agents, or nothing for all of them")
        return
    for index, agent in enumerate(agents):
        at = f"/agents/{index}"
        if not isinstance(agent, ListedAgent):
            yield PolicyError(at, "an agent of the list is an object")
            continue
        yield from _name_faults(f"{at}/name", agent.name)
        versions: object = agent.versions
        if not isinstance(versions, tuple) or len(versions) > MAX_VERSIONS:
            yield PolicyError(f"{at}/versions", f"a list of up to {MAX_VERSIONS} versions, empty for all")
            continue
        for place, version in enumerate(versions):
            yield from _name_faults(f"{at}/versions/{place}", version)
        for place, version in repeated(versions):
            yield PolicyError(f"{at}/versions/{place}", f"{version} is listed twice")
    for index, name in repeated([getattr(agent, "name", None) for agent in agents]):
        yield PolicyError(f"/agents/{index}/name", f"{name} is listed twice")


def _name_faults(pointer: str, value: object) -> Iterator[PolicyError]:
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST:
        yield PolicyError(pointer, f"a name of 1 to {_LONGEST} characters")

"""Field rules as a tree: what is done at a place is known on the way there, step by step."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from datasets.redaction.profile import ANY, FieldRule, Treatment

# Where a case repeats the arguments, besides patch and differences: those name places inside of them.
_ARGUMENTS: Final = (
    ("proposal", "arguments"),
    ("truth", "arguments"),
    ("later", "revisions", ANY, "arguments"),
    ("later", "ground_truth", ANY, "arguments"),
    ("input", "samples", ANY),
    ("input", "samples", ANY, "arguments"),
)
_COPIES: Final = {("action", "conversation_id"): ("lineage", "conversation_id")}


@dataclass(slots=True)
class Node:
    """A place that rules lead to or end at; ``order`` is the rule's number."""

    members: dict[str, Node] = field(default_factory=dict)
    any_member: Node | None = None
    treatment: Treatment | None = None
    order: int = 0

    def add(self, tokens: Iterable[str], treatment: Treatment, order: int) -> None:
        node = self
        for token in tokens:
            if token == ANY:
                node.any_member = node.any_member or Node()
                node = node.any_member
            else:
                node = node.members.setdefault(token, Node())
        if node.treatment is None:
            node.treatment, node.order = treatment, order


Nodes = tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules for cases of one action type: of the whole case, and of arguments alone."""

    case: Nodes
    arguments: Nodes

    @classmethod
    def of(cls, rules: Iterable[FieldRule], action_type: str) -> Rules:
        case, arguments = Node(), Node()
        for order, rule in enumerate(rules):
            if not rule.applies_to(action_type):
                continue
            tokens = rule.tokens
            if tokens[0] != "arguments":
                case.add(tokens, rule.treatment, order)
                if tokens in _COPIES:
                    case.add(_COPIES[tokens], rule.treatment, order)
                continue
            arguments.add(tokens[1:], rule.treatment, order)
            for place in _ARGUMENTS:
                case.add((*place, *tokens[1:]), rule.treatment, order)
        return cls(case=(case,), arguments=(arguments,))


def step(nodes: Nodes, token: str) -> Nodes:
    """Return the places reached from these by one more token."""
    if not nodes:
        return nodes
    found = []
    for node in nodes:
        if token in node.members:
            found.append(node.members[token])
        if node.any_member is not None:
            found.append(node.any_member)
    return tuple(found)


def treatment_at(nodes: Nodes) -> Treatment | None:
    """Return what is done here: the first rule counts."""
    ending = [node for node in nodes if node.treatment is not None]
    return min(ending, key=lambda node: node.order).treatment if ending else None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a pointer leads: the rules from there on, what is done with all of it, whether it is kept."""

    nodes: Nodes
    treatment: Treatment | None
    kept: bool


def place_of(nodes: Nodes, tokens: Iterable[str]) -> Place:
    """Follow a pointer's tokens. A rule at a place on the way holds for all that is inside."""
    kept = False
    for token in (None, *tokens):
        if token is not None:
            nodes = step(nodes, token)
        treatment = treatment_at(nodes)
        if treatment == Treatment.KEEP:
            kept = True
        elif treatment is not None:
            return Place(nodes=(), treatment=treatment, kept=False)
    return Place(nodes=nodes, treatment=None, kept=kept)

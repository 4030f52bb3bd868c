"""What the formats of evaluations have in common: the question, and the one text that answers it.

The answer is the canonical JSON (RFC 8785) of the arguments, or ``null`` where nothing should be done: an
exact match then depends on no order of keys. An instruction says so to the model; it comes first, as a
system message.
"""

from __future__ import annotations

from typing import Final, Protocol

from datasets.exporters import options, prompts
from datasets.exporters.prompts import Turn
from datasets.exporters.reading import Facts, compact

INSTRUCTION: Final = (
    "You prepare the call of the tool {tool}. Answer with its arguments alone, as one JSON object with "
    "sorted keys and no white space. Answer null if the tool should not be called."
)
NOTHING: Final = "null"
_SCHEMA: Final = " The arguments follow this JSON Schema: "


class Chosen(Protocol):
    """What the options of each of them say about the question."""

    @property
    def instruction(self) -> bool: ...
    @property
    def whole_context(self) -> bool: ...


def instruction_flag() -> bool:
    """Declare whether the instruction comes first."""
    return options.flag(
        default=True,
        title="An instruction first",
        help="A system message that says how to answer: the arguments as JSON, null for nothing.",
    )


def question(facts: Facts, chosen: Chosen) -> tuple[Turn, ...]:
    """Return the turns that ask for the arguments."""
    history = prompts.turns(facts, whole_context=chosen.whole_context)
    return (Turn("system", instruction_of(facts)), *history) if chosen.instruction else history


def instruction_of(facts: Facts) -> str:
    """Return how to answer, with the declared schema of the arguments when there is one."""
    said = INSTRUCTION.format(tool=facts.action_type)
    return said if facts.schema is None else said + _SCHEMA + compact(facts.schema)


def expected(facts: Facts) -> str:
    """Return the right answer as canonical JSON."""
    return NOTHING if facts.truth is None else compact(facts.truth)


def without(facts: Facts) -> str | None:
    """Return why there is no question."""
    return None if prompts.turns(facts) else "no_context"

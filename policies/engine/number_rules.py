"""Rules that compare one number, as a slider moves them: which they are, and the same with another limit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_NUMBER: Final = r"-?(?:0|[1-9]\d*)(?:\.\d+)?"
_RULE: Final = re.compile(
    rf"\s*(?P<name>args(?:\.[A-Za-z_]\w*)+|confidence|judge|samples)\s*(?P<operator><=|>=|<|>)\s*(?P<limit>{_NUMBER})\s*"
)
_SCORES: Final = frozenset({"confidence", "judge", "samples"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A comparison of one value with a number: ``name`` as CEL has it, ``place`` as a JSON pointer.

    A score's place is its name. ``limit`` keeps its digits as they were written.
    """

    name: str
    place: str
    operator: str
    limit: Decimal


def compared(when: str) -> Compared | None:
    """Return the comparison that the condition is, None where it is anything else."""
    found = _RULE.fullmatch(when)
    if found is None:
        return None
    name = found["name"]
    place = name if name in _SCORES else "/" + name.removeprefix("args.").replace(".", "/")
    return Compared(name=name, place=place, operator=found["operator"], limit=Decimal(found["limit"]))

"""Of which action types the most wrong actions may have gone out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from policies.selectors.released import Released, released
from reviews.selectors.trust import TrustPage

_MOST: Final = 5


@dataclass(frozen=True, slots=True)
class RiskyType:
    """An action type of which something ran alone, and how many wrong actions may have gone out by that."""

    name: str
    title: str
    found: Released

    @property
    def query(self) -> str:
        """Return the part of an address that means this action type."""
        return urlencode({"type": self.name})


def riskiest(page: TrustPage) -> list[RiskyType]:
    """Return at most five, by the upper limit: of what was hardly checked all may be wrong."""
    types = [
        RiskyType(group.name, group.title, released([line.row for line in group.lines]))
        for group in page.groups
    ]
    at_risk = [each for each in types if each.found.alone]
    return sorted(at_risk, key=lambda each: (-each.found.wrong_high, each.name))[:_MOST]

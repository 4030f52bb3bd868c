"""What the side navigation and the bars around a page show: plain values, made by selectors, for templates.

The context of a signed-in page has ``nav`` (a sequence of NavSection), and may have ``fleet`` (FleetState)
and ``kill_switches`` (a sequence of KillSwitchNotice).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# A count beyond it is "500+": to count on would make every page slower with the backlog.
MOST_COUNTED: Final = 500


@dataclass(frozen=True, slots=True)
class NavEntry:
    """One link; ``icon`` is a Lucide name.

    ``mobile`` puts it in the tab bar of a small screen, ``rail`` in the narrow rail (with its section).
    ``tells`` says that its count is of new notices, which a page keeps up to date by itself.
    """

    label: str
    url: str
    icon: str
    count: int | None = None
    current: bool = False
    mobile: bool = False
    rail: bool = True
    tells: bool = False


@dataclass(frozen=True, slots=True)
class NavSection:
    """A titled group of links. ``rail`` says whether its links are in the narrow rail as well."""

    title: str
    entries: Sequence[NavEntry]
    rail: bool = True


@dataclass(frozen=True, slots=True)
class FleetState:
    """How many agents run, for the foot of the side bar. ``url`` leads to the agents.

    ``stop_url`` leads to the kill switch, for those who may use it.
    """

    running: int
    total: int
    url: str
    detail: str = ""
    stop_url: str = ""


@dataclass(frozen=True, slots=True)
class KillSwitchNotice:
    """A pause in force, for the banner on every page."""

    text: str
    url: str = ""

"""The database's clock decides: no code that decides asks the clock of its own machine."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
APPS = ("policies", "reviews", "datasets", "hitl_site")
CLOCKS = {
    ("timezone", "now"),
    ("timezone", "localdate"),
    ("datetime", "now"),
    ("datetime", "utcnow"),
    ("datetime", "today"),
    ("date", "today"),
    ("time", "time"),
    ("time", "time_ns"),
}
# What is only shown: "in 5 min", "today", the number of items due within the hour. And names of key files,
# which sort by the time of making.
SHOWN = {
    "reviews/views/conflicts.py",
    "reviews/context.py",
    "hitl_site/templatetags/handrail.py",
    "policies/services/checkpoint_keys.py",
    "reviews/services/permit_keys.py",
}


def calls(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value
        name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
        if (name, node.func.attr) in CLOCKS:
            yield node.lineno, f"{name}.{node.func.attr}"


@pytest.mark.parametrize("app", APPS)
def test_no_decision_rests_on_the_clock_of_the_machine(app: str) -> None:
    paths = [
        path
        for path in (ROOT / app).rglob("*.py")
        if not {"tests", "migrations"} & set(path.relative_to(ROOT).parts)
        and path.relative_to(ROOT).as_posix() not in SHOWN
    ]
    assert paths
    found = [f"{path.relative_to(ROOT)}:{line} {call}" for path in paths for line, call in calls(path)]
    assert found == []


def test_the_places_where_it_decides_nothing_are_still_there() -> None:
    """A place that no longer asks is taken off the list, so that nothing hides behind it."""
    assert {name for name in SHOWN if any(calls(ROOT / name))} == SHOWN

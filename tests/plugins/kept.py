"""Costly things that tests share: made for the first that asks, gone after the last in a row that does.

A fixture of the session would keep a whole stack of processes at work beside every test that comes later.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Generic, TypeVar

import pytest

T = TypeVar("T")
_all: list[Kept[Any]] = []


class Kept(Generic[T]):
    """What the fixture of this name gives; tests that follow each other share it."""

    def __init__(self, fixture: str, make: Callable[[], AbstractContextManager[T]]) -> None:
        self.fixture = fixture
        self._make = make
        self._made: list[T] = []
        self._undo = ExitStack()
        _all.append(self)

    def get(self) -> T:
        """Return it, made where nobody had asked yet."""
        if not self._made:
            self._made.append(self._undo.enter_context(self._make()))
        return self._made[0]

    def let_go(self) -> None:
        """End it, if it was made; the next who asks gets a new one."""
        self._made.clear()
        self._undo.close()


def kept_by(item: pytest.Item) -> str:
    """Return which of these things a test asks for, "" where it asks for none."""
    asked = getattr(item, "fixturenames", ())
    return next((kept.fixture for kept in _all if kept.fixture in asked), "")


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Let go of what the next test does not ask for."""
    for kept in _all:
        if nextitem is None or kept_by(nextitem) != kept.fixture:
            kept.let_go()

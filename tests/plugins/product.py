"""The fixture ``product``: the whole stack of processes, seen from outside, for the client's own tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

from tests.plugins.kept import Kept

ROOT = Path(__file__).resolve().parents[2]


class Product:
    """A stack of its own; people's acts in it are asked of ``tests.product_hands``."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._one_at_a_time = threading.Lock()
        self.url = str(self._read()["url"])

    def create_agent(self, name: str) -> str:
        """Make an agent and return its key, with the usual scopes."""
        return str(self.ask(act="create_agent", name=name))

    def create_key(self, agent: str, *, scopes: Sequence[str]) -> str:
        """Make another key of an agent, with these scopes alone; return it."""
        return str(self.ask(act="create_key", agent=agent, scopes=list(scopes)))

    def create_person(self, name: str, *, groups: Sequence[str]) -> str:
        """Make a person in these groups and return the password."""
        return str(self.ask(act="create_person", name=name, groups=list(groups)))

    def declare(
        self,
        action_type: str,
        *,
        runs_alone: bool,
        schema: Mapping[str, object] | None = None,
        undo_seconds: int = 0,
    ) -> None:
        """Declare an action type that is always allowed, or always held."""
        given = dict(schema) if schema is not None else None
        self.ask(
            act="declare",
            action_type=action_type,
            runs_alone=runs_alone,
            schema=given,
            undo_seconds=undo_seconds,
        )

    def decide(
        self,
        action_id: str,
        kind: Literal["approve", "correct", "reject"],
        *,
        arguments: Mapping[str, object] | None = None,
        note: str = "",
    ) -> None:
        """Decide on the review page; returns once the decision is released."""
        given = dict(arguments) if arguments is not None else None
        self.ask(act="decide", action_id=action_id, kind=kind, arguments=given, note=note)

    def freeze(self, action_type: str, *, cases: int) -> tuple[str, list[dict[str, Any]]]:
        """Freeze the cases of an action type, so many of them; return the version's id and its cases."""
        frozen = self.ask(act="freeze", action_type=action_type, cases=cases)
        return frozen["version"], frozen["cases"]

    def ask(self, **act: object) -> Any:
        """Have one act done and return its result; raise what went wrong."""
        assert self._process.stdin is not None
        with self._one_at_a_time:
            self._process.stdin.write(json.dumps(act) + "\n")
            self._process.stdin.flush()
            answer = self._read()
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            pytest.fail("The stack ended before it answered; what it said is above.")
        answer = json.loads(line)
        assert isinstance(answer, dict)
        return answer


@contextmanager
def _running() -> Iterator[Product]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HANDRAIL_")}
    for name in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"):
        kept.pop(name, None)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "hitl_site.servers",
            "--stack",
            "--",
            sys.executable,
            "-m",
            "tests.product_process",
            "tests.product_hands",
            "Hands",
        ],
        cwd=ROOT,
        env=kept,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield Product(process)
    finally:
        process.send_signal(signal.SIGTERM)  # the command, the stack and its folder go with it
        process.wait(60)


_product = Kept("product", _running)


@pytest.fixture(scope="module")
def product() -> Product:
    """One stack on free ports, with servers and a home of its own and none of this run's settings."""
    return _product.get()

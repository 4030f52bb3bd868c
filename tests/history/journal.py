"""The journal of a run: what each client asked, and what it learnt of it (after Jepsen's histories).

An operation ends as ``ok`` (done, and acknowledged), ``fail`` (refused: nothing was done) or ``info`` (nobody
told: it may have been done, or may yet be).
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Ending = Literal["ok", "fail", "info"]


@dataclass(frozen=True)
class Operation:
    """One operation of one client. ``told`` is what the client was told; its keys depend on the kind."""

    client: str
    kind: str
    subject: str
    ending: Ending
    told: Mapping[str, Any] = field(default_factory=dict)
    began: float = 0.0
    ended: float = 0.0


class Journal:
    """All operations of a run, written from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._operations: list[Operation] = []

    def write(
        self, client: str, kind: str, subject: str, ending: Ending, *, began: float = 0.0, **told: Any
    ) -> None:
        """Note an operation that has just ended."""
        operation = Operation(client, kind, subject, ending, told, began, time.monotonic())
        with self._lock:
            self._operations.append(operation)

    def operations(self) -> list[Operation]:
        """Return what was written so far, in the order of the endings."""
        with self._lock:
            return list(self._operations)

    def table(self) -> list[tuple[str, int, int, int]]:
        """Return the kinds with how many of each were ok, failed, or are unknown."""
        counted = Counter((operation.kind, operation.ending) for operation in self.operations())
        kinds = sorted({kind for kind, _ in counted})
        return [(kind, counted[kind, "ok"], counted[kind, "fail"], counted[kind, "info"]) for kind in kinds]

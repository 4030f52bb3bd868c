"""How often something is opened or refused: a small limit where no account is needed, by each process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

_MOST_KEPT = 10_000


class Visits:
    """So many openings of each name in some minutes, in this process. The next minutes begin anew."""

    def __init__(self, *, per_minute: int, minutes: int = 1) -> None:
        self.per_minute = per_minute
        self.most = per_minute * minutes
        self._seconds = 60 * minutes
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def allows(self, name: str) -> bool:
        """Count one opening and say whether it is within the limit."""
        now = self._now()
        with self._lock:
            began, count = self._counts.get(name, (now, 0))
            count = count + 1 if began == now else 1
            self._counts[name] = (now, count)
            self._counts.move_to_end(name)
            while len(self._counts) > _MOST_KEPT:
                self._counts.popitem(last=False)
        return count <= self.most

    def are_spent(self, name: str) -> bool:
        """Say whether the limit is reached, and count nothing."""
        now = self._now()
        with self._lock:
            return self._counts.get(name, (now, 0)) >= (now, self.most)

    def _now(self) -> int:
        return int(time.monotonic() // self._seconds)

    def forget(self) -> None:
        """Begin anew, for tests."""
        with self._lock:
            self._counts.clear()

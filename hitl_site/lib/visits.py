"""How often something is opened: a small limit for pages that need no account, counted by each process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

_MOST_KEPT = 10_000


class Visits:
    """So many openings a minute of each name, in this process. A new minute begins anew."""

    def __init__(self, *, per_minute: int) -> None:
        self.per_minute = per_minute
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def allows(self, name: str) -> bool:
        """Count one opening and say whether it is within the limit."""
        minute = int(time.monotonic() // 60)
        with self._lock:
            began, count = self._counts.get(name, (minute, 0))
            count = count + 1 if began == minute else 1
            self._counts[name] = (minute, count)
            self._counts.move_to_end(name)
            while len(self._counts) > _MOST_KEPT:
                self._counts.popitem(last=False)
        return count <= self.per_minute

    def forget(self) -> None:
        """Begin anew, for tests."""
        with self._lock:
            self._counts.clear()

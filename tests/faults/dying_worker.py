"""A worker that one kind of line kills: for each line on stdin a child works off what waits.

The kill is ``os._exit`` in the middle of the line's own work, after the gate was asked and before its commit:
no exception, no clean-up, as when the system runs out of memory.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import django

DEADLY = "deadly"
STATUS = 86


def main() -> None:
    """Serve until stdin ends."""
    django.setup()
    from reviews.services import ingest
    from reviews.tasks import sweep_ingest

    take_in = ingest.submit

    def submit(*, idempotency_key: str, **rest: Any) -> ingest.Submitted:
        submitted = take_in(idempotency_key=idempotency_key, **rest)
        if idempotency_key.startswith(DEADLY):
            os._exit(STATUS)
        return submitted

    ingest.submit = submit
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            sweep_ingest()
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

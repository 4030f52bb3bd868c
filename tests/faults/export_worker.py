"""A worker to be killed: reads ids of exports from stdin, runs each in a child of its own, and tells its pid.

Each line in is answered by ``pid N`` when the child starts and ``end STATUS`` when it is gone. Forking from a
process that has loaded everything makes a kill cost milliseconds, so that many fit into one test.
"""

from __future__ import annotations

import os
import sys

import django

BLOCK_CASES = 40


def main() -> None:
    """Serve until stdin ends."""
    django.setup()
    from datasets.services import export_turns, export_writing, exporting
    from hitl_site.lib.clock import database_now

    # A saved step after each small block: more places to die at.
    export_turns.STEP_SECONDS = 0.0  # type: ignore[misc]  # Final, but here
    export_writing.BLOCK_CASES = BLOCK_CASES  # type: ignore[misc]  # Final, but here
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            exporting.run(export_id=line.strip(), clock=database_now)
            os._exit(0)
        _say(f"pid {child}")
        _, status = os.waitpid(child, 0)
        _say(f"end {status}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

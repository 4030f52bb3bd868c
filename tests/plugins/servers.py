"""Gives every parallel test worker servers of its own.

The ledger's sequencer goes up to the oldest transaction that runs anywhere in a PostgreSQL cluster: a test
in one worker would hold back the chain of another. Only throwaway servers are multiplied; with an operator's
own DATABASE_URL, run the tests with ``-n 0``.
"""

from __future__ import annotations

import atexit
import os
from contextlib import ExitStack

from hitl_site.servers import THROWAWAY, ephemeral


def _take_own_servers() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ or THROWAWAY not in os.environ:
        return
    for variable in ("DATABASE_URL", "REDIS_URL", "HANDRAIL_HOME"):
        os.environ.pop(variable, None)
    stack = ExitStack()
    os.environ.update(stack.enter_context(ephemeral()))
    atexit.register(stack.close)


# At import, which is before Django reads its settings: a plugin of the command line comes first.
_take_own_servers()

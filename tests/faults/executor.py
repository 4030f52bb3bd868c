"""An executor that dies at the worst moment: after it used its permit up, before it said what came of it.

Run with the address, the name of the agent and the id of the action; the key comes in the environment.
"""

from __future__ import annotations

import os
import sys
import time

from handrail import Client


def main() -> None:
    """Use the permit up, say so, and never come to an end."""
    url, agent, action_id = sys.argv[1:]
    client = Client(url, os.environ["EXECUTOR_KEY"], agent=agent)
    verified = client.verify(client.get(action_id))
    client.consume(verified.permit, verified.digest)
    sys.stdout.write("running\n")
    sys.stdout.flush()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()

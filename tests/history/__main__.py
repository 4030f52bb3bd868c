"""``make soak``: a long run with a summary; exit code 1 on a violation, or when too little happened."""

from __future__ import annotations

import os
import secrets
import sys

from tests.history.course import run

SECONDS = 600.0


def main() -> int:
    """Run for SECONDS with SEED, both from the environment, and print what came of it."""
    seconds = float(os.environ.get("SECONDS") or SECONDS)
    seed = int(os.environ.get("SEED") or secrets.randbelow(10**9))
    result = run(seconds=seconds, seed=seed, say=_say)
    _say(result.summary())
    _say("")
    _say("no violations" if not result.broken else f"{len(result.broken)} VIOLATIONS")
    if result.hollow:
        _say(f"BUT A HOLLOW RUN: {result.hollow}")
    return 1 if result.broken or result.hollow else 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

"""A process for somebody's hands in a running stack: ``python -m tests.product_process MODULE CLASS``.

Each line in is an act with what it is given, as JSON; each line out is its result, or what went wrong. The
hands are imported when Django's apps are ready, which their own imports need.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, Protocol

import django


class Hands(Protocol):
    """Somebody who does what a line asks for."""

    url: str

    def acts(self) -> dict[str, Callable[..., Any]]:
        """Return what can be asked of these hands, by name."""

    def before_each(self) -> None:
        """Prepare for the next act."""


def main(module: str, name: str) -> None:
    """Serve these hands until stdin ends."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hitl_site.settings")
    django.setup()
    serve(getattr(import_module(module), name)())


def serve(hands: Hands) -> None:
    """Do what each line says, and answer with a line: the result, or what went wrong."""
    acts = hands.acts()
    _say({"url": hands.url})
    for line in sys.stdin:
        asked = json.loads(line)
        hands.before_each()
        try:
            _say({"result": acts[asked.pop("act")](**asked)})
        except Exception as error:
            _say({"error": f"{type(error).__name__}: {error}"})


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(message)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What the gate says to PostgreSQL, recorded, so that a view without a thought can say it again.

Beside the bare view this tells how much of the distance is what has to be written, and how much is thinking.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.db import connection

Value = str | bytes | None
# What is unique to each action: public ids, and the idempotency key of these benchmarks.
_UNIQUE: Final = re.compile(r"([a-z]{3}_)?[0-9a-f]{32}")
# Looking at everything, and writing everything.
_STATEMENTS: Final = 2


@dataclass(frozen=True)
class Statement:
    """A statement as it was sent, and its parameters; ``fresh`` are the places of those that must be new."""

    text: str
    values: tuple[Value, ...]
    fresh: tuple[int, ...] = ()

    def renewed(self, mark: str) -> list[Value]:
        """Return the parameters with ``mark`` (32 hexadecimal digits) in what has to be unique."""
        values = list(self.values)
        for place in self.fresh:
            values[place] = f"{str(values[place])[:-32]}{mark}"
        return values


def record(submit: Callable[[], None], path: Path) -> None:
    """Write to ``path`` what one ``submit`` in this process sends. Those that send more than usual (a canary,
    a check by chance) are passed over."""
    for _ in range(100):
        first, second = _sent_by(submit), _sent_by(submit)
        if [text for text, _ in first] == [text for text, _ in second] and len(first) == _STATEMENTS:
            break
    else:
        raise SystemExit("the gate sends other statements than those this benchmark knows")
    look, (write, values) = first[0], first[1]
    varied = zip(values, second[1][1], strict=True)
    fresh = [at for at, (one, other) in enumerate(varied) if one != other and _is_unique(one)]
    path.write_text(
        json.dumps(
            [
                {"text": look[0], "values": [_packed(each) for each in look[1]], "fresh": []},
                {"text": write, "values": [_packed(each) for each in values], "fresh": fresh},
            ]
        )
    )


def recorded(path: Path) -> list[Statement]:
    """Return the statements that ``record`` wrote."""
    return [
        Statement(each["text"], tuple(_unpacked(value) for value in each["values"]), tuple(each["fresh"]))
        for each in json.loads(path.read_text())
    ]


def fresh_mark() -> str:
    """Return what makes one action's ids unlike every other's."""
    return secrets.token_hex(16)


def _sent_by(submit: Callable[[], None]) -> list[tuple[str, list[Value]]]:
    sent: list[tuple[str, list[Value]]] = []

    def spy(execute: Callable[..., Any], text: str, values: Sequence[Value], many: bool, context: Any) -> Any:
        sent.append((text, list(values or ())))
        return execute(text, values, many, context)

    with connection.execute_wrapper(spy):
        submit()
    return sent


def _is_unique(value: Value) -> bool:
    return isinstance(value, str) and _UNIQUE.fullmatch(value) is not None


def _packed(value: Value) -> Any:
    return {"hex": value.hex()} if isinstance(value, bytes) else value


def _unpacked(value: Any) -> Value:
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value

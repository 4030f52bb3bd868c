"""Settings from the environment: read once, refused loudly when malformed.

An empty variable counts as unset, so that ``HANDRAIL_PORT=`` in an env file means "the default".
"""

from __future__ import annotations

import os
from pathlib import Path


class InvalidSetting(ValueError):
    """An environment variable holds something that cannot be used."""


def text(name: str, default: str = "") -> str:
    """Return the variable as text, or ``default`` when it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def flag(name: str, default: bool) -> bool:
    """Return a yes/no variable. Only 1/0, true/false, yes/no and on/off are understood."""
    raw = text(name).lower()
    if not raw:
        return default
    if raw in {"1", "true", "yes", "on"}:
        return True
    if raw in {"0", "false", "no", "off"}:
        return False
    raise InvalidSetting(f"{name} must be 1 or 0, not {raw!r}.")


def integer(name: str, default: int, *, minimum: int, maximum: int) -> int:
    """Return a whole number within ``minimum..maximum`` (both included)."""
    raw = text(name)
    if not raw:
        return default
    try:
        value = int(raw)
    except ValueError:
        raise InvalidSetting(f"{name} must be a whole number, not {raw!r}.") from None
    if not minimum <= value <= maximum:
        raise InvalidSetting(f"{name} must be between {minimum} and {maximum}, not {value}.")
    return value


def number(name: str, default: float, *, minimum: float, maximum: float) -> float:
    """Return a number within ``minimum..maximum`` (both included)."""
    raw = text(name)
    if not raw:
        return default
    try:
        value = float(raw)
    except ValueError:
        raise InvalidSetting(f"{name} must be a number, not {raw!r}.") from None
    # Also refuses what is not a number at all: it compares as neither.
    if not minimum <= value <= maximum:
        raise InvalidSetting(f"{name} must be between {minimum} and {maximum}, not {value}.")
    return value


def listing(name: str, default: list[str]) -> list[str]:
    """Return a comma-separated variable as a list without empty members."""
    raw = text(name)
    return [part.strip() for part in raw.split(",") if part.strip()] if raw else default


def path(name: str, default: Path) -> Path:
    """Return an absolute path; a relative one counts from the working directory."""
    raw = text(name)
    return Path(raw).expanduser().resolve() if raw else default

"""Public ids: a prefix that names the kind and a UUIDv7 (RFC 9562), so that ids sort by time.

``act_0198c6e2f7b17c3e9d2a4b5c6d7e8f90``: the 32 hex digits of the UUID, no dashes.
"""

from __future__ import annotations

import re

import uuid_utils

PREFIXES = frozenset(
    {
        "act", "agt", "agv", "apr", "aty", "bat", "bur", "case", "cck", "chk", "chn", "cnv", "dch", "dec",
        "drs", "dst", "dsv", "ers", "evr", "exe", "exp", "frz", "gra", "gtr", "hld", "inc", "itm", "key",
        "kil", "ntc", "obs", "omi", "pol", "pov", "prm", "pub", "que", "rdp", "req", "rtn", "sav", "sch",
        "shf", "srv", "tlk", "ver", "view", "wif",
    }
)  # fmt: skip
_PATTERN = re.compile(r"[a-z]{2,5}_[0-9a-f]{32}")
MAX_LENGTH = 40


def new(prefix: str) -> str:
    """Return a fresh public id for one of ``PREFIXES``."""
    if prefix not in PREFIXES:
        raise ValueError(f"unknown id prefix {prefix!r}")
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def is_valid(value: str, prefix: str) -> bool:
    """Say whether ``value`` has the shape of an id of this kind (not whether it exists)."""
    return value.startswith(f"{prefix}_") and _PATTERN.fullmatch(value) is not None

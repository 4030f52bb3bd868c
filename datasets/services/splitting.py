"""Splits: a group of cases goes into one of them as a whole, and stays there as data grows. Pure.

Both rules look at a group alone and never at how many there are: nothing that comes later can move it.
"""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Final

from datasets.choices import Split
from datasets.selectors.choices import DEFAULT_SALT, Shares, SplitBy, SplitRule

_POINTS: Final = 1 << 64


def split_of(group: str, shares: Shares, salt: str = DEFAULT_SALT) -> Split:
    """Return the split of a group: where the first 64 bits of SHA-256(salt, line feed, group) fall.

    Raising the share of a split only moves groups across its ends: the splits lie side by side in order.
    """
    digest = hashlib.sha256(f"{salt}\n{group}".encode()).digest()
    point = int.from_bytes(digest[:8], "big")
    end = 0
    for split, share in shares.wanted():
        end += share
        if point * 100 < end * _POINTS:
            return split
    raise AssertionError("the shares make 100, so that one of them holds the point")


def split_by_time(first_decided_at: datetime, shares: Shares, cuts: tuple[datetime, ...]) -> Split:
    """Return the split of a group whose first decision was made then; what is after all cuts is newest."""
    wanted = shares.wanted()
    for (split, _), last_moment in zip(wanted, cuts, strict=False):
        if first_decided_at <= last_moment:
            return split
    return wanted[-1][0]


def place(rule: SplitRule | None, *, group: str, first_decided_at: datetime | None) -> Split:
    """Return the split of a case of this group. By time the group's first decision must be known."""
    if rule is None:
        return Split.NONE
    if rule.by == SplitBy.GROUP:
        return split_of(group, rule.shares, rule.salt)
    if first_decided_at is None:
        raise ValueError("a split by time needs the group's first decision")
    return split_by_time(first_decided_at, rule.shares, rule.cuts)


def cut_fractions(shares: Shares) -> list[float]:
    """Return up to which fraction of the cases, oldest first, each split but the newest goes."""
    fractions, so_far = [], 0
    for _, share in shares.wanted()[:-1]:
        so_far += share
        fractions.append(so_far / 100)
    return fractions

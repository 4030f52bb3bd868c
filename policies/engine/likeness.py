"""What stays of an act when its wording is touched up: to know a refused one again.

Two acts are alike when they differ in white space, dashes, case, the order of members, forms of Unicode,
letters that only look the same, ways of writing a number, or in members that hold nothing. Lists keep their
order, since it may matter what comes first.
"""

from __future__ import annotations

from collections.abc import Mapping

from policies.engine.folding import lookalike, number_in, number_text


def folded(value: object) -> object:
    """Return a JSON value that is equal for documents which are alike, and None for what holds nothing."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, str):
        text = lookalike(value).replace(" ", "")
        number = number_in(text)
        # Of a text that is no number dashes are of no matter.
        return (number_text(number) if number is not None else text.replace("-", "")) or None
    if isinstance(value, Mapping):
        members = [[lookalike(str(name)), folded(member)] for name, member in value.items()]
        # Names that became equal stay apart: a list of pairs, ordered by what they hold.
        return sorted(([name, member] for name, member in members if member is not None), key=repr) or None
    if isinstance(value, list | tuple):
        return [folded(member) for member in value] or None
    raise TypeError(f"{type(value).__name__} is not a JSON value")

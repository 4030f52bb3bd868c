"""What a declaration may say of evidence: which edits are errors, how much they weigh, how many are borne."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping

from policies.engine.ladder_settings import InvalidLadder, LadderSettings

_POINTER = re.compile(r"(/([^~/]|~[01])*)+")
_MOST_POINTERS = 50
_LONGEST_POINTER = 200


def pointer_faults(pointers: object) -> Iterator[str]:
    """Yield what is wrong with the fields in which an edit is an error."""
    if not isinstance(pointers, list | tuple) or len(pointers) > _MOST_POINTERS:
        yield f"A list of at most {_MOST_POINTERS} JSON pointers."
        return
    for number, pointer in enumerate(pointers, start=1):
        if not isinstance(pointer, str) or len(pointer) > _LONGEST_POINTER or not _POINTER.fullmatch(pointer):
            yield f"Number {number}: a JSON pointer into the arguments, as in /amount."
    if len({str(pointer) for pointer in pointers}) < len(pointers):
        yield "A pointer is listed twice."


def severity_faults(severities: object, *, codes: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with the weights of errors by their reason."""
    if not isinstance(severities, Mapping):
        yield "An object: reason code to a number from 0 to 1."
        return
    for code, weight in severities.items():
        if code not in codes:
            yield f"{code} is no reason code of this action type."
        elif isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= 1:
            yield f"{code}: a number from 0 to 1."


def limit_faults(limit: object) -> Iterator[str]:
    """Yield what is wrong with the error rate that is not to be passed."""
    if limit is None:
        return
    if isinstance(limit, bool) or not isinstance(limit, int | float) or not math.isfinite(limit):
        yield "A number, or nothing to go by the risk."
    elif not 0.0005 <= limit <= 0.5:
        yield "From 0.05 to 50 percent."


def ladder_faults(ladder: object, *, costly: bool) -> Iterator[str]:
    """Yield what is wrong with the settings of the ladder."""
    if not isinstance(ladder, Mapping):
        yield "An object: setting to number."
        return
    try:
        LadderSettings.read(ladder, costly=costly)
    except InvalidLadder as invalid:
        for name, fault in invalid.faults:
            yield f"{name}: {fault}"

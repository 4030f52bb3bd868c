"""What a problem document (RFC 9457) says in words, with the place of every fault that it names."""

from __future__ import annotations

from handrail.canonical import JSONValue
from handrail.wire import Fields

# A body with a hundred faults is told by its first ones.
_MOST_FAULTS = 5


def words_of(problem: Fields) -> str | None:
    """Return what the problem says and its ``errors``, as in "/confidence: This is at most 1.".

    None where it says nothing. Without the places nobody knows what to mend. Errors of another shape are left
    out: they take nothing away from the problem itself.
    """
    said = problem.maybe_text("detail") or problem.maybe_text("title")
    told = [_words(fault) for fault in problem.items_if_any("errors")]
    told = [words for words in told if words and words != said]
    if not told:
        return said
    more = [f"And {len(told) - _MOST_FAULTS} more."] if len(told) > _MOST_FAULTS else []
    return " ".join([said or "The request was refused.", *told[:_MOST_FAULTS], *more])


def _words(fault: JSONValue) -> str:
    if not isinstance(fault, dict) or not isinstance(message := fault.get("message"), str):
        return ""
    pointer = fault.get("pointer")
    return f"{pointer}: {message}" if isinstance(pointer, str) and pointer else message

"""Whether what the world said later contradicts what a person let pass."""

from __future__ import annotations

from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.strict_json import JsonValue


def contradicts(
    *, label: str, truth: JsonValue, ran_as_decided: bool, correct: bool, arguments: JsonValue
) -> bool:
    """Say whether ground truth is against a person's answer that something should be done.

    ``correct`` speaks of what was done: what was decided (``ran_as_decided``), or, of an observed action,
    what the agent had done before anybody looked. So a correction made afterwards is borne out when that
    turns out to have been wrong. Right ``arguments`` that are the person's own contradict nothing.
    """
    if correct or label == "rejected":
        return False
    if arguments is not None:
        return canonicalize(arguments) != canonicalize(truth)
    return ran_as_decided or label == "approved"

"""The digest of what an act is, whatever its wording: to know a refused one when it comes again.

``likeness = "sha256:" + hex(SHA-256("handrail-likeness-v1" + 0x00 + JCS(document)))`` with ``document`` =
``{"v", "agent", "subject", "action_type", "environment", "arguments"}``. Subject and arguments are folded
(``policies.engine.likeness``), after what the action type declares as cosmetic or normalised was taken out.
"""

from __future__ import annotations

from typing import Final, cast

from hitl_site.lib.canonical import DIGEST_SCHEME, canonicalize, sha256_hex
from hitl_site.lib.strict_json import JsonValue
from policies.engine.binding import Binding, binding_document
from policies.engine.likeness import folded
from policies.models import ActionType

_PREFIX: Final = b"handrail-likeness-v1\0"


def is_plain(action_type: ActionType | None) -> bool:
    """Say whether the type declares nothing that the likeness of its acts depends on."""
    return action_type is None or not (action_type.cosmetic_pointers or action_type.normalised_fields)


def likeness_of(
    *,
    agent_name: str,
    subject: str | None,
    action_type_name: str,
    action_type: ActionType | None,
    environment: str,
    arguments: JsonValue,
) -> str:
    """Return the likeness of an act of one agent. Acts of two agents are never alike.

    What is declared holds at every risk: it can only make more acts alike, and that only ever holds them.
    """
    declared = Binding()
    if action_type is not None and not is_plain(action_type):
        declared = Binding.read(action_type.cosmetic_pointers, action_type.normalised_fields)
    bound = arguments if declared.is_exact else binding_document(arguments, declared)
    document: JsonValue = {
        "v": 1,
        "agent": agent_name,
        "subject": cast(JsonValue, folded(subject)),
        "action_type": action_type_name,
        "environment": environment,
        "arguments": cast(JsonValue, folded(bound)),
    }
    # What is folded holds texts alone, and no number that could be none.
    return DIGEST_SCHEME + sha256_hex(_PREFIX + canonicalize(document, known_finite=True))

"""The digest of what an approval binds, where an action type declares cosmetic or normalised fields.

``binding_digest = "sha256:" + hex(SHA-256("handrail-binding-v1" + 0x00 + JCS(document)))`` with ``document``
= ``{"v", "agent", "subject", "action_type", "environment", "declaration", "arguments"}``; ``arguments`` is the
binding document (``policies.engine.binding``). The declaration is inside: under another one nothing is equal,
so that a change of it never reaches a permit that is out.
"""

from __future__ import annotations

import hmac
from typing import Final, cast

from pydantic import JsonValue

from hitl_site.lib.canonical import DIGEST_SCHEME, action_digest, canonicalize, sha256_hex
from policies.choices import ALWAYS_REVIEWED_RISKS, Risk
from policies.engine.binding import Binding, binding_document
from policies.models import ActionType
from reviews.models import ActionRequest, Permit
from reviews.selectors.actions import Arguments

_PREFIX: Final = b"handrail-binding-v1\0"


def declared_binding(action_type: ActionType | None) -> Binding:
    """Return what the action type declares.

    Nothing where nobody declared it, and nothing for high and critical risk: there every byte was read by a
    person, and every byte is bound.
    """
    if action_type is None or Risk(action_type.risk) in ALWAYS_REVIEWED_RISKS:
        return Binding()
    return Binding.read(action_type.cosmetic_pointers, action_type.normalised_fields)


def told(declared: Binding) -> dict[str, JsonValue]:
    """Return a declaration for the ledger."""
    return cast(dict[str, JsonValue], declared.document())


def as_arguments(arguments: JsonValue) -> Arguments:
    """Return arguments that ``covers`` has accepted: an object, as the binding of one can only be."""
    if not isinstance(arguments, dict):
        raise TypeError("arguments are an object")
    return arguments


def binding_digest(*, action: ActionRequest, arguments: JsonValue, binding: Binding) -> str:
    """Return the digest of what an approval of ``arguments`` binds; "" where all of it is bound."""
    if binding.is_exact:
        return ""
    document: JsonValue = {
        "v": 1,
        "agent": action.agent.name,
        "subject": action.subject,
        "action_type": action.action_type_name,
        "environment": action.environment,
        "declaration": cast(JsonValue, binding.document()),
        "arguments": cast(JsonValue, binding_document(arguments, binding)),
    }
    return DIGEST_SCHEME + sha256_hex(_PREFIX + canonicalize(document))


def covers(permit: Permit, *, digest: str, arguments: JsonValue) -> bool:
    """Say whether the permit covers these other arguments: they have this digest, and the same binding."""
    action = permit.action
    if not permit.binding_digest or not isinstance(arguments, dict):
        return False
    exact = action_digest(
        agent=action.agent.name,
        subject=action.subject,
        action_type=action.action_type_name,
        environment=action.environment,
        arguments=arguments,
    )
    bound = binding_digest(action=action, arguments=arguments, binding=declared_binding(action.action_type))
    return hmac.compare_digest(exact, digest) and hmac.compare_digest(bound, permit.binding_digest)

"""The digest of what an approval binds, where an action type declares cosmetic or normalised fields.

``binding_digest = "sha256:" + hex(SHA-256("handrail-binding-v1" + 0x00 + JCS(document)))``; ``document`` is
``{"v", "agent", "subject", "action_type", "environment", "declaration", "arguments"}`` and ``arguments``
is the binding document (``policies.engine.binding``). The declaration is inside: under another one nothing is
equal, so that a change of it never reaches a permit that is out.
"""

from __future__ import annotations

import hmac
from typing import Final, cast

from pydantic import JsonValue

from hitl_site.lib.canonical import DIGEST_SCHEME, NotCanonical, action_digest, canonicalize, sha256_hex
from hitl_site.lib.textdiff import json_patch
from policies.choices import ALWAYS_REVIEWED_RISKS, Risk
from policies.engine.binding import Binding, binding_document
from policies.models import ActionType
from reviews.models import ActionRequest, Permit
from reviews.selectors.actions import Arguments, final_arguments

_PREFIX: Final = b"handrail-binding-v1\0"


def declared_binding(action_type: ActionType | None) -> Binding:
    """Return what the action type declares.

    Nothing where nobody declared it, and nothing for high and critical risk: there a person reads every one,
    and what was read is bound to the byte.
    """
    if action_type is None or Risk(action_type.risk) in ALWAYS_REVIEWED_RISKS:
        return Binding()
    return Binding.read(action_type.cosmetic_pointers, action_type.normalised_fields)


def told(declared: Binding) -> dict[str, JsonValue]:
    """Return a declaration for the ledger."""
    return cast(dict[str, JsonValue], declared.document())


def binding_digest(*, action: ActionRequest, arguments: Arguments, declared: Binding) -> str:
    """Return the digest of what an approval of ``arguments`` binds under this declaration."""
    document: dict[str, JsonValue] = {
        "v": 1,
        "agent": action.agent.name,
        "subject": action.subject,
        "action_type": action.action_type_name,
        "environment": action.environment,
        "declaration": told(declared),
        "arguments": cast(JsonValue, binding_document(arguments, declared)),
    }
    return DIGEST_SCHEME + sha256_hex(_PREFIX + canonicalize(document))


def exact_digest(action: ActionRequest, arguments: Arguments) -> str:
    """Return the digest of the action with these arguments; "" where they have no canonical form."""
    try:
        return action_digest(
            agent=action.agent.name,
            subject=action.subject,
            action_type=action.action_type_name,
            environment=action.environment,
            arguments=arguments,
        )
    except NotCanonical:
        return ""


def is_decided(permit: Permit, arguments: JsonValue) -> bool:
    """Say whether arguments that came along are those of the permit; none came is as good."""
    if arguments is None:
        return True
    return isinstance(arguments, dict) and hmac.compare_digest(
        exact_digest(permit.action, arguments), permit.digest
    )


def covers(permit: Permit, *, digest: str, arguments: Arguments) -> bool:
    """Say whether the permit covers these other arguments: they have this digest, and the same binding."""
    declared = declared_binding(permit.action.action_type)
    if not permit.binding_digest or declared.is_exact:
        return False
    exact = exact_digest(permit.action, arguments)
    if not exact or not hmac.compare_digest(exact.encode(), digest.encode()):
        return False
    bound = binding_digest(action=permit.action, arguments=arguments, declared=declared)
    return hmac.compare_digest(bound, permit.binding_digest)


def difference(action: ActionRequest, running: Arguments) -> list[JsonValue]:
    """Return the RFC 6902 patch from what was decided to what runs."""
    return cast(list[JsonValue], json_patch(final_arguments(action), running))

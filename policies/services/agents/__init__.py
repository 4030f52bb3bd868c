"""Agents, their versions, and the keys they sign in with.

``registry`` keeps the agents themselves, ``versions`` what each was seen to be, ``keys`` how they sign in.
"""

from policies.services.agents.keys import (
    LONGEST_OVERLAP,
    KeyReplaced,
    UnableToCreateKey,
    UnknownKey,
    WrongAddress,
    authenticate,
    create_key,
    lookup_in,
    name_seen,
    prove,
    revoke_key,
    rotate_key,
    sign_in,
)
from policies.services.agents.registry import (
    MAX_NAME,
    AgentRetired,
    InvalidLimits,
    Limits,
    NameTaken,
    UnableToCreateAgent,
    change_agent,
    create_agent,
    pause_agent,
    resume_agent,
    retire_agent,
)
from policies.services.agents.versions import (
    UNVERSIONED,
    InvalidVersion,
    VersionClaim,
    known_version,
    see_version,
    version_label,
)

__all__ = [
    "LONGEST_OVERLAP",
    "MAX_NAME",
    "UNVERSIONED",
    "AgentRetired",
    "InvalidLimits",
    "InvalidVersion",
    "KeyReplaced",
    "Limits",
    "NameTaken",
    "UnableToCreateAgent",
    "UnableToCreateKey",
    "UnknownKey",
    "VersionClaim",
    "WrongAddress",
    "authenticate",
    "change_agent",
    "create_agent",
    "create_key",
    "known_version",
    "lookup_in",
    "name_seen",
    "pause_agent",
    "prove",
    "resume_agent",
    "retire_agent",
    "revoke_key",
    "rotate_key",
    "see_version",
    "sign_in",
    "version_label",
]

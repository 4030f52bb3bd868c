"""Versions of agents: what each was seen to be. Autonomy belongs to a version, never to an agent."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import transaction

from hitl_site.lib import ids
from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.strict_json import JsonValue
from policies.models import LABEL_PATTERN, LONGEST_LABEL, Agent, AgentVersion
from policies.services import ledger
from policies.services.ledger import Actor

UNVERSIONED: Final = "unversioned"
_LABEL: Final = re.compile(LABEL_PATTERN.replace("$", r"\Z"))


class InvalidVersion(ValueError):
    """The label cannot name a version of an agent."""


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionClaim:
    """What an agent says of itself: a label, and what makes this version the one it is."""

    label: str = ""
    model: str = ""
    prompt_sha256: str = ""
    tools_sha256: str = ""

    @property
    def fingerprint(self) -> str:
        """Return one digest over model, prompt and tools; "" where the agent gave a label alone."""
        parts: dict[str, JsonValue] = {
            "model": self.model,
            "prompt_sha256": self.prompt_sha256,
            "tools_sha256": self.tools_sha256,
        }
        return f"sha256:{sha256_hex(canonicalize(parts))}" if any(parts.values()) else ""


def version_label(text: str) -> str:
    """Return the label under which a version is kept. Raises ``InvalidVersion``."""
    label = text.strip() or UNVERSIONED
    if len(label) > LONGEST_LABEL or not _LABEL.match(label):
        raise InvalidVersion(
            f"A version's label has at most {LONGEST_LABEL} characters, none of them hidden or a control."
        )
    return label


def known_version(*, agent: Agent, claim: VersionClaim) -> AgentVersion | None:
    """Return the version that the agent claims to be, when it has been seen before."""
    return AgentVersion.objects.filter(
        agent=agent, label=version_label(claim.label), fingerprint=claim.fingerprint
    ).first()


def see_version(
    *, agent: Agent, label: str = "", claim: VersionClaim | None = None, now: datetime
) -> AgentVersion:
    """Return the agent's version of this label and fingerprint, noting it when it is seen first.

    An agent that names no version is ``unversioned``. The same label with another model, prompt or tools is
    another version, which nobody has granted anything. Two first sights at once make one version.
    """
    claim = claim or VersionClaim(label=label)
    known = known_version(agent=agent, claim=claim)
    if known is not None:
        return known
    with transaction.atomic():
        version, is_new = AgentVersion.objects.get_or_create(
            agent=agent,
            label=version_label(claim.label),
            fingerprint=claim.fingerprint,
            defaults={
                "public_id": ids.new("agv"),
                "model": claim.model,
                "prompt_digest": claim.prompt_sha256 and f"sha256:{claim.prompt_sha256}",
                "tools_digest": claim.tools_sha256 and f"sha256:{claim.tools_sha256}",
                "first_seen_at": now,
            },
        )
        if is_new:
            ledger.record(
                actor=Actor.agent(agent),
                verb="agent.version_seen",
                object_kind="agent_version",
                object_id=version.public_id,
                now=now,
                payload={
                    "agent": agent.public_id,
                    "label": version.label,
                    "fingerprint": version.fingerprint,
                    "model": version.model,
                },
            )
    return version

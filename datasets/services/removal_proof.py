"""The proof of an erasure: what was taken away, told without saying what it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from django.db.models import Q
from django.utils.translation import gettext_noop

from datasets.choices import ExportState
from datasets.models import Export
from datasets.selectors.traces import SHORTEST, traces
from datasets.services.taking_away import EXPORT
from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.strict_json import JsonValue
from policies.models import Removal
from policies.services import ledger

FORMAT: Final = "handrail.erasure/1"
_LINKS: Final = 5_000


def draw_up(*, removal_id: str, clock: Callable[[], datetime]) -> dict[str, JsonValue]:
    """Return the proof: counts, the SHA-256 of every id, the ledger recomputed, and where the name still is.

    The ledger is linked first, so that what the erasure itself did is part of what is verified.
    """
    removal = Removal.objects.get(public_id=removal_id)
    while ledger.link_entries(now=clock(), limit=_LINKS) == _LINKS:
        pass
    verified = ledger.verify()
    objects: list[JsonValue] = [
        {"kind": target.kind, "sha256": sha256_hex(target.object_id.encode())}
        for target in removal.targets.order_by("kind", "object_id")
    ]
    return {
        "format": FORMAT,
        "request": removal.public_id,
        "criterion": removal.criterion,
        "value_digest": removal.value_digest,
        "reason": removal.reason,
        "legal_basis": removal.legal_basis,
        "asked_by": removal.asked_by_name,
        "asked_at": removal.asked_at.isoformat(),
        "found": dict(removal.found),
        "removed": dict(removal.removed),
        "objects": objects,
        "sent_elsewhere": _sent_elsewhere(removal),
        "ledger": {
            "intact": verified.is_intact,
            "entries": verified.verified,
            "last_hash": verified.last_hash,
            "problem": verified.problem,
        },
        "search": _search(removal),
    }


def digest(proof: dict[str, JsonValue]) -> str:
    """Return the SHA-256 of a proof, which the ledger keeps."""
    return sha256_hex(canonicalize(proof))


def _sent_elsewhere(removal: Removal) -> list[JsonValue]:
    """Return the exports that went to a place of the operator's: what is there has to be removed there.

    Also those that were on their way: an attempt that ended may have left a part of them there.
    """
    ended = Q(public_id__in=removal.targets.filter(kind=EXPORT).values("object_id"))
    begun = Q(version__marks__erasure_id=removal.public_id, attempts__gt=0) & ~Q(state=ExportState.DONE)
    sent = Export.objects.filter(ended | begun).exclude(destination="").order_by("pk").distinct()
    return [{"export": each.public_id, "destination": each.destination} for each in sent]


def _search(removal: Removal) -> dict[str, JsonValue]:
    """Search every column of the database for the name itself, the row of the request left out."""
    if len(removal.value) < SHORTEST:
        return {"done": False, "why": gettext_noop("The name is too short to be searched for."), "found": []}
    found: list[JsonValue] = [
        {"table": trace.table, "column": trace.column, "rows": trace.rows}
        for trace in traces(removal.value)
        if (trace.table, trace.column) != ("policies_removal", "value")
    ]
    return {"done": True, "why": "", "found": found}

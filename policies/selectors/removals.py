"""What of a thing's content was taken away, when, and by which request."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext

from policies.choices import RemovalKind
from policies.models import RemovalTarget


@dataclass(frozen=True, slots=True)
class Gone:
    """Content that is gone: since when, and by which removal."""

    at: datetime
    removal_id: str
    by_request: bool

    @property
    def why(self) -> str:
        """Return the reason in words."""
        if self.by_request:
            return gettext("request {id}").format(id=self.removal_id)
        return gettext("its time to be kept was over")


def gone(object_id: str) -> Gone | None:
    """Return what was taken away of a thing, None where all of it is there. Of several removals the first."""
    return gone_of([object_id]).get(object_id)


def gone_of(object_ids: Iterable[str]) -> dict[str, Gone]:
    """As ``gone``, for many."""
    found: dict[str, Gone] = {}
    rows = RemovalTarget.objects.filter(object_id__in=list(object_ids), removed_at__isnull=False)
    for target in rows.select_related("removal").order_by("removed_at", "id"):
        assert target.removed_at is not None
        found.setdefault(
            target.object_id,
            Gone(
                at=target.removed_at,
                removal_id=target.removal.public_id,
                by_request=target.removal.kind == RemovalKind.ERASURE,
            ),
        )
    return found

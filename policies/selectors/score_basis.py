"""What a score means: a threshold that was certified of one score says nothing of another.

A policy names the score that it goes by, and perhaps a map for it. The same number from another source, or
through another map, is passed by other actions.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.db.models import Q

from policies.models import ActionType, PolicyVersion


def is_other_score(document: Mapping[str, object], before: Mapping[str, object] | None) -> bool:
    """Say whether a policy goes by another score than the text before it; the first one does not."""
    return before is not None and _basis(document) != _basis(before)


def text_before(version: PolicyVersion) -> Mapping[str, object] | None:
    """Return the text that was in force before this version, though nothing may have been in between."""
    earlier = (
        PolicyVersion.objects.filter(
            Q(published_at__lt=version.published_at)
            | Q(published_at=version.published_at, pk__lt=version.pk),
            action_type=version.action_type_id,
        )
        .order_by("-published_at", "-pk")
        .first()
    )
    return earlier.document if earlier is not None else None


def newest_text(action_type: ActionType) -> Mapping[str, object] | None:
    """Return the text that was put in force last, in force or not by now: what comes next follows it."""
    published = PolicyVersion.objects.filter(action_type=action_type, published_at__isnull=False)
    newest = published.order_by("-published_at", "-pk").first()
    return newest.document if newest is not None else None


def is_same_since(action_type: ActionType, since: datetime) -> bool:
    """Say whether every policy in force from then on went by the same score."""
    published = PolicyVersion.objects.filter(action_type=action_type, published_at__isnull=False)
    then = published.filter(published_at__lte=since).order_by("-published_at", "-pk").first()
    later = published.filter(published_at__gt=since).values_list("document", flat=True)
    return then is None or all(_basis(document) == _basis(then.document) for document in later)


def alike(action_type: ActionType, at: datetime) -> list[int]:
    """Return the keys of the policies that go by the same score as the one in force at a moment."""
    published = PolicyVersion.objects.filter(action_type=action_type, published_at__isnull=False)
    then = published.filter(published_at__lte=at).order_by("-published_at", "-pk").first()
    if then is None:
        return []
    texts = published.values_list("pk", "document")
    return [pk for pk, document in texts if _basis(document) == _basis(then.document)]


def _basis(document: Mapping[str, object]) -> tuple[object, object]:
    return document.get("score"), document.get("calibration")

"""What a text would end, were it published now: levels that rest on a threshold of another score.

Shown before the press, and asked by the act itself: both read the same rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Q, QuerySet

from policies.choices import AutonomyLevel
from policies.models import ActionType, AutonomyGrant
from policies.selectors import score_basis


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """The text goes by another score than the one before it. ``ends`` are the levels that end by that."""

    ends: tuple[AutonomyGrant, ...]


def score_change(action_type: ActionType, document: Mapping[str, object]) -> ScoreChange | None:
    """Return what publishing this text now would end; None where it goes by the same score as before."""
    if not score_basis.is_other_score(document, score_basis.newest_text(action_type)):
        return None
    return ScoreChange(tuple(resting_on_threshold(action_type)))


def resting_on_threshold(action_type: ActionType) -> QuerySet[AutonomyGrant]:
    """Return the levels that let something run alone by a threshold of the score in force.

    A level that does not go by the score is none of them, unless it is still tried beside one that does.
    """
    return (
        AutonomyGrant.objects.filter(
            Q(level=AutonomyLevel.THRESHOLD) | Q(canary_base=AutonomyLevel.THRESHOLD, canary_share__lt=1),
            action_type=action_type,
            threshold__isnull=False,
            ended_at=None,
        )
        .select_related("agent_version__agent", "action_type")
        .order_by("agent_version_id")
    )

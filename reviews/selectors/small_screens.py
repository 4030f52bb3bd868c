"""What may be let run from a telephone, and what takes a screen that shows the whole of it at once."""

from __future__ import annotations

from policies.choices import Risk
from policies.selectors.policies import live_document, live_version
from reviews.choices import ItemKind
from reviews.models import ReviewItem
from reviews.selectors.attention import risks_of


def needs_large_screen(item: ReviewItem) -> bool:
    """Say whether nobody may let the item's action run from a small screen.

    Only what is critical is asked about, as it was proposed or as its type is declared now; and only where
    something would run. Both policies must say that it may: the one that held it, and the one in force.
    """
    action = item.action
    declared = action.action_type
    if item.kind != ItemKind.GATE or Risk.CRITICAL not in risks_of(item):
        return False
    versions = (action.gate_check.policy_version, live_version(declared) if declared is not None else None)
    return not all(version is not None and live_document(version).small_screens for version in versions)

"""What each level of the ladder takes, in sentences with an action type's own numbers."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext

from hitl_site.lib import wording
from policies.choices import AutonomyLevel
from policies.engine.ladder_settings import LadderSettings
from policies.models import ActionType
from policies.selectors import autonomy
from policies.selectors.evidence_limits import error_limit_of, settings_of


@dataclass(frozen=True, slots=True)
class RungRule:
    """One level, what it takes to get there, and whether the declaration goes so far."""

    level: AutonomyLevel
    says: str
    locked: bool


def rules_of(action_type: ActionType) -> list[RungRule]:
    """Return the rule of every level, lowest first."""
    settings, cap = settings_of(action_type), autonomy.cap_of(action_type)
    return [
        RungRule(level, _rule(level, settings, action_type), autonomy.rank(level) > autonomy.rank(cap))
        for level in AutonomyLevel
    ]


def _rule(level: AutonomyLevel, settings: LadderSettings, action_type: ActionType) -> str:
    limit = wording.percent(error_limit_of(action_type), 1)
    if level == AutonomyLevel.SHADOW:
        return gettext("Nothing runs; people decide as if it could.")
    if level == AutonomyLevel.REVIEW_ALL:
        said = gettext(
            "{comparisons} comparisons in Shadow, at most {share} of them wrong by the upper limit."
        )
        return said.format(
            comparisons=wording.number(settings.shadow_comparisons),
            share=wording.percent(settings.shadow_upper),
        )
    if level == AutonomyLevel.THRESHOLD:
        said = gettext(
            "A threshold from which at most {limit} is wrong, certified; at least {share} of the actions pass"
            " it; {days} days at Review all."
        )
        return said.format(
            limit=limit,
            share=wording.percent(settings.threshold_share),
            days=wording.number(round(settings.threshold_days)),
        )
    said = gettext(
        "At most {limit} wrong over all scores, certified; {checks} checks of what ran alone; {days} days at"
        " Threshold."
    )
    return said.format(
        limit=limit,
        checks=wording.number(settings.autonomous_audits),
        days=wording.number(round(settings.autonomous_days)),
    )

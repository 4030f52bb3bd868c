"""Why an action is held, in plain words; nothing of it for a blind item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.utils.translation import gettext

from hitl_site.lib import wording
from policies.models import GateCheck
from policies.selectors import policy_words, reason_words
from policies.selectors.policies import live_document
from reviews.models import ActionRequest

_ICONS = {
    "kill_switch": "octagon-pause",
    "agent_inactive": "pause",
    "unknown_action_type": "circle-help",
    "no_policy": "circle-help",
    "arguments_out_of_scope": "fence",
    "widens_rights": "key-round",
    "rule_matched": "sliders-horizontal",
    "high_risk": "lock",
    "no_score": "gauge",
    "below_threshold": "scale",
    "no_threshold": "gauge",
    "unknown_agent_version": "zap",
    "autonomy_shadow": "eye",
    "autonomy_review_all": "trending-up",
    "autonomy_canary": "trending-up",
    "freeze_window": "snowflake",
    "denied_before": "history",
    "agent_not_listed": "bot",
    "rule_error": "triangle-alert",
}
_ICON_OF_TRIGGER = {"high_risk": "lock", "low_confidence": "scale", "policy_edge": "sliders-horizontal"}


@dataclass(frozen=True)
class HoldReason:
    icon: str
    tone: str  # "no" for high risk, else ""
    title: str
    detail: str


@dataclass(frozen=True)
class MeasureSeen:
    """What the rules saw of the past: the number, and what it measures in words."""

    name: str
    value: str
    words: str


@dataclass(frozen=True)
class Why:
    """The calibrated chance against the threshold, and each reason. ``policy`` names the text in force.

    ``measures`` are the numbers of the past that the rules were asked with, this action included.
    """

    score: float | None
    threshold: float | None
    note: str
    reasons: tuple[HoldReason, ...]
    policy: str
    measures: tuple[MeasureSeen, ...] = ()

    @property
    def titles(self) -> str:
        """Return the reasons in one line, for a small screen."""
        return ", ".join(reason.title for reason in self.reasons)


def why_held(check: GateCheck, action: ActionRequest) -> Why:
    """Return why this action came to a person. Not to be called for an item that is blind."""
    policy = check.policy_version
    return Why(
        score=check.score,
        threshold=check.threshold,
        note=_footnote(check, action),
        reasons=tuple(hold_reason(document) for document in check.reasons),
        policy=gettext("Policy {name}, version {number}").format(
            name=check.action_type_name, number=policy.number
        )
        if policy
        else gettext("No policy in force"),
        measures=_measures(check),
    )


def _measures(check: GateCheck) -> tuple[MeasureSeen, ...]:
    """Return the measures that were stored with the check: they cannot be measured again later."""
    if not check.history or check.policy_version is None:
        return ()
    declared = {measure.name: measure for measure in live_document(check.policy_version).measures}
    return tuple(
        MeasureSeen(
            name=name,
            value=_number(value),
            words=policy_words.measured(declared[name]) if name in declared else "",
        )
        for name, value in check.history.items()
    )


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return gettext("not measured")
    return wording.figures(f"{value:,.2f}".rstrip("0").rstrip("."))


def _footnote(check: GateCheck, action: ActionRequest) -> str:
    """Return the agent's own figure where another one counted: a footnote, never the number to go by."""
    if check.score is None or action.confidence is None or action.confidence == check.score:
        return ""
    return gettext("The agent itself said {share}").format(share=wording.percent(action.confidence))


def hold_reason(document: Mapping[str, object]) -> HoldReason:
    """Return one stored reason in the words and with the picture that the pages show."""
    code, trigger = str(document.get("code", "")), str(document.get("trigger", ""))
    return HoldReason(
        icon=_ICONS.get(code) or _ICON_OF_TRIGGER.get(trigger, "circle-alert"),
        tone="no" if trigger == "high_risk" else "",
        title=reason_words.title_in_words(code, str(document.get("title", code))),
        detail=reason_words.detail_in_words(str(document.get("detail", ""))),
    )

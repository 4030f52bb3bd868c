"""What a policy says, in the language of the reader."""

from __future__ import annotations

from typing import Final

from django.utils.translation import get_language, gettext, gettext_noop, ngettext, pgettext

from hitl_site.lib.wording import figures
from policies.choices import AutonomyLevel
from policies.engine import explanation
from policies.engine.agent_list import ListedAgent
from policies.engine.facts import Level, ScoreSource, Verdict
from policies.engine.freezing import FreezeWindow
from policies.engine.measures import Measure, MeasureFunction

_SCORES: Final = {
    ScoreSource.AGENT: gettext_noop("The agent’s own"),
    ScoreSource.JUDGE: gettext_noop("The judge’s"),
    ScoreSource.SAMPLES: gettext_noop("How many of its samples agree"),
    ScoreSource.LOWEST: gettext_noop("The lowest of those given"),
    ScoreSource.CALIBRATED: gettext_noop("Calibrated"),
}
_DAYS: Final = {
    "mon": gettext_noop("Mondays"),
    "tue": gettext_noop("Tuesdays"),
    "wed": gettext_noop("Wednesdays"),
    "thu": gettext_noop("Thursdays"),
    "fri": gettext_noop("Fridays"),
    "sat": gettext_noop("Saturdays"),
    "sun": gettext_noop("Sundays"),
}
_WHOSE: Final = {
    "agent": gettext_noop("the same agent"),
    "subject": gettext_noop("the same subject"),
    "conversation": gettext_noop("the same conversation"),
}


def mid_sentence(label: str) -> str:
    """Return a label as it stands inside a sentence: "draft". Other languages keep their capitals."""
    label = str(label)
    return label.lower() if (get_language() or "en").startswith("en") else label


def level(value: Level | str) -> str:
    """Return what a level is called."""
    return str(AutonomyLevel(str(value)).label)


def exact_percent(share: float) -> str:
    """0.86 is "86%" and 0.145 is "14.5%": the number somebody typed, not a rounded one."""
    number = figures(explanation.percent(share).removesuffix("%"))
    return pgettext("share", "{number}%").format(number=number)


def span(seconds: int) -> str:
    """Return a length of time in words, in the largest units that come out even."""
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [
        ngettext("{n} day", "{n} days", days).format(n=days) if days else "",
        ngettext("{n} hour", "{n} hours", hours).format(n=hours) if hours else "",
        ngettext("{n} minute", "{n} minutes", minutes).format(n=minutes) if minutes else "",
        ngettext("{n} second", "{n} seconds", left).format(n=left) if left or not seconds else "",
    ]
    return " ".join(part for part in parts if part)


def score_source(source: ScoreSource) -> str:
    """Say whose score is asked."""
    return gettext(_SCORES[source])


def measured(measure: Measure) -> str:
    """Say what a measure measures: "the sum of /amount by the same subject over 1 day, of refund.issue"."""
    if measure.of.startswith("/"):
        whose = gettext("the same value at {pointer}").format(pointer=measure.of)
    else:
        whose = gettext(_WHOSE[measure.of])
    values = {
        "whose": whose,
        "span": span(measure.window_seconds),
        "types": ", ".join(measure.action_types) or gettext("this action type"),
    }
    if measure.function is MeasureFunction.COUNT:
        return gettext("the number by {whose} over {span}, of {types}").format(**values)
    told = gettext("the sum of {pointer} by {whose} over {span}, of {types}")
    return told.format(pointer=measure.pointer, **values)


def frozen(window: FreezeWindow) -> str:
    """Say when a freeze window holds, and what happens then."""
    denies = window.then is Verdict.DENY
    values = {"starts": window.starts, "ends": window.ends}
    if not window.weekdays:
        told = (
            gettext("denied from {starts} until {ends}")
            if denies
            else gettext("held from {starts} until {ends}")
        )
        return told.format(**values)
    told = (
        gettext("denied on {days} from {starts} until {ends}, {zone}")
        if denies
        else gettext("held on {days} from {starts} until {ends}, {zone}")
    )
    return told.format(
        days=", ".join(gettext(_DAYS[day]) for day in window.weekdays), zone=window.zone, **values
    )


def versions(agent: ListedAgent) -> str:
    """Say which versions of an agent are listed."""
    return ", ".join(agent.versions) or gettext("every version")

"""What the parts of a policy say, in plain words for people."""

from __future__ import annotations

from policies.engine.agent_list import ListedAgent
from policies.engine.difference import duration
from policies.engine.facts import ScoreSource, Verdict
from policies.engine.freezing import FreezeWindow
from policies.engine.measures import Measure, MeasureFunction

_SCORES = {
    ScoreSource.AGENT: "The agent’s own",
    ScoreSource.JUDGE: "The judge’s",
    ScoreSource.SAMPLES: "How many of its samples agree",
    ScoreSource.LOWEST: "The lowest of those given",
    ScoreSource.CALIBRATED: "Calibrated",
}
_DAYS = {
    "mon": "Mondays",
    "tue": "Tuesdays",
    "wed": "Wednesdays",
    "thu": "Thursdays",
    "fri": "Fridays",
    "sat": "Saturdays",
    "sun": "Sundays",
}


def score_source(source: ScoreSource) -> str:
    """Say whose score is asked."""
    return _SCORES[source]


def measured(measure: Measure) -> str:
    """Say what a measure measures: "the sum of /amount by the same subject over 1 day, of refund.issue"."""
    what = "the number" if measure.function is MeasureFunction.COUNT else f"the sum of {measure.pointer}"
    whose = f"value at {measure.of}" if measure.of.startswith("/") else measure.of
    types = ", ".join(measure.action_types) or "this action type"
    return f"{what} by the same {whose} over {duration(measure.window_seconds)}, of {types}"


def frozen(window: FreezeWindow) -> str:
    """Say when a freeze window holds, and what happens then."""
    then = "denied" if window.then is Verdict.DENY else "held"
    if not window.weekdays:
        return f"{then} from {window.starts} until {window.ends}"
    days = ", ".join(_DAYS[day] for day in window.weekdays)
    return f"{then} on {days} from {window.starts} until {window.ends}, {window.zone}"


def versions(agent: ListedAgent) -> str:
    """Say which versions of an agent are listed."""
    return ", ".join(agent.versions) or "every version"

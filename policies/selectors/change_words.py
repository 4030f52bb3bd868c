"""What changes between two texts, and how the wish for it ended, in the language of the reader.

Both are said in English where they are made and kept. The sentences are those of
``policies.engine.difference`` and ``policies.engine.declaration_loosening``; a test draws each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from django.utils.translation import gettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_noop as _

from hitl_site.lib.sentences import Places, Sentences
from hitl_site.lib.wording import figures
from policies.engine.declaration_loosening import name_of
from policies.selectors import policy_words

_SECONDS: Final = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
_A_SPAN: Final = r"\d+ (?:day|hour|minute|second)s?(?: \d+ (?:hour|minute|second)s?)*"
_WORDS: Final = {
    "deny": pgettext_lazy("difference", "deny"),
    "review": pgettext_lazy("difference", "review"),
    "rules": pgettext_lazy("difference", "rules"),
    "measures": pgettext_lazy("difference", "measures"),
    "freeze windows": pgettext_lazy("difference", "freeze windows"),
    "checklist": pgettext_lazy("difference", "checklist"),
    "high risk": pgettext_lazy("difference", "high risk"),
    "low confidence": pgettext_lazy("difference", "low confidence"),
    "policy edge": pgettext_lazy("difference", "policy edge"),
    "audit": pgettext_lazy("difference", "audit"),
    "none": pgettext_lazy("difference", "none"),
    "nothing": pgettext_lazy("difference", "nothing"),
    "yes": pgettext_lazy("difference", "yes"),
    "no": pgettext_lazy("difference", "no"),
    "always": pgettext_lazy("difference", "always"),
    "never": pgettext_lazy("difference", "never"),
    "by its risk": pgettext_lazy("difference", "by its risk"),
    "every agent": pgettext_lazy("difference", "every agent"),
    "no agent": pgettext_lazy("difference", "no agent"),
    "this action type": pgettext_lazy("difference", "this action type"),
    "this agent": pgettext_lazy("difference", "this agent"),
    "this subject": pgettext_lazy("difference", "this subject"),
    "this conversation": pgettext_lazy("difference", "this conversation"),
    "low": pgettext_lazy("difference", "low"),
    "medium": pgettext_lazy("difference", "medium"),
    "high": pgettext_lazy("difference", "high"),
    "critical": pgettext_lazy("difference", "critical"),
    "shadow": pgettext_lazy("difference", "shadow"),
    "review all": pgettext_lazy("difference", "review all"),
    "threshold": pgettext_lazy("difference", "threshold"),
    "autonomous": pgettext_lazy("difference", "autonomous"),
}
_DAYS: Final = {
    "mon": pgettext_lazy("weekday", "mon"),
    "tue": pgettext_lazy("weekday", "tue"),
    "wed": pgettext_lazy("weekday", "wed"),
    "thu": pgettext_lazy("weekday", "thu"),
    "fri": pgettext_lazy("weekday", "fri"),
    "sat": pgettext_lazy("weekday", "sat"),
    "sun": pgettext_lazy("weekday", "sun"),
}


def _word(text: str) -> str:
    return str(_WORDS.get(text, text))


def _figure(text: str) -> str:
    return _word(text) if text == "nothing" else figures(text) if re.fullmatch(r"\d+\.\d+", text) else text


def _percent(text: str) -> str:
    return pgettext("difference", "{number}%").format(number=figures(text.removesuffix("%")))


def _span(text: str) -> str:
    pieces = re.findall(r"(\d+) (day|hour|minute|second)", text)
    return policy_words.span(sum(int(count) * _SECONDS[unit] for count, unit in pieces))


def _days(text: str) -> str:
    return ", ".join(str(_DAYS[day]) for day in text.split(", "))


def _agents(text: str) -> str:
    every = pgettext("difference", "(every version)")
    return str(_WORDS[text]) if text in _WORDS else text.replace("(every version)", every)


def _map(text: str) -> str:
    if text in _WORDS:
        return str(_WORDS[text])
    worth = pgettext("difference", "is worth")
    return re.sub(
        r"([0-9.]+%) is worth ([0-9.]+%)", lambda m: f"{_percent(m[1])} {worth} {_percent(m[2])}", text
    )


_A_PERCENT: Final = (r"[0-9.]+%", _percent)
_AN_OUTCOME: Final = (r"(?:deny|review)", _word)
_A_TRIGGER: Final = (r"(?:high risk|low confidence|policy edge|audit)", _word)

_MEASURES: Final = Sentences(
    _("how many of {whose} over {span}, in {types}"),
    _("the sum of {pointer} of {whose} over {span}, in {types}"),
    _("how many of the same {pointer} over {span}, in {types}"),
    _("the sum of {summed} of the same {pointer} over {span}, in {types}"),
    places={
        "whose": (r"this (?:agent|subject|conversation)", _word),
        "span": (_A_SPAN, _span),
        "types": (".+", _word),
        "pointer": (r"/.*?", None),
        "summed": (r"/.*?", None),
    },
)
_WINDOWS: Final = Sentences(
    _("{title}: {outcome} {days} {starts} to {ends} ({zone})"),
    _("{title}: {outcome} {starts} to {ends}"),
    places={
        "outcome": _AN_OUTCOME,
        "days": (r"(?:mon|tue|wed|thu|fri|sat|sun)(?:, (?:mon|tue|wed|thu|fri|sat|sun))*", _days),
        "starts": (r"\S+", None),
        "ends": (r"\S+", None),
        "zone": (r"\S+", None),
    },
)
_POLICY_PLACES: Final[Places] = {
    "section": (r"(?:rules|measures|freeze windows|checklist)", _word),
    "chance": _A_PERCENT,
    "before": _A_PERCENT,
    "after": _A_PERCENT,
    "outcome": _AN_OUTCOME,
    "outcome_before": _AN_OUTCOME,
    "trigger": _A_TRIGGER,
    "trigger_before": _A_TRIGGER,
    "span_before": (_A_SPAN, _span),
    "span_after": (_A_SPAN, _span),
    "map_before": (r".+?", _map),
    "map_after": (r".+?", _map),
    "measure": (r".+?", _MEASURES),
    "measure_before": (r".+?", _MEASURES),
    "window": (r".+?", _WINDOWS),
    "agents_before": (r".+?", _agents),
    "agents_after": (r".+?", _agents),
    "queue_before": (r"\S+", _word),
    "queue_after": (r"\S+", _word),
    "code": (r"\S+", None),
    "count": (r"\d+", None),
    "count_after": (r"\d+", None),
}
_OF_A_POLICY: Final = Sentences(
    _("First policy for this action type."),
    _("The {section} stand in another order."),
    _("The field {code} changed."),
    _("Hold whatever the chance: the threshold is taken away."),
    _("Hold when the chance is under {chance}: the first threshold."),
    _("Hold when the chance is under {before} → {after}."),
    _("Score: {code} → {code_after}."),
    _("Calibration: {map_before} → {map_after}."),
    _("New rule {code} ({title}): {outcome} when {condition}."),
    _("Rule {code} ({title}) is taken away."),
    _("Rule {code}: when {condition_before} → when {condition}."),
    _("Rule {code}: {outcome_before} → {outcome}."),
    _("Rule {code} is now called {title} (was {title_before})."),
    _("Rule {code} now counts as {trigger} (was {trigger_before})."),
    _("New measure {code}: {measure}."),
    _("Measure {code}: {measure_before} → {measure}."),
    _("Measure {code} ({measure}) is taken away."),
    _("May run alone: {agents_before} → {agents_after}."),
    _("New freeze window {window}."),
    _("Freeze window {window} is taken away."),
    _("Freeze window {window} was called {title_before}."),
    _("New on the check list: {sentence}"),
    _("No more on the check list: {sentence}"),
    _("A refused act is known again for: {span_before} → {span_after}."),
    _("Deadline: {span_before} → {span_after}."),
    _("Time to undo: {span_before} → {span_after}."),
    _("A permit is good for: {span_before} → {span_after}."),
    _("Audit {before} → {after} of what runs alone."),
    _("Show no score on {before} → {after} of held items."),
    _("Approvals required: {count} → {count_after}."),
    _("What is critical can be let run from a telephone too."),
    _("What is critical can be let run from a larger screen alone."),
    _("Queue: {queue_before} → {queue_after}."),
    _("At half its deadline an open item is called to mind."),
    _("At half its deadline an open item is not called to mind any more."),
    _("Second queue at half the deadline: {queue_before} → {queue_after}."),
    places=_POLICY_PLACES,
)

_FIELDS: Final = (
    _("Title"),
    _("Title of one action"),
    _("Icon"),
    _("Reasons a reviewer can give"),
    _("Risk"),
    _("It cannot be undone"),
    _("It can widen the agent’s own rights"),
    _("Schema of the arguments"),
    _("Check before you decide"),
    _("Actions are one event when they share"),
    _("Fields that do not matter to an approval"),
    _("Texts that are compared in a form"),
    _("Stop when something else ran than was decided"),
    _("Publishing takes a second admin"),
    _("Highest level anybody can be granted"),
    _("Level of a new agent version"),
    _("Reading floor, ms"),
    _("Fields in which an edit is an error"),
    _("How much an error weighs"),
    _("Evidence beside an argument"),
    _("What is at stake"),
    _("What it is counted in"),
    _("Cost of an error"),
    _("Cost of a minute of review"),
    _("Cost of a delay"),
    _("Share of errors that is not to be passed"),
    _("Rules of promotion and demotion"),
    _("Promotion takes an eval"),
    _("Share of drills"),
    _("A shift begins with five drills"),
    _("Share of second opinions"),
    _("Items decided at once"),
)
# Whose values are words of ours, not texts of people.
_SCALES: Final = (
    "Risk",
    "Publishing takes a second admin",
    "Highest level anybody can be granted",
    "Level of a new agent version",
    "It cannot be undone",
    "It can widen the agent’s own rights",
    "Stop when something else ran than was decided",
    "Promotion takes an eval",
    "A shift begins with five drills",
)
_OF_A_DECLARATION: Final = Sentences(
    _("{scale}: {step_before} → {step}."),
    _("{field}: changed."),
    _("{field}: {value_before} → {value}."),
    places={
        "scale": (f"(?:{'|'.join(map(re.escape, _SCALES))})", gettext),
        "step": (r"[a-z ]+", _word),
        "step_before": (r"[a-z ]+", _word),
        "field": (f"(?:{'|'.join(map(re.escape, _FIELDS))})", gettext),
        "value": (r".+", _figure),
        "value_before": (r".+?", _figure),
    },
)
_ENDS: Final = Sentences(
    _("Published."),
    _("In force."),
    _("The draft was changed."),
    _("The declaration was changed."),
    _("The version left shadow."),
    _("Version {number} took its place."),
    _("Rolled back to version {number} instead."),
    places={"number": (r"\d+", None)},
)
_ROLES: Final = {
    "wrote it": pgettext_lazy("supporter", "wrote it"),
    "asked": pgettext_lazy("supporter", "asked"),
    "approved": pgettext_lazy("supporter", "approved"),
}


def difference_in_words(sentence: str) -> str:
    """Return what differs between two policies, to be shown."""
    return _OF_A_POLICY(sentence)


def field_in_words(field: str) -> str:
    """Return what a field of a declaration is called."""
    return gettext(name_of(field))


def change_in_words(sentence: str) -> str:
    """Return what a change does to a declaration, to be shown."""
    return _OF_A_DECLARATION(sentence)


def ended(because: str) -> str:
    """Return why something does not wait any more, to be shown."""
    return _ENDS(because)


def roles(names: Iterable[str]) -> str:
    """Return in which ways somebody stands for a change."""
    return ", ".join(str(_ROLES.get(name, name)) for name in names)

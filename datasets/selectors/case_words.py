"""What a case's document says in codes, in the words that pages use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

from django.db.models import TextChoices
from django.utils.translation import gettext, gettext_noop

from datasets.models import LabelledCase
from datasets.selectors import words
from hitl_site.lib import wording
from hitl_site.lib.strict_json import JsonValue
from policies.choices import AutonomyLevel, Route, Trigger, Verdict
from policies.engine.facts import ScoreSource
from policies.models import ActionType, GateCheck
from policies.selectors.reason_words import title_in_words
from reviews.choices import DecisionKind, Mode, Outcome
from reviews.selectors.reasons import reason_codes

Document = dict[str, JsonValue]

_SCORES: Final = {
    ScoreSource.AGENT: gettext_noop("said by the agent itself"),
    ScoreSource.JUDGE: gettext_noop("said by the judge"),
    ScoreSource.SAMPLES: gettext_noop("the agreement among the agent’s samples"),
    ScoreSource.LOWEST: gettext_noop("the lowest of those given"),
    ScoreSource.CALIBRATED: gettext_noop("calibrated"),
}
_DECIDED: Final = {
    DecisionKind.APPROVE: gettext_noop("Approved"),
    DecisionKind.CORRECT: gettext_noop("Corrected"),
    DecisionKind.REJECT: gettext_noop("Rejected"),
}
_OMISSION: Final = gettext_noop("Found missing in the whole conversation")


@dataclass(frozen=True, slots=True)
class DecisionWords:
    """What the person said, and how they looked. ``time_taken`` is "" where nobody knows."""

    kind: str
    reasons: tuple[str, ...]
    time_taken: str
    opened: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GateWords:
    """What the gate said. ``score`` and ``look`` are "" where there was none."""

    verdict: str
    reasons: tuple[str, ...]
    score: str
    level: str
    look: str


def decision_words(case: LabelledCase, document: Document) -> DecisionWords:
    """Return the decision of a composed case in words."""
    decision, attention = cast(Document, document["decision"]), cast(Document, document["attention"])
    kind, taken = str(decision["kind"]), cast("int | None", attention["decision_ms"])
    declared = ActionType.objects.filter(name=case.action_type).first()
    labels = {reason.code: reason.words for reason in reason_codes(declared)}
    told = _OMISSION if kind == "omission" else _DECIDED[DecisionKind(kind)]
    return DecisionWords(
        kind=gettext(told),
        reasons=tuple(labels.get(code) or _spelt(code) for code in _texts(decision["reasons"])),
        time_taken="" if taken is None else _span(taken),
        opened=tuple(_spelt(part) for part in _texts(attention["parts_opened"])),
    )


def gate_words(document: Document) -> GateWords | None:
    """Return what the gate said of a composed case in words; None of an omission, which it never saw."""
    if document["gate"] is None:
        return None
    gate, action = cast(Document, document["gate"]), cast(Document, document["action"])
    said = [_label(Route, gate["route"]) if gate["route"] else _label(Verdict, gate["verdict"])]
    if gate["trigger"]:
        said.append(words.inside(_label(Trigger, gate["trigger"])))
    return GateWords(
        verdict=": ".join(said),
        reasons=_reasons(str(action["id"]), _texts(gate["reasons"])),
        score=_score(gate),
        level=_label(AutonomyLevel, gate["level"]),
        look=_look(gate),
    )


def mode_words(document: Document) -> str:
    """Return whether the agent waited for the answer; "" of an omission."""
    mode = cast(Document, document["action"])["mode"]
    return _label(Mode, mode) if mode else ""


def outcome_words(document: Document) -> str:
    """Return what became of the run; "" where nothing is known."""
    outcome = cast("Document | None", cast(Document, document["later"])["outcome"])
    return _label(Outcome, outcome["outcome"]) if outcome and outcome["outcome"] else ""


def _reasons(action_id: str, codes: list[str]) -> tuple[str, ...]:
    """Return each reason as the gate put it: a case keeps the codes, the gate's own record the sentences."""
    check = GateCheck.objects.filter(action_id=action_id).first()
    titles = {} if check is None else {each["code"]: str(each.get("title") or "") for each in check.reasons}
    return tuple(title_in_words(code, titles.get(code) or _spelt(code)) for code in codes)


def _score(gate: Document) -> str:
    if gate["score"] is None:
        return ""
    source = str(gate["score_source"] or "")
    told = [wording.percent(cast(float, gate["score"]), 1)]
    if source in set(ScoreSource):
        told.append(gettext(_SCORES[ScoreSource(source)]))
    limit = gate["threshold"]
    if limit is not None:
        limit_words = wording.percent(cast(float, limit), 1)
        told.append(gettext("against a threshold of {limit}").format(limit=limit_words))
    return ", ".join(told)


def _look(gate: Document) -> str:
    chance, least = (wording.percent(cast(float, gate[name]), 1) for name in ("propensity", "min_propensity"))
    said = (
        gettext("{chance}, never under {least}, and it was drawn at random")
        if gate["audit_selected"]
        else gettext("{chance}, never under {least}")
    )
    return said.format(chance=chance, least=least)


def _label(choices: type[TextChoices], code: JsonValue) -> str:
    """Return the words of a choice; those of an older release's choice are its code, spelt out."""
    found = {str(value): str(label) for value, label in choices.choices}
    return found.get(str(code)) or _spelt(str(code))


def _spelt(code: str) -> str:
    spelt = code.replace("_", " ").replace("-", " ").strip()
    return f"{spelt[:1].upper()}{spelt[1:]}"


def _span(milliseconds: int) -> str:
    seconds = milliseconds / 1000
    if seconds >= 10:
        return wording.duration(seconds)
    return f"{wording.number(seconds, 1)} {wording.units().second}"


def _texts(value: JsonValue) -> list[str]:
    return [str(each) for each in cast(list[JsonValue], value)]

"""The engine's reasons in the language of the reader: they are stored, and sent to agents, in English.

The sentences are those of ``policies.engine.explanation`` and ``policies.engine.nearness``; a test draws
each of them. A person's words, a rule's title for one, are said as they were written.
"""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_noop as _
from django.utils.translation import pgettext, pgettext_lazy

from hitl_site.lib import wording
from hitl_site.lib.sentences import Places, Sentences

# Whose title is a person's.
_OWN_TITLE: Final = frozenset({"rule_matched"})
_LEVELS: Final = {
    "shadow": pgettext_lazy("reason", "shadow"),
    "review all": pgettext_lazy("reason", "review all"),
    "threshold": pgettext_lazy("reason", "threshold"),
    "autonomous": pgettext_lazy("reason", "autonomous"),
}
_RISKS: Final = {
    "low": pgettext_lazy("reason", "low"),
    "medium": pgettext_lazy("reason", "medium"),
    "high": pgettext_lazy("reason", "high"),
    "critical": pgettext_lazy("reason", "critical"),
}
_SCORES: Final = {
    "the agent's own score": pgettext_lazy("reason", "the agent's own score"),
    "the judge's score": pgettext_lazy("reason", "the judge's score"),
    "the agreement among the agent's samples": pgettext_lazy(
        "reason", "the agreement among the agent's samples"
    ),
    "the lowest of the scores given": pgettext_lazy("reason", "the lowest of the scores given"),
    "the calibrated score": pgettext_lazy("reason", "the calibrated score"),
}
_COMPARISONS: Final = {
    "over": pgettext_lazy("reason", "over"),
    "from": pgettext_lazy("reason", "from"),
    "under": pgettext_lazy("reason", "under"),
    "up to": pgettext_lazy("reason", "up to"),
}


def _policy(text: str) -> str:
    number = text.rpartition(" ")[2]
    return (
        pgettext("reason", "policy version {number}").format(number=number)
        if number.isdigit()
        else pgettext("reason", "policy")
    )


def _percent(text: str) -> str:
    number = wording.figures(text.removesuffix("%"))
    return pgettext("reason", "{number}%").format(number=number)


def _level(text: str) -> str:
    return str(_LEVELS[text])


def _risk(text: str) -> str:
    return str(_RISKS[text]) if text in _RISKS else text


def _score(text: str) -> str:
    return str(_SCORES[text[:1].lower() + text[1:]])


def _comparison(text: str) -> str:
    return str(_COMPARISONS[text])


_A_LEVEL: Final = (f"(?:{'|'.join(_LEVELS)})", _level)
_A_PERCENT: Final = (r"[0-9.]+%", _percent)
_A_NUMBER: Final = (r"-?[0-9.]+", wording.figures)
_A_SCORE: Final = (f"[Tt](?:{'|'.join(score[1:] for score in _SCORES)})", _score)
_PLACES: Final[Places] = {
    "policy": (r"(?:[Tt]he policy|[Pp]olicy version \d+)", _policy),
    "level": _A_LEVEL,
    "base": _A_LEVEL,
    "cap": _A_LEVEL,
    "chance": _A_PERCENT,
    "asked": _A_PERCENT,
    "share": _A_PERCENT,
    "limit": _A_NUMBER,
    "value": _A_NUMBER,
    "score": _A_SCORE,
    "risk": (r"\w+", _risk),
    "comparison": (f"(?:{'|'.join(_COMPARISONS)})", _comparison),
    "count": (r"\d+", None),
    "rule": (r"\S+", None),
    "action": (r"\S+", None),
    "verdict": (r"(?:allow|review|deny)", None),
}

_TITLES: Final = Sentences(
    _("Stopped by the kill switch"),
    _("The agent is not active"),
    _("Unknown action type"),
    _("No policy in force"),
    _("The check lacked something it needs"),
    _("The check failed"),
    _("The arguments could not be checked"),
    _("Outside the declared scope"),
    _("The declared scope could not be checked"),
    _("Widens the agent's own rights"),
    _("High risk: a person approves first"),
    _("Freeze: {title}"),
    _("Refused before"),
    _("Not on the list of agents"),
    _("A rule could not be checked"),
    _("The score is no probability"),
    _("No confidence given"),
    _("No threshold set"),
    _("Low confidence"),
    _("Not yet trusted alone"),
    _("Unknown agent version"),
    _("Watched only"),
    _("An earlier check was stricter"),
    _("Drawn at random"),
)
_DETAILS: Final = Sentences(
    _("The kill switch is on: nothing runs until a person lifts it."),
    _("The agent {agent} is paused or retired, so nothing it proposes may run."),
    _("No action type of this name is declared, so nobody has said what it may do."),
    _("No policy is in force for this action type, so a person decides."),
    _("The check could not be made in full ({what}), so a person decides."),
    _("The check itself failed ({what}), so a person decides."),
    _("At the top: {message}."),
    _("At {pointer}: {message}."),
    _("The arguments leave what this action type declares. {places}"),
    _("The argument schema of this action type cannot be used ({message})."),
    _("What gives an agent more rights than it has is never allowed without a person."),
    _("The risk of this action type is {risk}; a person approves first, at every level of trust."),
    _("{policy} freezes this action type now; what comes in is refused."),
    _("{policy} freezes this action type now; what comes in goes to a person."),
    _("Whether this freeze window of {policy} holds now cannot be told ({what}), so it does."),
    _(
        "This looks the same as {action}, which was refused; {policy} remembers that for a while, so a "
        "person decides."
    ),
    _("{policy} lists the agents that it trusts, and {agent} in version {version} is not among them."),
    _("{policy} lists the agents that it trusts, and {agent} is not among them."),
    _("The rule {rule} of {policy} refuses such actions."),
    _("The rule {rule} of {policy} asks for a review of such actions."),
    _("The rule {rule} ({title}) of {policy} gave no answer: {what}."),
    _("{score} is not a number from 0 to 1, so it proves nothing."),
    _("{policy} asks for {score}, and there is none."),
    _("{policy} sets no threshold, so no score is high enough."),
    _("The chance it is right is {chance} ({score}), {policy} asks for {asked}."),
    _("The chance it is right is {chance} ({score}), this version may go alone from {asked} on."),
    _("The level {level} is being tried on {share} of the actions; for the others it is still {base}."),
    _("The version {version} of {agent} is not registered; trust is earned version by version."),
    _("The version of {agent} is not registered; trust is earned version by version."),
    _(
        "At the level shadow nothing runs; people decide as if it could. Granted was {level}, this action "
        "type goes no further than {cap}."
    ),
    _("At the level shadow nothing runs; people decide as if it could."),
    _(
        "At the level review all, a person decides on every action of this type. Granted was {level}, this "
        "action type goes no further than {cap}."
    ),
    _("At the level review all, a person decides on every action of this type."),
    _("The earlier check said {verdict}; a later one never makes that milder."),
    _("It ran alone. {policy} has {share} of such actions looked at afterwards, drawn by chance."),
    places=_PLACES,
)
_NEAREST: Final = Sentences(
    _("The chance it is right is {chance}, {policy} asks for {asked}"),
    _("The chance it is right is {chance}, under the {asked} of {policy}, not asked at this level"),
    _("The chance it is right is {chance}, not under the {asked} of {policy}, not asked at this level"),
    places=_PLACES,
)
_NONE_MATCHED: Final = Sentences(
    _("none of its {count} rules matched"), _("its rule did not match"), places=_PLACES
)


_IN_WORDS: Final = Sentences(
    _("{chances}; {matched}."),
    _("{chances}."),
    _(
        "The rule {rule} ({title}) of {policy} was nearest: it would have refused {operand} {comparison} "
        "{limit}, and it was {value}. {chances}."
    ),
    _(
        "The rule {rule} ({title}) of {policy} was nearest: it would have held {operand} {comparison} "
        "{limit}, and it was {value}. {chances}."
    ),
    _(
        "The rule {rule} ({title}) of {policy} was nearest: it would have refused {operand} {comparison} "
        "{limit}, and it was {value}."
    ),
    _(
        "The rule {rule} ({title}) of {policy} was nearest: it would have held {operand} {comparison} "
        "{limit}, and it was {value}."
    ),
    _("{policy} has no rule that could have held it."),
    _("Of {policy}, {matched}."),
    places={
        **_PLACES,
        "operand": (r"\S+", None),
        "chances": ("The chance it is right is [^;]+?", _NEAREST),
        "matched": (r"(?:none of its \d+ rules matched|its rule did not match)", _NONE_MATCHED),
    },
)


def title_in_words(code: str, title: str) -> str:
    """Return the title of a stored reason, to be shown."""
    return title if code in _OWN_TITLE else _TITLES(title)


def detail_in_words(detail: str) -> str:
    """Return the sentence of a stored reason, to be shown."""
    return _DETAILS(detail)


def nearest_in_words(sentence: str) -> str:
    """Return what came nearest to holding an action that was allowed, to be shown."""
    return _IN_WORDS(sentence)

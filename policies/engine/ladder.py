"""The rules of the ladder: what each rung asks for, what freezes it, and what takes a level away.

Pure: whoever asks brings the numbers (``Situation``). The cut-offs are conventions, not theorems
(statistics.md, Limits), so each is a setting of the action type (``ladder_settings``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from math import log
from typing import Final

from policies.engine.facts import Level
from policies.engine.ladder_settings import LadderSettings


class Demotion(StrEnum):
    """Why Handrail takes a level away by itself (statistics.md 2)."""

    DRIFT = "drift"
    CRITICAL_ERROR = "critical_error"
    RATE_ABOVE_LIMIT = "rate_above_limit"
    AUDITS_OVERDUE = "audits_overdue"
    NO_LABELS = "no_labels"
    CANARY_ERRORS = "canary_errors"
    SCORE_CHANGED = "score_changed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evals:
    """Whether evals are asked for, and how the version's newest finished run went, if there is one."""

    required: bool
    failed_corrections: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """What is known of one agent version and action type at one moment. None: nobody can say yet.

    ``e`` and ``e_wanted`` are the evidence for the next rung and what it takes; ``labels_to_go`` about how
    many more labels without an error that is.
    """

    level: Level
    cap: Level
    days: float
    comparisons: int
    errors: int
    upper: float
    e: float = 1.0
    e_wanted: float = 20.0
    enough: bool = False
    labels_to_go: int | None = None
    threshold: float | None = None
    share: float = 0.0
    scored: bool = True
    checks_alone: int = 0
    alarm: bool = False
    overdue: int = 0
    overdue_share: float = 0.0
    missing_share: float = 0.0
    catch_lower: float | None = None
    agreement: float | None = None
    psi: float | None = None
    blind_share: float | None = None
    # The upper limit of the share: what is drawn at random is now and then a little less.
    blind_upper: float = 1.0
    certificate_days: float | None = None
    evals: Evals = Evals(required=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """One thing that a rung asks for, or that freezes it: how far it is, and in words."""

    key: str
    title: str
    met: bool
    says: str
    done: float = 0.0
    wanted: float = 1.0
    known: bool = True

    @property
    def progress(self) -> float:
        """Return how far it has come, from 0 to 1."""
        if self.met:
            return 1.0
        return max(0.0, min(1.0, self.done / self.wanted)) if self.wanted > 0 else 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """The way to one level: every condition, and the health that may freeze it."""

    to: Level
    conditions: tuple[Condition, ...]
    health: tuple[Condition, ...]
    locked: bool

    @property
    def is_earned(self) -> bool:
        """Say whether the rule of the rung itself is met."""
        return all(each.met for each in self.conditions)

    @property
    def is_frozen(self) -> bool:
        return not all(each.met for each in self.health)

    @property
    def is_ready(self) -> bool:
        """Say whether a promotion may be proposed and approved now."""
        return not self.locked and self.is_earned and not self.is_frozen


_NEXT: Final = {
    Level.SHADOW: Level.REVIEW_ALL,
    Level.REVIEW_ALL: Level.THRESHOLD,
    Level.THRESHOLD: Level.AUTONOMOUS,
}
_BELOW: Final = {
    Level.AUTONOMOUS: Level.THRESHOLD,
    Level.THRESHOLD: Level.REVIEW_ALL,
    Level.REVIEW_ALL: Level.REVIEW_ALL,
    Level.SHADOW: Level.SHADOW,
}


def next_of(level: Level) -> Level | None:
    """Return the rung above, None at the top."""
    return _NEXT.get(level)


def below(level: Level) -> Level:
    """Return one rung down, as a demotion goes: never into Shadow, where nothing can be learned anew."""
    return _BELOW[level]


def next_rung(situation: Situation, settings: LadderSettings) -> Rung | None:
    """Return the way to the next level, None at the top."""
    to = next_of(situation.level)
    if to is None:
        return None
    rules = {
        Level.REVIEW_ALL: _out_of_shadow,
        Level.THRESHOLD: _to_threshold,
        Level.AUTONOMOUS: _to_autonomous,
    }
    conditions = rules[to](situation, settings)
    return Rung(
        to=to,
        conditions=(*conditions, *_evals(situation.evals)),
        health=health(situation, settings),
        locked=to.rank > situation.cap.rank,
    )


def renewal(situation: Situation, settings: LadderSettings) -> Rung:
    """Return what the same level for longer asks for: what ran alone meanwhile stayed under the limit."""
    conditions = (
        _evidence(situation),
        _count("checks", "Checks of what ran alone", situation.checks_alone, settings.canary_labels),
        *_evals(situation.evals),
    )
    return Rung(
        to=situation.level,
        conditions=conditions,
        health=health(situation, settings, renewing=True),
        locked=False,
    )


def health(
    situation: Situation, settings: LadderSettings, *, renewing: bool = False
) -> tuple[Condition, ...]:
    """Return what must be in order before anybody is promoted (statistics.md 2). Any failure freezes.

    What nobody can say yet does not freeze: it is shown as unknown.
    """
    age = situation.certificate_days
    return (
        Condition(
            key="alarm",
            title="No warning of drift",
            met=not situation.alarm,
            says="Drift has been found." if situation.alarm else "Nothing points to a change for the worse.",
        ),
        Condition(
            key="overdue",
            title="Checks are answered in time",
            met=situation.overdue_share <= settings.overdue_freeze,
            says=f"{_share(situation.overdue_share)} overdue ({situation.overdue}), at most"
            f" {_share(settings.overdue_freeze)}.",
        ),
        Condition(
            key="missing",
            title="Drawn actions are answered at all",
            met=situation.missing_share <= settings.missing_max,
            says=f"{_share(situation.missing_share)} were never answered or do not count, at most"
            f" {_share(settings.missing_max)}.",
        ),
        _known(
            "catch_rate",
            "Reviewers catch planted errors",
            situation.catch_lower,
            lambda value: value >= settings.catch_rate_min,
            f"at least {_share(settings.catch_rate_min)} as a lower limit",
            "No drills yet, so nothing corrects for errors that reviewers miss.",
        ),
        _known(
            "agreement",
            "Reviewers agree",
            situation.agreement,
            lambda value: value >= settings.agreement_min,
            f"at least {settings.agreement_min:.2f} (Krippendorff’s alpha)",
            "Too few second opinions to say.",
            percent=False,
        ),
        _known(
            "psi",
            "Scores look as before",
            situation.psi,
            lambda value: value <= settings.psi_max,
            f"at most {settings.psi_max:.2f} (population stability index)",
            "Too few scores to compare.",
            percent=False,
        ),
        _known(
            "blind",
            "Enough reviews are blind",
            situation.blind_share,
            lambda _value: situation.blind_upper >= settings.blind_min,
            f"could be as high as {_share(situation.blind_upper)},"
            f" at least {_share(settings.blind_min)} needed",
            "No review yet.",
        ),
        Condition(
            key="certificate",
            title="The certificate is not too old",
            met=renewing or age is None or age < settings.certificate_days,
            says="There is none to grow old." if age is None else f"{age:.0f} days old, at most"
            f" {settings.certificate_days}.",
            known=age is not None,
        ),
    )  # fmt: skip


def _out_of_shadow(situation: Situation, settings: LadderSettings) -> tuple[Condition, ...]:
    return (
        _count("comparisons", "Comparisons", situation.comparisons, settings.shadow_comparisons),
        Condition(
            key="upper",
            title="Error rate, upper limit",
            met=situation.comparisons > 0 and situation.upper <= settings.shadow_upper,
            says=f"{_share(situation.upper)}, at most {_share(settings.shadow_upper)}.",
            done=settings.shadow_upper,
            wanted=max(situation.upper, settings.shadow_upper),
        ),
    )


def _to_threshold(situation: Situation, settings: LadderSettings) -> tuple[Condition, ...]:
    if situation.threshold is not None:
        says = f"From {situation.threshold:.2f} on, {_share(situation.share)} would run alone."
    elif not situation.scored:
        says = "The agent sends no score that a threshold could go by."
    else:
        says = f"At least {_share(settings.threshold_share)}, once a threshold is certified."
    return (
        _evidence(situation),
        Condition(
            key="share",
            title="A certified threshold lets enough through",
            met=situation.threshold is not None and situation.share >= settings.threshold_share,
            says=says,
            done=situation.share,
            wanted=settings.threshold_share,
        ),
        _days(situation, settings.threshold_days),
    )


def _to_autonomous(situation: Situation, settings: LadderSettings) -> tuple[Condition, ...]:
    return (
        _evidence(situation),
        _count("checks", "Checks of what ran alone", situation.checks_alone, settings.autonomous_audits),
        _days(situation, settings.autonomous_days),
    )


def _evidence(situation: Situation) -> Condition:
    more = situation.labels_to_go
    to_go = f" About {more:,} more clean reviews." if more else ""
    if more is None:
        to_go = " It does not point the right way."
    return Condition(
        key="evidence",
        title="Evidence",
        met=situation.enough,
        says=f"Evidence {_e(situation.e)} of {_e(situation.e_wanted)} needed."
        + ("" if situation.enough else to_go),
        done=_log(situation.e),
        wanted=_log(situation.e_wanted),
    )


def _evals(evals: Evals) -> tuple[Condition, ...]:
    if not evals.required:
        return ()
    failed = evals.failed_corrections
    if failed is None:
        says = "No eval run of this version has finished."
    elif failed == 1:
        says = "It does not pass 1 case that a person corrected earlier."
    elif failed:
        says = f"It does not pass {failed} cases that people corrected earlier."
    else:
        says = "It passes every case that people corrected earlier."
    return (
        Condition(
            key="evals", title="Evals", met=failed == 0, says=says, done=float(failed == 0), wanted=1.0
        ),
    )


def _count(key: str, title: str, done: int, wanted: int) -> Condition:
    return Condition(
        key=key, title=title, met=done >= wanted, says=f"{done:,} of {wanted:,}.", done=done, wanted=wanted
    )


def _days(situation: Situation, wanted: float) -> Condition:
    return Condition(
        key="days",
        title="Days at this level",
        met=situation.days >= wanted,
        says=f"{int(situation.days):,} of {wanted:g}.",
        done=situation.days,
        wanted=wanted,
    )


def _known(
    key: str,
    title: str,
    value: float | None,
    good: Callable[[float], bool],
    wanted: str,
    unknown: str,
    *,
    percent: bool = True,
) -> Condition:
    if value is None:
        return Condition(key=key, title=title, met=True, says=unknown, known=False)
    told = _share(value) if percent else f"{value:.2f}"
    return Condition(key=key, title=title, met=good(value), says=f"{told}, {wanted}.")


def _log(e: float) -> float:
    # A bar on a log scale: at 1 nothing is known, and under 1 it speaks against.
    return log(e) if e > 1 else 0.0


def _e(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _share(value: float) -> str:
    return f"{100 * value:.1f}%".replace(".0%", "%")

"""The right side of the policy editor: what a draft would have changed, in words, as a curve, as actions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from django.utils.formats import date_format
from django.utils.translation import gettext, gettext_noop, ngettext, pgettext

from hitl_site.lib import wording
from hitl_site.lib.charts import Axis, Line, Plot, Point, Region, Rule, plain, whole_percent
from policies.engine.policy import PolicyDocument
from policies.models import ActionType
from policies.selectors import what_if
from policies.selectors.what_if import Effect, WhatIf
from policies.statistics.columns import BINS, Label
from policies.statistics.counterfactual import NAMED, Flip
from reviews.models import ActionRequest, Decision

_STEP: Final = 5
_ALMOST_NOTHING: Final = 0.005
MOST_LISTED: Final = 500
LISTS: Final = {
    "released": gettext_noop("Would be released by this draft"),
    "held": gettext_noop("Would be held by this draft"),
    "wrong": gettext_noop("Released by this draft, and found wrong by a person"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One of the numbers on top: by the draft, today, and what that means."""

    label: str
    value: str
    now: str
    change: str
    tone: str
    icon: str
    # Which list of actions stands behind it: "released", "held", "wrong", or none.
    behind: str = ""
    # Whether it rests on what is held: where no action changes side, those that were held stand behind it.
    of_held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A past action that would change side."""

    action_id: str
    title: str
    score: float | None
    decision: str
    tone: str
    icon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """Past actions of one kind, worst first: at most ``MOST_LISTED`` of ``total``."""

    title: str
    rows: tuple[Changed, ...]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Everything that the template needs."""

    found: WhatIf
    figures: tuple[Figure, ...]
    plot: Plot | None
    released: tuple[Changed, ...]
    held: tuple[Changed, ...]
    sentence: str
    certified: str
    notes: tuple[str, ...]


def page(
    *,
    action_type: ActionType,
    draft: PolicyDocument,
    live: PolicyDocument | None,
    now: datetime,
    days: int = what_if.USUAL_DAYS,
) -> Page:
    """Return the page of a draft."""
    found = what_if.ask(action_type=action_type, draft=draft, live=live, now=now, days=days)
    return Page(
        found=found,
        figures=_figures(found),
        plot=_plot(found, draft, live) if found.n else None,
        released=_changed(found.comparison.worst(NAMED, released=True)),
        held=_changed(found.comparison.worst(NAMED, released=False)),
        sentence=_sentence(found, action_type, draft),
        certified=_certified(found),
        notes=_notes(found),
    )


def listed(
    of: str,
    *,
    action_type: ActionType,
    draft: PolicyDocument,
    live: PolicyDocument | None,
    now: datetime,
    days: int = what_if.USUAL_DAYS,
) -> Listed:
    """Return the actions behind a number: those that change side, or what is released and known as wrong."""
    found = what_if.ask(
        action_type=action_type,
        draft=draft,
        live=live,
        now=now,
        days=days,
        named=MOST_LISTED,
        names_wrong=of == "wrong",
    ).comparison
    if of == "wrong":
        flips, total = found.released_wrong, found.new.errors
    else:
        flips = found.worst(MOST_LISTED, released=of == "released")
        total = found.unlocked if of == "released" else found.locked
    return Listed(title=gettext(LISTS[of]), rows=_changed(flips), total=total)


def _figures(found: WhatIf) -> tuple[Figure, ...]:
    new, now = found.draft, found.live
    points = 0 if now is None else round(100 * new.held_share) - round(100 * now.held_share)
    hours = 0.0 if now is None else new.hours_a_week - now.hours_a_week
    figures = [
        Figure(
            label=gettext("Held for review"),
            value=wording.percent(new.held_share),
            now="" if now is None else _now(wording.percent(now.held_share)),
            change="" if now is None else _points(points),
            tone="ok" if points < 0 else "warn" if points > 0 else "",
            icon="arrow-right",
            behind=_flips_behind(found),
            of_held=True,
        ),
        Figure(
            label=gettext("Reviewer time a week"),
            value=_hours(new.hours_a_week),
            now="" if now is None else _now(_hours(now.hours_a_week)),
            change="" if now is None else _signed(hours, _hours),
            tone="ok" if hours < -_ALMOST_NOTHING else "warn" if hours > _ALMOST_NOTHING else "",
            icon="clock",
            behind=_flips_behind(found),
            of_held=True,
        ),
        _wrong(new, now),
    ]
    if found.costs is not None:
        cost = _cost(new, now, found.costs.currency)
        figures.append(replace(cost, behind=_flips_behind(found), of_held=True))
    return tuple(figures)


def _flips_behind(found: WhatIf) -> str:
    if found.comparison.unlocked:
        return "released"
    return "held" if found.comparison.locked else ""


def _wrong(new: Effect, now: Effect | None) -> Figure:
    label = gettext("Wrong actions released")
    if new.wrong is None:
        few = gettext("too few checks: {checks}").format(checks=wording.number(new.labels))
        unknown = gettext("Not known")
        return Figure(label=label, value=unknown, now="", change=few, tone="warn", icon="circle-alert")
    more = None if now is None or now.wrong is None else new.wrong - now.wrong
    likely = ""
    if new.wrong_low is not None and new.wrong_high is not None:
        low, high = plain(round(new.wrong_low)), plain(round(new.wrong_high))
        likely = gettext("likely {low} to {high}").format(low=low, high=high)
    change = likely if more is None else f"{_signed(more, lambda value: plain(round(value)))}, {likely}"
    worse = more is not None and round(more) > 0
    return Figure(
        label=label,
        value=plain(round(new.wrong)),
        now="" if now is None or now.wrong is None else _now(plain(round(now.wrong))),
        change=change.strip(", "),
        tone="no" if worse else "ok" if more is not None and round(more) < 0 else "",
        icon="triangle-alert" if worse else "check",
        behind="wrong" if new.wrong else "",
    )


def _cost(new: Effect, now: Effect | None, currency: str) -> Figure:
    def said(value: float) -> str:
        return wording.money(round(value, 2), currency)

    if new.cost_a_week is None:
        return Figure(
            label=gettext("Cost a week"),
            value=gettext("Not known"),
            now="",
            change=gettext("too few checks"),
            tone="",
            icon="coins",
        )
    more = None if now is None or now.cost_a_week is None else new.cost_a_week - now.cost_a_week
    return Figure(
        label=gettext("Cost a week"),
        value=said(new.cost_a_week),
        now="" if now is None or now.cost_a_week is None else _now(said(now.cost_a_week)),
        change="" if more is None else _signed(more, said),
        tone="" if more is None or abs(more) < 0.01 else "ok" if more < 0 else "no",
        icon="coins",
    )


def _plot(found: WhatIf, draft: PolicyDocument, live: PolicyDocument | None) -> Plot:
    curves, n = found.curves, found.n
    marked = [each.threshold for each in (draft, live) if each is not None and each.threshold is not None]
    low = 0.5 if all(at >= 0.5 for at in marked) else 0.0
    # A threshold of nothing lets through what has no score: it is no point of the curve.
    places = range(max(int(low * BINS), _STEP), BINS, _STEP)
    held, wrong = [], []
    known = curves.has_evidence
    for place in places:
        x, alone = float(curves.threshold[place]), 1 - float(curves.escalation[place])
        held.append(Point(x=x, y=float(curves.escalation[place])))
        sure = bool(known[place]) and math.isfinite(float(curves.risk[place]))
        wrong.append(
            Point(
                x=x,
                y=n * alone * float(curves.risk[place]) if sure else None,
                low=n * alone * float(curves.risk_low[place]) if sure else None,
                high=n * alone * float(curves.risk_high[place]) if sure else None,
                n=int(curves.labelled[place]),
            )
        )
    first_unknown = next((point.x for point in wrong if point.y is None), None)
    regions = []
    if first_unknown is not None:
        regions.append(Region(start=first_unknown, end=1.0, label=gettext("Under 30 checks: no evidence")))
    rules = []
    if found.certificate.threshold is not None:
        at = found.certificate.threshold
        rules.append(Rule(at=at, label=_at(gettext("Certified {threshold}"), at), kind="mark"))
        end = min(1.0, first_unknown or 1.0)
        if end > at:
            regions.insert(0, Region(start=max(at, low), end=end, label=gettext("Certified"), kind="shown"))
    if draft.threshold is not None:
        rules.append(
            Rule(at=draft.threshold, label=_at(gettext("Draft {threshold}"), draft.threshold), kind="new")
        )
    if live is not None and live.threshold is not None and live.threshold != draft.threshold:
        rules.append(
            Rule(at=live.threshold, label=_at(gettext("Now {threshold}"), live.threshold), kind="now")
        )
    return Plot(
        name="what-if",
        title=gettext("Share held for review and wrong actions released, by threshold"),
        description=gettext(
            "A higher threshold holds more actions and releases fewer wrong ones. "
            "The table below gives the numbers."
        ),
        series=(
            Line(label=gettext("Held for review (left)"), points=tuple(held)),
            Line(
                label=gettext("Wrong actions released (right), 95% range"),
                points=tuple(wrong),
                tone=2,
                right=True,
            ),
        ),
        x=Axis(label=gettext("Threshold"), low=low, high=1.0, words=_percent_of),
        left=Axis(low=0.0, high=1.0, words=whole_percent, ticks=(0.0, 0.25, 0.5, 0.75, 1.0)),
        right=Axis(words=lambda value: plain(round(value))) if any(point.y for point in wrong) else None,
        rules=tuple(rules),
        regions=tuple(regions),
        caption=gettext(
            "Released actions were judged from reviews and random checks, each weighted by how often its "
            "kind is looked at. The range is approximate."
        ),
    )


def _percent_of(value: float) -> str:
    is_whole = f"{value:.1%}".endswith(".0%")
    return wording.share_of(value, 0 if is_whole else 1)


def _changed(flips: list[Flip]) -> tuple[Changed, ...]:
    wanted = [flip.check for flip in flips]
    actions = {
        action.gate_check_id: action
        for action in ActionRequest.objects.filter(gate_check_id__in=wanted).only(
            "public_id", "title", "gate_check_id"
        )
    }
    said = {
        decision.action_id: decision
        for decision in Decision.objects.filter(
            action__gate_check_id__in=wanted, terminal=True, undone_at=None
        ).order_by("-id")
    }
    rows = []
    for flip in flips:
        action = actions.get(flip.check)
        if action is None:
            continue
        words, tone, icon = _answer(flip, said.get(action.pk))
        rows.append(
            Changed(
                action_id=action.public_id,
                title=action.title,
                score=flip.score,
                decision=words,
                tone=tone,
                icon=icon,
            )
        )
    return tuple(rows)


def _answer(flip: Flip, decision: Decision | None) -> tuple[str, str, str]:
    if decision is None or flip.label in (Label.NONE, Label.MISSING):
        return gettext("Nobody looked"), "", "eye-off"
    words = str(decision.get_kind_display())
    reasons = ", ".join(str(reason).replace("_", " ") for reason in decision.reasons)
    said = f"{words}: {reasons}" if reasons else words
    tones = {"approve": ("ok", "check"), "correct": ("acc", "pencil"), "reject": ("no", "x")}
    tone, icon = tones.get(decision.kind, ("", "check"))
    return said, tone, icon


def _sentence(found: WhatIf, action_type: ActionType, draft: PolicyDocument) -> str:
    new = found.draft
    if not found.n or draft.threshold is None:
        return ""
    head = gettext(
        "Letting {type} run alone at {threshold} and more handles {share} of {actions} actions (counted)."
    ).format(
        type=action_type.name,
        threshold=_percent_of(draft.threshold),
        share=wording.percent(new.released_share),
        actions=wording.number(new.n),
    )
    if new.risk is None or new.risk_high is None:
        unknown = gettext("How many of those are wrong is not known: {labels} of them were looked at.")
        return f"{head} {unknown.format(labels=new.labels)}"
    wrong = gettext(
        "Estimated wrong {risk} of those, {low} to {high}, from {labels} reviewed (effective {effective})."
    ).format(
        risk=wording.percent(new.risk, 1),
        low=wording.percent(new.risk_low, 1),
        high=wording.percent(new.risk_high, 1),
        labels=wording.number(new.labels),
        effective=wording.number(round(found.comparison.new.n_eff)),
    )
    return f"{head} {wrong}"


def _certified(found: WhatIf) -> str:
    limits, made = found.limits, found.certificate
    limit = wording.percent(limits.limit, 1)
    if made.threshold is not None:
        return gettext(
            "Certified from {threshold}: at most {limit} wrong at {sure} confidence, from {labels} labels in "
            "the order of sampling, if traffic stays like {since} to {until}."
        ).format(
            threshold=_percent_of(made.threshold),
            limit=limit,
            sure=wording.percent(1 - limits.budget, 1),
            labels=wording.number(made.labels),
            since=date_format(found.window.first_day, pgettext("date format", "j M")),
            until=date_format(found.window.until, pgettext("date format", "j M Y")),
        )
    if made.labels_missing is not None:
        words = gettext("Not enough evidence to certify at most {limit} wrong: about {labels} more labels.")
        return words.format(limit=limit, labels=wording.number(made.labels_missing))
    if not made.points:
        return gettext(
            "Not enough evidence to certify at most {limit} wrong: the first 50 scores fix the thresholds to "
            "test, and there are fewer."
        ).format(limit=limit)
    return gettext(
        "Not enough evidence to certify at most {limit} wrong: as the labels stand the limit is not kept. "
        "Improve the score, or accept review."
    ).format(limit=limit)


def _notes(found: WhatIf) -> tuple[str, ...]:
    notes = []
    if found.comparison.low_level:
        words = ngettext(
            "{n} of these actions were held because the agent version may run nothing alone yet. The numbers "
            "show both policies as if it might.",
            "{n} of these actions were held because the agent version may run nothing alone yet. The numbers "
            "show both policies as if it might.",
            found.comparison.low_level,
        )
        notes.append(words.format(n=wording.number(found.comparison.low_level)))
    if not found.minutes_known:
        notes.append(gettext("Nobody’s time is known yet: a review is taken to last 3 minutes."))
    if not found.misses_known:
        notes.append(
            gettext(
                "Reviewers are taken to catch every mistake: under ten drills with a planted error were"
                " decided."
            )
        )
    return tuple(notes)


def _now(value: str) -> str:
    return gettext("now {value}").format(value=value)


def _at(words: str, threshold: float) -> str:
    return words.format(threshold=wording.percent(threshold))


def _points(points: int) -> str:
    if points == 0:
        return gettext("no change")
    sign = "−" if points < 0 else "+"
    words = ngettext("{sign}{n} point", "{sign}{n} points", abs(points))
    return words.format(sign=sign, n=abs(points))


def _hours(hours: float) -> str:
    number = wording.number(abs(hours), 1 if abs(hours) < 100 else 0)
    return f"{number} {wording.units().hour}"


def _signed(value: float, said: object) -> str:
    assert callable(said)
    words = str(said(abs(value)))
    if words == str(said(0.0)):
        return gettext("no change")
    return f"{'−' if value < 0 else '+'}{words}"

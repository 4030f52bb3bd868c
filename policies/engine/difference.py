"""What changed between two policies, in sentences, each with what it does: loosen, tighten, or neither.

A change loosens where anything could pass, or stay unwatched, that the earlier text held. What cannot be
compared counts as loosening: a condition that was rewritten, another score, a field of which nothing is
known here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Final

from policies.engine.agent_list import ListedAgent
from policies.engine.calibration import Calibration
from policies.engine.explanation import percent
from policies.engine.facts import Trigger, Verdict
from policies.engine.freezing import FreezeWindow
from policies.engine.measures import Measure, MeasureFunction
from policies.engine.policy import PolicyDocument, Rule


class Effect(StrEnum):
    """What a difference does to the gate."""

    LOOSENS = "loosens"
    TIGHTENS = "tightens"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: a sentence, and its effect."""

    sentence: str
    effect: Effect


_Found = Iterator[Difference]


def describe(before: PolicyDocument | None, after: PolicyDocument) -> tuple[str, ...]:
    """Return one sentence for each difference, in the order of the document; none when they are equal."""
    return tuple(each.sentence for each in differences(before, after))


def differences(before: PolicyDocument | None, after: PolicyDocument) -> tuple[Difference, ...]:
    """Return every difference in the order of the document.

    Without an earlier policy everything was held, so that any policy loosens; what it says is then told as
    it differs from a policy of defaults.
    """
    if before is None:
        first = Difference("First policy for this action type.", Effect.LOOSENS)
        rest = (Difference(each.sentence, Effect.NEITHER) for each in _all(PolicyDocument(), after))
        return (first, *rest)
    return tuple(_all(before, after))


def duration(seconds: int) -> str:
    """Return a length of time in words, in the largest units that come out even."""
    parts = []
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(parts) or "0 seconds"


def _all(before: PolicyDocument, after: PolicyDocument) -> _Found:
    for each in fields(PolicyDocument):
        if getattr(before, each.name) == getattr(after, each.name):
            continue
        compare = _COMPARED.get(each.name)
        found = list(compare(before, after)) if compare is not None else []
        if not found and each.name in _IN_ANY_ORDER:
            told = f"The {each.name.replace('_', ' ')} stand in another order."
            found = [Difference(told, Effect.NEITHER)]
        # A field that nobody has taught this module may do anything.
        yield from found or [Difference(f"The field {each.name} changed.", Effect.LOOSENS)]


def _weigh(is_looser: bool, is_stricter: bool = True) -> Effect:
    return Effect.LOOSENS if is_looser else Effect.TIGHTENS if is_stricter else Effect.NEITHER


def _threshold(before: PolicyDocument, after: PolicyDocument) -> _Found:
    old, new = before.threshold, after.threshold
    # No threshold holds everything at the level `threshold`, so that it is stricter than any.
    if new is None:
        yield Difference("Hold whatever the chance: the threshold is taken away.", Effect.TIGHTENS)
    elif old is None:
        yield Difference(
            f"Hold when the chance is under {percent(new)}: the first threshold.", Effect.LOOSENS
        )
    else:
        told = f"{percent(old, beside=new)} → {percent(new, beside=old)}"
        yield Difference(f"Hold when the chance is under {told}.", _weigh(new < old))


def _score(before: PolicyDocument, after: PolicyDocument) -> _Found:
    yield Difference(f"Score: {before.score.value} → {after.score.value}.", Effect.LOOSENS)


def _calibration(before: PolicyDocument, after: PolicyDocument) -> _Found:
    told = f"{_map(before.calibration)} → {_map(after.calibration)}"
    yield Difference(f"Calibration: {told}.", Effect.LOOSENS)


def _map(calibration: Calibration | None) -> str:
    if calibration is None:
        return "none"
    points = ", ".join(f"{percent(raw)} is worth {percent(worth)}" for raw, worth in calibration.points)
    return f"of the score {calibration.of.value} ({points})"


def _rules(before: PolicyDocument, after: PolicyDocument) -> _Found:
    old = {rule.code: rule for rule in before.rules}
    new = {rule.code: rule for rule in after.rules}
    for code, rule in new.items():
        if code not in old:
            yield Difference(
                f"New rule {code} ({rule.title}): {_outcome(rule.then)} when {rule.when}.", Effect.TIGHTENS
            )
        elif old[code] != rule:
            yield from _rule(old[code], rule, kept=_kept(old[code], after.rules))
    for code, rule in old.items():
        if code not in new:
            effect = Effect.NEITHER if _kept(rule, after.rules) else Effect.LOOSENS
            yield Difference(f"Rule {code} ({rule.title}) is taken away.", effect)


def _kept(rule: Rule, rules: tuple[Rule, ...]) -> bool:
    """Return whether some rule holds on the same condition, at least as strictly."""
    return any(other.when == rule.when and other.then.strictness >= rule.then.strictness for other in rules)


def _rule(before: Rule, after: Rule, *, kept: bool) -> _Found:
    if before.when != after.when:
        told = f"Rule {after.code}: when {before.when} → when {after.when}."
        yield Difference(told, Effect.TIGHTENS if kept else Effect.LOOSENS)
    if before.then is not after.then:
        told = f"Rule {after.code}: {_outcome(before.then)} → {_outcome(after.then)}."
        is_milder = after.then.strictness < before.then.strictness
        yield Difference(told, _weigh(is_milder and not kept, not is_milder))
    if before.title != after.title:
        told = f"Rule {after.code} is now called {after.title} (was {before.title})."
        yield Difference(told, Effect.NEITHER)
    if before.trigger is not after.trigger:
        told = f"Rule {after.code} now counts as {_trigger(after.trigger)} (was {_trigger(before.trigger)})."
        yield Difference(told, Effect.NEITHER)


def _outcome(verdict: Verdict) -> str:
    return "deny" if verdict is Verdict.DENY else "review"


def _trigger(trigger: Trigger) -> str:
    return trigger.value.replace("_", " ")


def _measures(before: PolicyDocument, after: PolicyDocument) -> _Found:
    old = {measure.name: measure for measure in before.measures}
    new = {measure.name: measure for measure in after.measures}
    for name, measure in new.items():
        if name not in old:
            # Rules can only ask for what is declared, so none that stood before can see this one.
            yield Difference(f"New measure {name}: {_measured(measure)}.", Effect.NEITHER)
        elif old[name] != measure:
            told = f"Measure {name}: {_measured(old[name])} → {_measured(measure)}."
            yield Difference(told, Effect.LOOSENS)
    for name, measure in old.items():
        if name not in new:
            yield Difference(f"Measure {name} ({_measured(measure)}) is taken away.", Effect.LOOSENS)


def _measured(measure: Measure) -> str:
    what = "how many" if measure.function is MeasureFunction.COUNT else f"the sum of {measure.pointer}"
    whose = f"the same {measure.of}" if measure.of.startswith("/") else f"this {measure.of}"
    of = ", ".join(measure.action_types) or "this action type"
    return f"{what} of {whose} over {duration(measure.window_seconds)}, in {of}"


def _agents(before: PolicyDocument, after: PolicyDocument) -> _Found:
    old, new = before.agents, after.agents
    effect = _weigh(not _within(new, old), not _within(old, new))
    yield Difference(f"May run alone: {_listed(old)} → {_listed(new)}.", effect)


def _within(inner: tuple[ListedAgent, ...] | None, outer: tuple[ListedAgent, ...] | None) -> bool:
    """Return whether whoever is on the inner list is on the outer one."""
    if outer is None or inner is None:
        return outer is None
    versions = {each.name: each.versions for each in outer}
    return all(
        each.name in versions
        and (not versions[each.name] or (each.versions and set(each.versions) <= set(versions[each.name])))
        for each in inner
    )


def _listed(agents: tuple[ListedAgent, ...] | None) -> str:
    if agents is None:
        return "every agent"
    named = [
        f"{each.name} ({', '.join(each.versions)})" if each.versions else f"{each.name} (every version)"
        for each in agents
    ]
    return ", ".join(named) or "no agent"


def _freeze_windows(before: PolicyDocument, after: PolicyDocument) -> _Found:
    added = [window for window in after.freeze_windows if not _frozen_by(window, before.freeze_windows)]
    gone = [window for window in before.freeze_windows if not _frozen_by(window, after.freeze_windows)]
    for window in added:
        yield Difference(f"New freeze window {_window(window)}.", Effect.TIGHTENS)
    for window in gone:
        yield Difference(f"Freeze window {_window(window)} is taken away.", Effect.LOOSENS)
    if not added and not gone:
        for old, new in zip(before.freeze_windows, after.freeze_windows, strict=False):
            if old.title != new.title:
                yield Difference(f"Freeze window {_window(new)} was called {old.title}.", Effect.NEITHER)


def _frozen_by(window: FreezeWindow, windows: tuple[FreezeWindow, ...]) -> bool:
    """Return whether some window covers the same times, at least as strictly."""
    times = (window.starts, window.ends, window.zone, frozenset(window.weekdays))
    return any(
        (other.starts, other.ends, other.zone, frozenset(other.weekdays)) == times
        and other.then.strictness >= window.then.strictness
        for other in windows
    )


def _window(window: FreezeWindow) -> str:
    days = f"{', '.join(window.weekdays)} " if window.weekdays else ""
    zone = f" ({window.zone})" if window.zone else ""
    return f"{window.title}: {_outcome(window.then)} {days}{window.starts} to {window.ends}{zone}"


def _checklist(before: PolicyDocument, after: PolicyDocument) -> _Found:
    for sentence in after.checklist:
        if sentence not in before.checklist:
            yield Difference(f"New on the check list: {sentence}", Effect.TIGHTENS)
    for sentence in before.checklist:
        if sentence not in after.checklist:
            yield Difference(f"No more on the check list: {sentence}", Effect.LOOSENS)


def _share(name: str, what: str, of: str) -> Callable[[PolicyDocument, PolicyDocument], _Found]:
    """Return the comparison of a share of what people look at: less of it loosens."""

    def compare(before: PolicyDocument, after: PolicyDocument) -> _Found:
        old, new = getattr(before, name), getattr(after, name)
        told = f"{what} {percent(old, beside=new)} → {percent(new, beside=old)} {of}."
        yield Difference(told, _weigh(new < old))

    return compare


def _time(name: str, label: str, *, longer: Effect) -> Callable[[PolicyDocument, PolicyDocument], _Found]:
    """Return the comparison of a length of time. Where longer does neither, so does shorter."""
    shorter = {Effect.LOOSENS: Effect.TIGHTENS, Effect.TIGHTENS: Effect.LOOSENS}.get(longer, Effect.NEITHER)

    def compare(before: PolicyDocument, after: PolicyDocument) -> _Found:
        old, new = getattr(before, name), getattr(after, name)
        effect = longer if new > old else shorter
        yield Difference(f"{label}: {duration(old)} → {duration(new)}.", effect)

    return compare


def _approvals(before: PolicyDocument, after: PolicyDocument) -> _Found:
    old, new = before.approvals_required, after.approvals_required
    yield Difference(f"Approvals required: {old} → {new}.", _weigh(new < old))


def _small_screens(before: PolicyDocument, after: PolicyDocument) -> _Found:
    told = "a telephone too" if after.small_screens else "a larger screen alone"
    yield Difference(f"What is critical can be let run from {told}.", _weigh(after.small_screens))


def _queue(before: PolicyDocument, after: PolicyDocument) -> _Found:
    yield Difference(f"Queue: {before.queue} → {after.queue}.", Effect.NEITHER)


def _reminder(before: PolicyDocument, after: PolicyDocument) -> _Found:
    told = "is called to mind" if after.reminder else "is not called to mind any more"
    yield Difference(f"At half its deadline an open item {told}.", Effect.NEITHER)


def _second_queue(before: PolicyDocument, after: PolicyDocument) -> _Found:
    told = f"{before.second_queue or 'none'} → {after.second_queue or 'none'}"
    yield Difference(f"Second queue at half the deadline: {told}.", Effect.NEITHER)


_IN_ANY_ORDER: Final = frozenset({"rules", "measures", "freeze_windows", "checklist"})
_COMPARED: Final[Mapping[str, Callable[[PolicyDocument, PolicyDocument], _Found]]] = {
    "threshold": _threshold,
    "score": _score,
    "calibration": _calibration,
    "rules": _rules,
    "measures": _measures,
    "agents": _agents,
    "freeze_windows": _freeze_windows,
    "denial_memory_seconds": _time(
        "denial_memory_seconds", "A refused act is known again for", longer=Effect.TIGHTENS
    ),
    "audit_rate": _share("audit_rate", "Audit", "of what runs alone"),
    # After its deadline nothing runs, so that no deadline lets anything pass.
    "deadline_seconds": _time("deadline_seconds", "Deadline", longer=Effect.NEITHER),
    "undo_seconds": _time("undo_seconds", "Time to undo", longer=Effect.TIGHTENS),
    "approvals_required": _approvals,
    "checklist": _checklist,
    "small_screens": _small_screens,
    "permit_ttl_seconds": _time("permit_ttl_seconds", "A permit is good for", longer=Effect.LOOSENS),
    "queue": _queue,
    "reminder": _reminder,
    "second_queue": _second_queue,
    "blind_share": _share("blind_share", "Show no score on", "of held items"),
}

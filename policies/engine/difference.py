"""What changed between two policies, in sentences, and whether the change loosens."""

from __future__ import annotations

from collections.abc import Iterator

from policies.engine.explanation import percent
from policies.engine.facts import Trigger, Verdict
from policies.engine.policy import PolicyDocument, Rule


def describe(before: PolicyDocument | None, after: PolicyDocument) -> tuple[str, ...]:
    """Return one sentence for each difference, in the order of the document; none when they are equal."""
    if before is None:
        return ("First policy for this action type.", *_differences(PolicyDocument(), after))
    return tuple(_differences(before, after))


def is_looser(before: PolicyDocument | None, after: PolicyDocument) -> bool:
    """Return whether `after` may let through, or leave unwatched, anything that `before` would not have.

    What cannot be compared counts as looser: a condition that was rewritten, another score. Without an
    earlier policy everything was held, so that any policy loosens.
    """
    if before is None:
        return True
    return (
        _threshold_is_lower(before.threshold, after.threshold)
        or before.score is not after.score
        or any(not _kept(rule, after.rules) for rule in before.rules)
        or after.audit_rate < before.audit_rate
        or after.undo_seconds < before.undo_seconds
        or after.approvals_required < before.approvals_required
        or after.permit_ttl_seconds > before.permit_ttl_seconds
        or after.blind_share < before.blind_share
    )


def _threshold_is_lower(before: float | None, after: float | None) -> bool:
    # No threshold holds everything at the level `threshold`, so that it is stricter than any.
    if after is None:
        return False
    return before is None or after < before


def _kept(rule: Rule, rules: tuple[Rule, ...]) -> bool:
    """Return whether some rule holds on the same condition, at least as strictly."""
    return any(other.when == rule.when and other.then.strictness >= rule.then.strictness for other in rules)


def _differences(before: PolicyDocument, after: PolicyDocument) -> Iterator[str]:
    yield from _threshold(before.threshold, after.threshold)
    if before.score is not after.score:
        yield f"Score: {before.score.value} → {after.score.value}."
    yield from _rules(before.rules, after.rules)
    yield from _share("Audit", "of what runs alone", before.audit_rate, after.audit_rate)
    for label, old, new in (
        ("Deadline", before.deadline_seconds, after.deadline_seconds),
        ("Time to undo", before.undo_seconds, after.undo_seconds),
        ("A permit is good for", before.permit_ttl_seconds, after.permit_ttl_seconds),
    ):
        if old != new:
            yield f"{label}: {duration(old)} → {duration(new)}."
    if before.approvals_required != after.approvals_required:
        yield f"Approvals required: {before.approvals_required} → {after.approvals_required}."
    if before.queue != after.queue:
        yield f"Queue: {before.queue} → {after.queue}."
    yield from _share("Show no score on", "of held items", before.blind_share, after.blind_share)


def _threshold(before: float | None, after: float | None) -> Iterator[str]:
    if before == after:
        return
    if after is None:
        yield "Hold whatever the chance: the threshold is taken away."
    elif before is None:
        yield f"Hold when the chance is under {percent(after)}: the first threshold."
    else:
        old, new = percent(before, beside=after), percent(after, beside=before)
        yield f"Hold when the chance is under {old} → {new}."


def _share(what: str, of: str, before: float, after: float) -> Iterator[str]:
    if before != after:
        yield f"{what} {percent(before, beside=after)} → {percent(after, beside=before)} {of}."


def _rules(before: tuple[Rule, ...], after: tuple[Rule, ...]) -> Iterator[str]:
    old = {rule.code: rule for rule in before}
    new = {rule.code: rule for rule in after}
    for code, rule in new.items():
        if code not in old:
            yield f"New rule {code} ({rule.title}): {_outcome(rule.then)} when {rule.when}."
        elif old[code] != rule:
            yield from _rule(old[code], rule)
    for code, rule in old.items():
        if code not in new:
            yield f"Rule {code} ({rule.title}) is taken away."


def _rule(before: Rule, after: Rule) -> Iterator[str]:
    if before.when != after.when:
        yield f"Rule {after.code}: when {before.when} → when {after.when}."
    if before.then is not after.then:
        yield f"Rule {after.code}: {_outcome(before.then)} → {_outcome(after.then)}."
    if before.title != after.title:
        yield f"Rule {after.code} is now called {after.title} (was {before.title})."
    if before.trigger is not after.trigger:
        yield f"Rule {after.code} now counts as {_trigger(after.trigger)} (was {_trigger(before.trigger)})."


def _outcome(verdict: Verdict) -> str:
    return "deny" if verdict is Verdict.DENY else "review"


def _trigger(trigger: Trigger) -> str:
    return trigger.value.replace("_", " ")


def duration(seconds: int) -> str:
    """Return a length of time in words, in the largest units that come out even."""
    parts = []
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {unit}{'' if count == 1 else 's'}")
    return " ".join(parts) or "0 seconds"

"""The checker can fail: a sound history passes, and each invariant finds what breaks it, alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.history import invariants
from tests.history.facts import Action, Decision, Entry, Execution, Export, Facts, Link, Permit
from tests.history.journal import Ending, Operation

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
DIGEST, OTHER = "sha256:a", "sha256:b"


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def op(client: str, kind: str, subject: str, ending: Ending = "ok", **told: object) -> Operation:
    return Operation(client, kind, subject, ending, told)


HELD = Action("a1", "ada", "pay", "approved", "review", DIGEST, DIGEST, 2, at(0), at(600), 60, 50)
ALLOWED = Action("a2", "ben", "pay", "allowed", "allow", OTHER, OTHER, 1, at(1), at(600), 10, 50)
DECISION = Decision("d1", "i1", "a1", "rosa", "owen", "approve", True, at(5), at(5))
PERMITS = (
    Permit("p1", "a1", DIGEST, at(300), at(5), at(6)),
    Permit("p2", "a2", OTHER, at(300), at(1)),
)
RUN = Execution("x1", "p1", "a1", "succeeded")
ENTRIES = tuple(
    Entry(number, verb, about, action)
    for number, (verb, about, action) in enumerate(
        [
            ("action.held", "a1", "a1"),
            ("action.allowed", "a2", "a2"),
            ("permit.issued", "p2", "a2"),
            ("decision.recorded", "d1", "a1"),
            ("decision.released", "d1", "a1"),
            ("permit.issued", "p1", "a1"),
            ("permit.consumed", "p1", "a1"),
        ],
        start=1,
    )
)
LINKS = tuple(Link(n, n, f"h{n - 1}", f"h{n}") for n in range(1, len(ENTRIES) + 1))
WHOLE = Export("e1", "done", "s", "s", "s")
SOUND = Facts((HELD, ALLOWED), (DECISION,), PERMITS, (RUN,), ENTRIES, LINKS, (WHOLE, Export("e2", "running")))
JOURNAL = (
    op("ada", "propose", "k1", action="a1", digest=DIGEST, verdict="review"),
    op("ben", "propose", "k2", "info", status=503, verdict=""),
    op("ben", "propose", "k2", action="a2", digest=OTHER, verdict="allow"),
    op("ada", "follow", "a1", version=1, state="pending_review"),
    op("rosa", "decide", "i1", decision="approve"),
    op("ravi", "decide", "i1", "fail", decision="reject"),
    op("ada", "follow", "a1", version=2, state="approved"),
    op("ada", "consume", "p1", digest=DIGEST, key="r1", execution="x1"),
    op("ada", "consume", "p1", "fail", digest=DIGEST, key="r2", status=409),
    op("ada", "outcome", "x1", outcome="succeeded"),
    op("ben", "pry", "a1", "fail", status=404),
    op("admin", "stop", "pay", at=at(20)),
    op("admin", "lift", "pay", at=at(30)),
    op("admin", "take_right", "rosa", at=at(40)),
    op("admin", "give_right", "rosa", at=at(50)),
    op("ada", "last look", "a1", version=2, state="approved"),
)


def with_action(action: Action) -> Facts:
    return replace(SOUND, actions=tuple(action if each.id == action.id else each for each in SOUND.actions))


def with_decision(**changed: object) -> Facts:
    return replace(SOUND, decisions=(replace(DECISION, **changed),))  # type: ignore[arg-type]  # fields by name


def with_second_decision(**changed: object) -> Facts:
    second = replace(DECISION, id="d2", released_at=None, **changed)  # type: ignore[arg-type]  # fields by name
    return replace(
        SOUND,
        decisions=(DECISION, second),
        entries=(*ENTRIES, Entry(8, "decision.recorded", "d2", "a1")),
        links=(*LINKS, Link(8, 8, "h7", "h8")),
    )


def with_permit(**changed: object) -> Facts:
    return replace(SOUND, permits=(replace(PERMITS[0], **changed), PERMITS[1]))  # type: ignore[arg-type]  # fields by name


def without_entry(verb: str) -> Facts:
    return replace(SOUND, entries=tuple(each for each in ENTRIES if each.verb != verb))


def more(*operations: Operation) -> tuple[Operation, ...]:
    return JOURNAL + operations


def broken(journal: tuple[Operation, ...], facts: Facts) -> set[str]:
    """Return the numbers of the invariants that do not hold."""
    return {name.partition("_")[0] for name, found in invariants.violations(journal, facts).items() if found}


# What is wrong, with what, and the one invariant that must see it.
BROKEN: dict[str, tuple[str, tuple[Operation, ...], Facts]] = {
    "a run without a permit": ("i1", JOURNAL, replace(SOUND, executions=(replace(RUN, permit="p9"),))),
    "a run on a permit of another action": (
        "i1", JOURNAL, replace(SOUND, executions=(RUN, Execution("x2", "p2", "a1"))),
    ),
    "a run on a permit that nobody used up": (
        "i1", JOURNAL, replace(SOUND, executions=(RUN, Execution("x2", "p2", "a2"))),
    ),
    "a permit used up after its expiry": ("i1", JOURNAL, with_permit(expires_at=at(6))),
    "a permit used up after its revocation": ("i1", JOURNAL, with_permit(revoked_at=at(5.5))),
    "a run of what was not decided": ("i1", JOURNAL, with_action(replace(HELD, final_digest=OTHER))),
    "a consume with another digest": (
        "i1", more(op("ada", "consume", "p1", digest=OTHER, key="r1", execution="x1")), SOUND,
    ),
    "two terminal decisions": (
        "i2", JOURNAL, with_second_decision(reviewer="ravi"),
    ),
    "a person who decides twice": (
        "i2", JOURNAL, with_second_decision(terminal=False),
    ),
    "a state that nobody decided": ("i2", JOURNAL, with_decision(kind="reject")),
    "two executions of a permit": (
        "i3", JOURNAL, replace(SOUND, executions=(RUN, replace(RUN, id="x2"))),
    ),
    "a permit given to two runs": (
        "i3", more(op("ada", "consume", "p1", digest=DIGEST, key="r2", execution="x1")), SOUND,
    ),
    "an acknowledged action that is gone": (
        "i4", more(op("ada", "propose", "k9", action="a9", digest=DIGEST, verdict="allow")), SOUND,
    ),
    "an action with another verdict than acknowledged": (
        "i4", more(op("ada", "propose", "k1", action="a1", digest=DIGEST, verdict="allow")), SOUND,
    ),
    "an acknowledged decision that is gone": (
        "i4", more(op("ravi", "decide", "i1", decision="approve")), SOUND,
    ),
    "an acknowledged run that is gone": (
        "i4", more(op("ben", "consume", "p2", digest=OTHER, key="r3", execution="x9")), SOUND,
    ),
    "an acknowledged outcome that is gone": (
        "i4", JOURNAL, replace(SOUND, executions=(replace(RUN, outcome="unknown"),)),
    ),
    "an action without an entry": ("i5", JOURNAL, without_entry("action.held")),
    "an action with two entries": (
        "i5", JOURNAL, replace(SOUND, entries=(*ENTRIES, Entry(8, "action.denied", "a1", "a1"))),
    ),
    "an expiry without an entry": ("i5", JOURNAL, with_action(replace(ALLOWED, state="expired"))),
    "a decision without an entry": ("i5", JOURNAL, without_entry("decision.recorded")),
    "a release without an entry": ("i5", JOURNAL, without_entry("decision.released")),
    "a permit without an entry": ("i5", JOURNAL, without_entry("permit.issued")),
    "a consume without an entry": ("i5", JOURNAL, without_entry("permit.consumed")),
    "an entry without a place": ("i5", JOURNAL, replace(SOUND, links=LINKS[:-1])),
    "an entry with two places": (
        "i5", JOURNAL, replace(SOUND, links=(*LINKS, Link(8, 7, "h7", "h8"))),
    ),
    "a gap in the chain": (
        "i5", JOURNAL, replace(SOUND, links=(*LINKS[:-1], replace(LINKS[-1], seq=9))),
    ),
    "a link that hangs on nothing": (
        "i5", JOURNAL, replace(SOUND, links=(*LINKS[:-1], replace(LINKS[-1], previous_hash="h0"))),
    ),
    "a decision for an agent of one's own": ("i6", JOURNAL, with_decision(owner="rosa")),
    "a decision without the right": (
        "i6", JOURNAL, with_decision(decided_at=at(45), released_at=at(45)),
    ),
    "a permit for what was rejected": (
        "i7", JOURNAL, with_action(replace(ALLOWED, state="rejected")),
    ),
    "an allow on another verdict": ("i7", JOURNAL, with_action(replace(ALLOWED, verdict="review"))),
    "a decision after the deadline": ("i7", JOURNAL, with_decision(decided_at=at(601))),
    "an error with a verdict": (
        "i7", more(op("ben", "propose", "k3", "info", status=503, verdict="allow")), SOUND,
    ),
    "a verdict that the policy does not give": ("i8", JOURNAL, with_action(replace(ALLOWED, amount=51))),
    "a verdict softer than the policy": ("i8", JOURNAL, with_action(replace(HELD, amount=1001))),
    "an allow with a stop among its reasons": (
        "i8", JOURNAL, with_action(replace(ALLOWED, reasons=("kill_switch",))),
    ),
    "a version that goes back": (
        "i9", more(op("ada", "follow", "a1", version=1, state="pending_review")), SOUND,
    ),
    "an end that its agent does not see": (
        "i9", more(op("ada", "last look", "a1", version=2, state="pending_review")), SOUND,
    ),
    "an export that is done and not whole": (
        "i10", JOURNAL, replace(SOUND, exports=(replace(WHOLE, file_sha256="t"),)),
    ),
    "a manifest without its file": (
        "i10", JOURNAL, replace(SOUND, exports=(Export("e3", "running", "", "", "s"),)),
    ),
    "an answer about another's action": ("i11", more(op("ben", "pry", "a1", "info", status=200)), SOUND),
    "another's action in one's own answer": (
        "i11", more(op("ben", "follow", "a1", version=2, state="approved")), SOUND,
    ),
    "an allow while stopped": ("i12", JOURNAL, with_action(replace(ALLOWED, created_at=at(25)))),
    "a consume while stopped": ("i12", JOURNAL, with_permit(consumed_at=at(25))),
}  # fmt: skip


def test_a_sound_history_passes() -> None:
    assert [name for name, found in invariants.violations(JOURNAL, SOUND).items() if found] == []


@pytest.mark.parametrize("what", BROKEN)
def test_the_checker_finds(what: str) -> None:
    number, journal, facts = BROKEN[what]
    assert number in broken(journal, facts)


def test_every_invariant_has_a_history_that_breaks_it_alone() -> None:
    alone: set[str] = set()
    for _, journal, facts in BROKEN.values():
        found = [
            name.partition("_")[0] for name, each in invariants.violations(journal, facts).items() if each
        ]
        if len(found) == 1:
            alone.add(found[0])
    assert alone == {f"i{number}" for number in range(1, 13)}


def test_a_stop_counts_from_a_second_after_its_acknowledgement_until_it_is_lifted() -> None:
    for moment in (at(20.9), at(30.1)):
        facts = with_action(replace(ALLOWED, created_at=moment))
        assert not list(invariants.i12_a_stop_holds_everywhere(JOURNAL, facts))


def test_a_stop_that_nobody_acknowledged_proves_nothing() -> None:
    journal = tuple(replace(each, ending="info") if each.kind == "stop" else each for each in JOURNAL)
    facts = with_action(replace(ALLOWED, created_at=at(25)))
    assert not list(invariants.i12_a_stop_holds_everywhere(journal, facts))


def test_a_deadline_does_not_bind_the_look_at_what_has_run() -> None:
    facts = replace(
        with_action(replace(HELD, state="allowed", verdict="allow", amount=10)),
        decisions=(replace(DECISION, decided_at=at(601)),),
    )
    assert not list(invariants.i7_time_and_errors_never_allow(JOURNAL, facts))

"""Past actions in columns and counts: everything once, drills never, and the same again from the ledger."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Sum

from hitl_site.lib.clock import database_now
from policies.models import ActionType, DoubleReview, GateCheck, PastChunk, ScoreBin
from policies.services import ledger, past_chunks, policies
from policies.statistics import columns
from policies.statistics.columns import Flag, Label
from policies.statistics.what_if import bin_scores
from reviews.choices import DecisionKind
from reviews.models import ReviewItem
from reviews.services import deadlines, past_actions
from reviews.tests.cast import Cast, decide_as, held, propose

# Only what is committed gets its place in the ledger.
pytestmark = pytest.mark.django_db(transaction=True)


def follow() -> None:
    """Number the ledger and take it in."""
    ledger.link_entries(now=database_now(), limit=10_000)
    while past_actions.keep(limit=7).entries == 7:
        pass


def released(cast: Cast, kind: DecisionKind, **body: Any) -> ReviewItem:
    item = held(cast, **body)
    decide_as(cast.alice, item, kind)
    decision = item.decisions.get()
    deadlines.release_due(now=decision.release_at)
    return item


def kept(action_type: ActionType) -> columns.Columns:
    (chunk,) = PastChunk.objects.filter(action_type=action_type)
    return past_chunks.read(chunk)


def everything() -> list[tuple[object, ...]]:
    """Return all that was made of the ledger, without the numbers of rows."""
    chunks = PastChunk.objects.order_by("action_type", "agent_version", "number").values_list(
        "action_type", "agent_version", "number", "size", "fields", "columns", "numbers"
    )
    bins = ScoreBin.objects.order_by("action_type", "agent_version", "day", "policy_version", "bin")
    counts = bins.values_list(
        "action_type", "agent_version", "day", "policy_version", "bin", "n", "alone", "labelled",
        "held_labels", "errors", "handled", "handling_ms",
    )  # fmt: skip
    sums = [tuple(round(each, 6) for each in row) for row in bins.values_list("w", "w2", "wy")]
    return [tuple(map(_plain, row)) for row in chunks] + list(counts) + sums


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else str(value)


def test_what_was_judged_is_kept_with_what_decided_it(cast: Cast) -> None:
    propose(cast, confidence=0.71, arguments={"order": "A", "amount": 184})
    propose(cast, confidence=0.95, arguments={"order": "B", "amount": 12.5})
    propose(cast, confidence=0.95, arguments={"order": "C", "amount": -1})
    follow()
    found = kept(cast.refund)
    assert [round(float(score), 2) for score in found.confidence] == [0.71, 0.95, 0.95]
    assert found.numbers["/amount"].tolist() == [184.0, 12.5, -1.0]
    assert [Flag(int(flags)) for flags in found.flags] == [
        Flag.SAMPLED,
        Flag.ALONE | (Flag.SAMPLED if GateCheck.objects.order_by("id")[1].audit_selected else Flag(0)),
        # Outside of the declared scope: no policy lets it run.
        Flag.FIXED_HOLD | Flag.SAMPLED,
    ]
    assert found.check.tolist() == list(GateCheck.objects.order_by("id").values_list("id", flat=True))


def test_the_rules_that_were_true_are_kept_by_their_place(cast: Cast) -> None:
    rule = {"title": "?", "then": "review"}
    document = {
        "threshold": 0.5,
        "audit_rate": 0.01,
        "rules": [
            {**rule, "code": "small", "when": "args.amount < 5"},
            {**rule, "code": "large", "when": "args.amount > 150"},
            {**rule, "code": "broken", "when": "args.nothing > 150"},
        ],
    }
    policies.put_in_force(
        action_type=cast.refund, document=document, author=cast.olga, reason="r", now=database_now()
    )
    propose(cast, confidence=0.9)
    follow()
    assert kept(cast.refund).matched.tolist() == [0b110]


def test_labels_come_to_their_action_and_count_once(cast: Cast) -> None:
    released(cast, DecisionKind.APPROVE, confidence=0.71)
    follow()
    released(cast, DecisionKind.REJECT, confidence=0.82)
    follow()
    assert kept(cast.refund).label.tolist() == [Label.RIGHT, Label.WRONG]
    rows = ScoreBin.objects.order_by("bin").values_list("bin", "n", "labelled", "held_labels", "errors", "wy")
    assert list(rows) == [(710, 1, 1, 1, 0, 0.0), (820, 1, 1, 1, 1, 1.0)]


def test_an_approval_that_nobody_considered_is_no_label(cast: Cast) -> None:
    released(cast, DecisionKind.APPROVE)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE policies_observation DISABLE TRIGGER USER")
        cursor.execute("UPDATE policies_observation SET considered = false")
        cursor.execute("ALTER TABLE policies_observation ENABLE TRIGGER USER")
    follow()
    assert kept(cast.refund).label.tolist() == [Label.WEAK]
    assert ScoreBin.objects.get().labelled == 0


def test_an_approval_that_was_overturned_is_an_error_here_as_on_the_ladder(cast: Cast) -> None:
    approved = released(cast, DecisionKind.APPROVE, confidence=0.71).action.gate_check
    rejected = released(cast, DecisionKind.REJECT, confidence=0.71).action.gate_check
    follow()
    now = database_now()
    for check, kind in ((approved, "correct"), (rejected, "approve")):
        DoubleReview.objects.create(
            gate_check=check,
            action_type=cast.refund,
            first_reviewer=cast.alice,
            second_reviewer=cast.bob,
            first_kind="approve",
            second_kind="reject",
            agreed=False,
            propensity=0.05,
            reviewed_at=now,
            settled_kind=kind,
            settled_at=now,
        )
        with transaction.atomic():
            ledger.record(
                actor=ledger.Actor.person(cast.olga),
                verb="second_opinion.settled",
                object_kind="decision",
                object_id="dec_x",
                action_id=check.action_id,
                now=now,
            )
    follow()
    assert kept(cast.refund).label.tolist() == [Label.WRONG, Label.WRONG]
    # Of two days, where one ended meanwhile.
    counts = ScoreBin.objects.aggregate(*(Sum(name) for name in ("n", "labelled", "errors", "w", "wy")))
    assert list(counts.values()) == [2, 2, 2, 2.0, 2.0]
    before = everything()
    past_actions.start_anew()
    follow()
    assert everything() == before


def test_drills_are_in_none_of_it(cast: Cast) -> None:
    action = propose(cast)
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE policies_gatecheck DISABLE TRIGGER USER")
        cursor.execute("UPDATE policies_gatecheck SET drill = true WHERE id = %s", [action.gate_check_id])
        cursor.execute("ALTER TABLE policies_gatecheck ENABLE TRIGGER USER")
    follow()
    assert (PastChunk.objects.count(), ScoreBin.objects.count()) == (0, 0)


def test_made_again_from_the_ledger_it_is_the_same(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past_chunks, "CHUNK", 3)
    for number in range(5):
        released(cast, DecisionKind.APPROVE if number % 2 else DecisionKind.REJECT, confidence=number / 10)
        propose(cast, action_type="note.add", arguments={"n": number}, confidence=0.9)
        follow()
    before = everything()
    assert PastChunk.objects.count() == 4
    past_actions.start_anew()
    assert not PastChunk.objects.exists()
    follow()
    assert everything() == before


def test_a_cursor_that_was_set_back_keeps_no_action_twice(cast: Cast) -> None:
    propose(cast)
    follow()
    with transaction.atomic():
        place = past_chunks.Place(cast.refund.pk, cast.clerk.versions.get().pk)
        found = kept(cast.refund)
        again = columns.PastAction(
            check=int(found.check[0]), policy=1, day=columns.day_of(found.day[0]), flags=Flag(0)
        )
        past_chunks.append({place: [again]})
    assert len(kept(cast.refund)) == 1


def test_the_arguments_of_an_action_can_be_taken_out(cast: Cast) -> None:
    first, second = propose(cast), propose(cast)
    follow()
    with transaction.atomic():
        assert past_chunks.forget_numbers(checks=[first.gate_check_id]) == 1
    amounts = kept(cast.refund).numbers["/amount"]
    assert str(amounts[0]) == "nan"
    assert amounts[1] == 184.0
    assert second.arguments["amount"] == 184


def test_two_workers_at_once_count_everything_once(cast: Cast) -> None:
    for number in range(30):
        propose(cast, confidence=number / 40)
    ledger.link_entries(now=database_now(), limit=10_000)
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        try:
            while past_actions.keep(limit=5).entries:
                pass
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(kept(cast.refund)) == 30
    assert sum(ScoreBin.objects.values_list("n", flat=True)) == 30


def test_the_bins_are_those_of_the_statistics() -> None:
    scores = [0.0, 0.1, 0.29, 0.3, 0.5, 0.86, 0.999, 1.0]
    counted = bin_scores(scores, [None] * len(scores), [1.0] * len(scores))
    places = [number for number, n in enumerate(counted.n) for _ in range(int(n))]
    assert [past_chunks.bin_of(score) for score in scores] == places


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"amount": 5, "paid": True, "text": "7"}, {"/amount": 5.0}),
        ({"a": {"b/c": {"d": 1.5, "e": {"too deep": 2}}}}, {"/a/b~1c/d": 1.5}),
        ({"list": [1, 2], "nothing": None}, {}),
        (None, {}),
    ],
)
def test_the_numbers_among_arguments_are_found_by_their_pointers(
    arguments: object, found: dict[str, float]
) -> None:
    assert past_actions.numbers_in(arguments) == found

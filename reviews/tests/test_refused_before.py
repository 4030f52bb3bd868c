"""A refused act that comes again, in other clothes: it is known, held, and shown with its refusal."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from hitl_site.lib.clock import database_now
from policies.choices import KillSwitchScope
from policies.engine.likeness import folded
from policies.models import GateCheck
from policies.services import action_types, kill_switch, policies
from policies.services.ledger import Actor
from reviews.choices import ActionState, DecisionKind
from reviews.models import ActionRequest, ReviewItem
from reviews.selectors import history
from reviews.selectors.earlier_refusal import earlier_refusal
from reviews.services import deadlines, decisions
from reviews.tests.cast import Cast, decide_as, propose

SURE = 0.99
AFTER_UNDO = timedelta(seconds=30)
ARGUMENTS: dict[str, Any] = {"order": "SO-48213", "amount": 184, "message": "Café for Anna"}


def codes(action: ActionRequest) -> list[str]:
    return [reason["code"] for reason in action.gate_check.reasons]


def reject(cast: Cast, action: ActionRequest, **answer: Any) -> None:
    """Reject an action that is held, and let the time to take it back run out."""
    decide_as(cast.alice, ReviewItem.objects.get(action=action), DecisionKind.REJECT, **answer)
    deadlines.release_due(now=database_now() + AFTER_UNDO)
    action.refresh_from_db()
    assert action.state == ActionState.REJECTED


def resubmit(cast: Cast, arguments: Mapping[str, Any] = ARGUMENTS, **body: Any) -> ActionRequest:
    return propose(cast, arguments=dict(arguments), confidence=SURE, **body)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"amount": 184.0},
        {"order": " so-48213\n"},
        {"order": "SO\u201148213"},
        {"order": "ЅО-48213"},  # Cyrillic letters
        {"message": "Cafe\u0301 for Anna"},
        {"message": "CAFÉ  FOR  ANNA"},
        {"message": "Café\u200b for Аnna"},  # a zero width space, and a Cyrillic letter
        {"message": "Ｃafé for Anna"},
        {"order": "SO-\x0148213\x7f"},
        {"message": "Café\x02 for\x1b Anna"},
    ],
)
def test_a_rejected_act_in_other_clothes_is_held_however_sure_the_agent_is(
    cast: Cast, changed: dict[str, Any]
) -> None:
    first = propose(cast, arguments=ARGUMENTS)
    assert codes(first) == ["below_threshold"]
    reject(cast, first)

    again = resubmit(cast, {**ARGUMENTS, **changed})
    assert (again.state, codes(again)) == (ActionState.PENDING_REVIEW, ["denied_before"])
    assert first.public_id in again.gate_check.reasons[0]["detail"]
    assert again.likeness == first.likeness != ""


@pytest.mark.parametrize(
    "changed",
    [{"amount": 185}, {"order": "SO-48214"}, {"message": "Café for Anne"}, {"order": "SO-4821O"}],
)
def test_another_act_is_another_act(cast: Cast, changed: dict[str, Any]) -> None:
    reject(cast, propose(cast, arguments=ARGUMENTS))

    assert resubmit(cast, {**ARGUMENTS, **changed}).state == ActionState.ALLOWED


def test_another_subject_environment_or_agent_is_another_act(cast: Cast) -> None:
    reject(cast, propose(cast, arguments=ARGUMENTS, subject="anna"))

    assert resubmit(cast, subject="bert").state == ActionState.ALLOWED
    assert resubmit(cast, environment="staging", subject="anna").state == ActionState.ALLOWED
    assert codes(resubmit(cast, subject=" ANNA")) == ["denied_before"]


def test_what_is_declared_cosmetic_or_normalised_is_no_other_act(cast: Cast) -> None:
    action_types.change(
        action_type=cast.refund,
        cosmetic_pointers=["/message"],
        normalised_fields={"/order": ["casefold"]},
        actor=Actor.person(cast.olga),
        now=database_now(),
    )
    reject(cast, propose(cast, arguments=ARGUMENTS))

    assert codes(resubmit(cast, {**ARGUMENTS, "message": "Quite another"})) == ["denied_before"]
    assert codes(resubmit(cast, {"order": "so-48213", "amount": 184})) == ["denied_before"]


def test_a_refusal_is_forgotten_after_its_time(cast: Cast) -> None:
    now = database_now()
    first = propose(cast, arguments=ARGUMENTS)
    reject(cast, first)
    ActionRequest.objects.filter(pk=first.pk).update(closed_at=now - timedelta(days=1, seconds=1))
    assert resubmit(cast).state == ActionState.ALLOWED

    ActionRequest.objects.filter(pk=first.pk).update(closed_at=now - timedelta(days=1) + timedelta(minutes=1))
    assert codes(resubmit(cast)) == ["denied_before"]


def test_a_policy_can_leave_refusals_alone(cast: Cast) -> None:
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.9, "audit_rate": 0.01, "denial_memory_seconds": 0},
        author=cast.olga,
        reason="No memory",
        now=database_now(),
    )
    reject(cast, propose(cast, arguments=ARGUMENTS))
    assert resubmit(cast).state == ActionState.ALLOWED


def test_a_rejection_counts_at_once_and_until_it_is_taken_back(cast: Cast) -> None:
    first = propose(cast, arguments=ARGUMENTS)
    item = ReviewItem.objects.get(action=first)
    decided = decide_as(cast.alice, item, DecisionKind.REJECT)
    held = resubmit(cast)
    assert codes(held) == ["denied_before"]

    decisions.undo(decision_id=decided.decision.public_id, reviewer=cast.alice, now=database_now())
    assert resubmit(cast).state == ActionState.ALLOWED
    assert earlier_refusal(held) is None


def test_an_approval_refuses_nothing(cast: Cast) -> None:
    first = propose(cast, arguments=ARGUMENTS)
    decide_as(cast.alice, ReviewItem.objects.get(action=first))
    deadlines.release_due(now=database_now() + AFTER_UNDO)
    assert resubmit(cast).state == ActionState.ALLOWED


def deny_over(cast: Cast, limit: int) -> None:
    rule = {"code": "never", "title": "Never so much", "when": f"args.amount > {limit}", "then": "deny"}
    policies.put_in_force(
        action_type=cast.refund,
        document={"threshold": 0.9, "audit_rate": 0.01, "rules": [rule]},
        author=cast.olga,
        reason="A limit",
        now=database_now(),
    )


def test_what_the_gate_denied_is_held_when_the_rule_is_gone(cast: Cast) -> None:
    deny_over(cast, 100)
    first = resubmit(cast)
    assert first.state == ActionState.DENIED
    deny_over(cast, 1_000)

    again = resubmit(cast)
    assert (again.state, codes(again)) == (ActionState.PENDING_REVIEW, ["denied_before"])
    found = earlier_refusal(again)
    assert found is not None
    assert (found.action_id, found.item_id, found.by) == (first.public_id, "", "")
    assert (found.reasons, found.note, found.refused_at) == (("Never so much",), "", first.closed_at)


def test_a_stop_says_nothing_of_the_act_that_it_refused(cast: Cast) -> None:
    stop = kill_switch.engage(
        scope=KillSwitchScope.EVERYTHING, reason="A fire", engaged_by=cast.olga, now=database_now()
    )
    assert resubmit(cast).state == ActionState.DENIED
    kill_switch.lift(kill_switch=stop, reason="Over", lifted_by=cast.olga, now=database_now())

    assert resubmit(cast).state == ActionState.ALLOWED


def test_the_reviewer_sees_who_refused_it_when_and_why(cast: Cast) -> None:
    first = propose(cast, arguments=ARGUMENTS)
    reject(cast, first, note="Not her order.", reasons=("wrong_arguments",))
    again = resubmit(cast)

    found = earlier_refusal(again)
    assert found is not None
    decision = first.decisions.get()
    assert (found.action_id, found.item_id) == (first.public_id, decision.item.public_id)
    assert (found.title, found.by, found.note) == (first.title, "Alice", "Not her order.")
    assert (found.refused_at, len(found.reasons)) == (decision.decided_at, 1)
    assert earlier_refusal(first) is None


def test_the_question_is_answered_from_its_indexes(cast: Cast) -> None:
    reject(cast, propose(cast, arguments=ARGUMENTS))
    with connection.cursor() as cursor:
        # A table of one row is read whole at any price; forbid it to see that the indexes fit. And they fit
        # whatever the values are.
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        cursor.execute(f"PREPARE asked AS {history._REFUSED}")
        cursor.execute("EXPLAIN EXECUTE asked('sha256:0', '2026-01-01T00:00:00Z', '1', '{kill_switch}')")
        plan = "\n".join(line for (line,) in cursor.fetchall())
        cursor.execute("DEALLOCATE asked")
    assert "action_refused_by_likeness" in plan
    assert "Seq Scan" not in plan


# What an agent might try. Each returns an act that does the same.
CLOTHES: dict[str, Callable[[str], str]] = {
    "space": lambda text: f"  {text.replace(' ', '   ')}\t",
    "capitals": str.upper,
    "small": str.lower,
    "nfd": lambda text: unicodedata.normalize("NFD", text),
    "wide": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "unseen": lambda text: "\u200b".join(text),
    "cyrillic": lambda text: text.translate(str.maketrans("aeopcxAEOPCXTMHBK", "аеорсхАЕОРСХТМНВК")),
    "greek": lambda text: text.translate(str.maketrans("oAEIOPTXMHBKZ", "οΑΕΙΟΡΤΧΜΗΒΚΖ")),
    "dashes": lambda text: text.replace("-", "\u2013"),
}


class RetryUntilYes(RuleBasedStateMachine):
    """An agent whose act was refused dresses it up, again and again."""

    cast: Cast
    refused: ActionRequest

    def __init__(self) -> None:
        super().__init__()
        self.tried = 0
        self.arguments = dict(ARGUMENTS)

    @initialize()
    def refuse(self) -> None:
        self.refused = propose(
            self.cast, arguments=self.arguments, idempotency_key=f"first-{ActionRequest.objects.count()}"
        )
        if codes(self.refused) == ["below_threshold"]:
            reject(self.cast, self.refused)

    @rule(member=st.sampled_from(["order", "message"]), clothes=st.sampled_from(sorted(CLOTHES)))
    def dress(self, member: str, clothes: str) -> None:
        self.arguments[member] = CLOTHES[clothes](self.arguments[member])[:2_000]

    @rule()
    def turn_around(self) -> None:
        self.arguments = dict(reversed(self.arguments.items()))

    @rule(amount=st.sampled_from([184, 184.0]))
    def write_the_amount_otherwise(self, amount: float) -> None:
        self.arguments["amount"] = amount

    @rule()
    def try_again(self) -> None:
        self.tried += 1
        again = resubmit(self.cast, self.arguments, idempotency_key=f"again-{ActionRequest.objects.count()}")
        assert again.state == ActionState.PENDING_REVIEW
        assert "denied_before" in codes(again)

    @invariant()
    def nothing_ran(self) -> None:
        assert not ActionRequest.objects.filter(state=ActionState.ALLOWED).exists()


def test_no_dressing_up_gets_a_refused_act_through(cast: Cast) -> None:
    RetryUntilYes.cast = cast
    run_state_machine_as_test(
        RetryUntilYes, settings=settings(max_examples=12, stateful_step_count=12, deadline=None)
    )
    assert GateCheck.objects.filter(verdict="review").count() > 12


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


@given(value=json_values)
def test_a_likeness_does_not_depend_on_the_order_of_members(value: Any) -> None:
    turned = json.loads(json.dumps(value), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert folded(turned) == folded(value)


@given(text=st.text(max_size=30), form=st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_a_likeness_does_not_depend_on_the_form_of_its_letters(text: str, form: Any) -> None:
    assert folded(unicodedata.normalize(form, text)) == folded(text)

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

import jsonpatch
import jsonschema_rs
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection

from datasets.models import LabelledCase
from datasets.services import case_content, labelling
from datasets.tests.base import Document, Learners, case_of, decide, label, release
from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.clock import database_now
from hitl_site.lib.jsonb import from_jsonb
from hitl_site.lib.strict_json import JsonValue
from policies.models import LedgerCursor
from policies.services import ledger
from reviews.choices import DecisionKind, ItemKind
from reviews.models import Decision, ReviewItem
from reviews.selectors.decisions import pseudonym
from reviews.services import deadlines, decisions
from reviews.services.cancellations import cancel
from reviews.tests.cast import REFUND, decide_as, held, make_cast, propose
from tests.plugins.draws import drawn

SCHEMA = jsonschema_rs.validator_for(
    json.loads((Path(settings.BASE_DIR) / "docs" / "case.schema.json").read_text(encoding="utf-8"))
)


def test_a_correction_says_what_went_in_what_was_proposed_and_what_was_right(learners: Learners) -> None:
    right = {**REFUND, "amount": 12.5}
    decision = decide(
        learners.cast,
        DecisionKind.CORRECT,
        arguments=right,
        reasons=("wrong_arguments",),
        note="One cup of three broke.",
        context={"input": "one cup broken"},
        reason="Customer reports damage",
        subject="customer-7",
        conversation_id="talk-1",
        judge={"name": "second", "score": 0.4},
        samples=[{"order": "SO-48213", "amount": 60}],
    )

    assert label() == 1

    action = decision.action
    gate = action.gate_check
    assert action.action_type is not None
    assert gate.policy_version is not None
    assert decision.opened_at is not None
    case = LabelledCase.objects.get()
    assert case.content == {
        "format": "handrail.case/2",
        "id": case.public_id,
        "kind": "proposal",
        "action": {
            "id": action.public_id,
            "type": "refund.issue",
            "mode": "gated",
            "environment": "production",
            "subject": "customer-7",
            "conversation_id": "talk-1",
            "created_at": case_content.instant(action.created_at),
        },
        "action_type": {
            "title": action.action_type.title,
            "argument_schema": action.action_type.argument_schema,
            "cluster_pointer": "",
        },
        "agent": {"name": "clerk", "version": "1", "fingerprint": ""},
        "input": {
            "context": {"input": "one cup broken"},
            "reason": "Customer reports damage",
            "samples": [{"order": "SO-48213", "amount": 60}],
            "judge": {"name": "second", "score": 0.4, "rationale": None},
        },
        "proposal": {
            "arguments": REFUND,
            "digest": action.digest,
            "confidence": 0.71,
            "judge_score": 0.4,
            "sample_agreement": action.sample_agreement,
        },
        "decision": {
            "id": decision.public_id,
            "kind": "correct",
            "reasons": ["wrong_arguments"],
            "note": "One cup of three broke.",
            "decided_at": case_content.instant(decision.decided_at),
            "considered": True,
            "blind": False,
            "reviewer": pseudonym(learners.cast.alice.pk),
            "reviewers": [pseudonym(learners.cast.alice.pk)],
            "checklist": [],
            "policy_version": {"id": gate.policy_version.public_id, "number": 1},
        },
        "truth": {"should_act": True, "arguments": right},
        "patch": [{"op": "replace", "path": "/amount", "value": 12.5}],
        "differences": [{"pointer": "/amount", "kind": "wrong_value", "before": 184, "after": 12.5}],
        "changed_fields": ["/amount"],
        "label": "corrected",
        "label_source": "review",
        "label_strength": "strong",
        "gate": {
            "verdict": "review",
            "route": "held",
            "trigger": gate.trigger,
            "reasons": [reason["code"] for reason in gate.reasons],
            "score": gate.score,
            "score_source": gate.score_source,
            "threshold": 0.9,
            "level": "threshold",
            "propensity": gate.propensity,
            "min_propensity": gate.min_propensity,
            "audit_selected": False,
            "policy_version": {"id": gate.policy_version.public_id, "number": 1},
        },
        "attention": {
            "decision_ms": decision.decision_ms,
            "arguments_seen": False,
            "parts_opened": [],
            "opened_at": case_content.instant(decision.opened_at),
        },
        "cluster": gate.cluster_key,
        "group": "subject:customer-7",
        "lineage": {
            "action_id": action.public_id,
            "digest": action.digest,
            "final_digest": decision.final_digest,
            "parent_action_id": None,
            "conversation_id": "talk-1",
            "item_id": decision.item.public_id,
            "decision_id": decision.public_id,
        },
        "ledger_seq": case.ledger_seq,
    }
    assert case.content_sha256 == sha256_hex(canonicalize(case.content))
    assert (case.label, case.source, case.strength) == ("corrected", "review", "strong")
    assert jsonpatch.apply_patch(REFUND, case.content["patch"]) == right
    SCHEMA.validate(case.content)


def test_an_approval_is_right_as_proposed_and_a_rejection_should_not_have_been_done(
    learners: Learners,
) -> None:
    approved = decide(learners.cast)
    rejected = decide(learners.cast, DecisionKind.REJECT)

    assert label() == 2

    assert case_of(approved)["truth"] == {"should_act": True, "arguments": REFUND}
    assert case_of(rejected)["truth"] == {"should_act": False, "arguments": None}
    for decision in (approved, rejected):
        case = case_of(decision)
        assert (case["patch"], case["changed_fields"]) == ([], [])
        assert case["group"] == f"action:{decision.action.public_id}"
        SCHEMA.validate(case)


HARD: dict[str, JsonValue] = {
    "tiny": 5e-324,
    "third": 0.1 + 0.2,
    "huge": 1e300,
    "exponent": 1e21,
    "largest": 9007199254740991,
    "least": -9007199254740991,
    "yes": True,
    "one": 1,
    "nothing": None,
    "text": "\u202eevil\u200b \ue000 \U0001f600",
    "deep": [[{"a/b": {"~": [1e-7]}}]],
}


def test_numbers_and_texts_stay_what_the_agent_sent(learners: Learners) -> None:
    right: dict[str, JsonValue] = {**HARD, "huge": 2e300, "one": True}
    decision = decide(
        learners.cast,
        DecisionKind.CORRECT,
        action_type="never.declared",
        arguments=right,
        context={"h": HARD},
        proposed=HARD,
    )

    assert label() == 1

    # What jsonb gave back is made exact again, down to the type of each number.
    case = cast(Document, from_jsonb(case_of(decision)))
    proposed = case["proposal"]["arguments"]
    assert repr(proposed) == repr({name: HARD[name] for name in proposed})
    assert canonicalize(proposed) == canonicalize(HARD)
    assert canonicalize(case["truth"]["arguments"]) == canonicalize(right)
    assert canonicalize(case["input"]["context"]) == canonicalize({"h": HARD})
    assert sorted(case["changed_fields"]) == ["/huge", "/one"]
    assert canonicalize(jsonpatch.apply_patch(HARD, case["patch"])) == canonicalize(right)
    stored = LabelledCase.objects.get()
    row = canonicalize(from_jsonb(stored.content))
    assert sha256_hex(row) == stored.content_sha256
    SCHEMA.validate(json.loads(row))


def test_labelling_again_makes_no_second_case(learners: Learners) -> None:
    decide(learners.cast)
    assert label() == 1
    # As an operator would who wants to be sure.
    LedgerCursor.objects.filter(reader=labelling.READER).update(seq=0)

    assert label() == 0

    assert LabelledCase.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_workers_that_label_at_the_same_time_make_one_case_each_decision() -> None:
    people = make_cast()
    for _ in range(6):
        decide(people)
    release()

    _at_once(4, lambda: labelling.label_cases(now=database_now(), limit=20))
    label()

    assert LabelledCase.objects.count() == 6
    assert LabelledCase.objects.values("decision_id").distinct().count() == 6


def test_a_death_before_the_commit_leaves_everything_to_be_labelled(
    learners: Learners, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(learners.cast)
    release()

    def die(**_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ledger, "advance", die)
        with pytest.raises(KeyboardInterrupt):
            labelling.label_cases(now=database_now())

    assert not LabelledCase.objects.exists()
    assert label() == 1


def test_what_cannot_be_written_stops_the_reader_and_is_not_skipped(
    learners: Learners, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = (decide(learners.cast) for _ in range(3))
    release()
    build = case_content.build

    def fail_on_second(**given: object) -> object:
        if given["decision"] == second:
            raise ValueError("a bug of ours")
        return build(**given)  # type: ignore[arg-type]  # passed through

    with monkeypatch.context() as patched:
        patched.setattr(case_content, "build", fail_on_second)
        assert label() == 1
        assert set(LabelledCase.objects.values_list("decision_id", flat=True)) == {first.public_id}

    assert label() == 2
    assert LabelledCase.objects.filter(decision_id=third.public_id).exists()


def test_what_nobody_answered_for_becomes_no_case(learners: Learners) -> None:
    people = learners.cast
    propose(people, timeout="1s")
    cancel(action_id=propose(people).public_id, agent=people.clerk, now=database_now())
    undone = decide(people)
    decisions.undo(decision_id=undone.public_id, reviewer=people.alice, now=database_now())
    undone.item.action.refresh_from_db()
    deadlines.expire_due(now=database_now() + timedelta(days=30))

    assert label() == 0

    assert not LabelledCase.objects.exists()
    assert labelling.label_cases(now=database_now()).entries == 0


@pytest.mark.parametrize("kind", [ItemKind.DRILL])
def test_items_that_ask_another_question_become_no_case(learners: Learners, kind: ItemKind) -> None:
    item = held(learners.cast)
    ReviewItem.objects.filter(pk=item.pk).update(kind=kind)
    item.refresh_from_db()
    decide(learners.cast, item=item)

    assert label() == 0


def test_an_approval_in_bulk_is_a_weak_label(learners: Learners) -> None:
    decision = decide(learners.cast, bulk=True)

    label()

    assert case_of(decision)["label_strength"] == "weak"
    assert LabelledCase.objects.get().strength == "weak"


def test_only_what_the_draw_chose_is_an_audit_label(learners: Learners) -> None:
    people = learners.cast
    drawn = _audit(people.alice, _ran_alone_and_drawn(learners))
    # Observed, and held by the policy too late: looked at afterwards, but not at random.
    late = propose(people, mode="observed")
    judged = _audit(people.alice, ReviewItem.objects.get(action=late))

    label()

    assert case_of(drawn)["label_source"] == "audit"
    assert case_of(drawn)["gate"]["audit_selected"] is True
    assert case_of(drawn)["decision"]["blind"] is True
    assert case_of(judged)["label_source"] == "review"


def test_the_group_is_the_coarsest_one_known(learners: Learners) -> None:
    people = learners.cast
    by_talk = decide(people, conversation_id="talk-1")
    by_subject = decide(people, conversation_id="talk-1", subject="customer-7")
    long = decide(people, subject="x" * 200)

    label()

    assert case_of(by_talk)["group"] == "conversation:talk-1"
    assert case_of(by_subject)["group"] == "subject:customer-7"
    assert case_of(long)["group"] == f"subject:sha256:{sha256_hex(b'x' * 200)}"


def _ran_alone_and_drawn(learners: Learners) -> ReviewItem:
    with drawn():
        action = propose(learners.cast, action_type="note.add", arguments={"n": 1}, confidence=0.99)
    return ReviewItem.objects.get(action=action)


def _audit(person: User, item: ReviewItem) -> Decision:
    return decide_as(person, item).decision


def _at_once(count: int, act: Callable[[], object]) -> None:
    barrier, errors = threading.Barrier(count), []

    def run() -> None:
        try:
            barrier.wait()
            act()
        except Exception as exc:
            errors.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []

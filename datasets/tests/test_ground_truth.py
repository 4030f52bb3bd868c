"""What the world said later: kept once, apart from labels, and a reason to look again."""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client

from datasets.choices import Label
from datasets.engine.disputes import contradicts
from datasets.models import CaseCuration, GroundTruth, LabelledCase, LabelRevision
from datasets.selectors.late_truth import LateTruth
from datasets.services import adjudicating, ground_truth, labelling
from datasets.services.ground_truth import Report
from datasets.services.later import composed
from datasets.tests.base import Learners, decide, label, release
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.clock import database_now
from policies.choices import Scope
from policies.models import LedgerCursor, LedgerEntry
from policies.services import agents
from policies.services.ledger import Actor
from reviews.choices import DecisionKind
from reviews.models import ActionRequest, Decision, ReviewItem
from reviews.services import second_opinions
from reviews.tests.cast import REFUND, decide_as, make_cast, propose

CHARGEBACK: dict[str, Any] = {"correct": False, "source": "chargeback", "detail": {"fee": 15}}


def test_a_chargeback_against_an_approval_is_kept_apart_and_disputes_the_case(learners: Learners) -> None:
    decision = decide(learners.cast)
    label()

    answer = _send(learners, decision.action, {**CHARGEBACK, "occurred_at": "2026-03-01T10:00:00+01:00"})
    assert label() == 0

    assert answer.status_code == 201
    truth = GroundTruth.objects.get()
    assert answer.json() == {
        "id": truth.public_id,
        "action_id": decision.action.public_id,
        "correct": False,
        "source": "chargeback",
        "contradicts": True,
        "received_at": answer.json()["received_at"],
    }
    case = LabelledCase.objects.get()
    assert case.label == "approved"
    document: Any = composed(case)
    assert document["label"] == "approved"
    assert document["later"]["disputed"] is True
    assert document["later"]["ground_truth"] == [
        {
            "id": truth.public_id,
            "correct": False,
            "arguments": None,
            "source": "chargeback",
            "detail": {"fee": 15},
            "contradicts": True,
            "occurred_at": "2026-03-01T09:00:00Z",
            "received_at": document["later"]["ground_truth"][0]["received_at"],
        }
    ]
    curation = CaseCuration.objects.get()
    assert curation.case == case
    assert curation.disputed_because == "Ground truth (chargeback) says that it was wrong."
    assert _entries("ground_truth.received") == [truth.public_id]
    assert _entries("case.disputed") == [case.public_id]


def test_ground_truth_that_came_before_the_decision_was_labelled_disputes_it_too(learners: Learners) -> None:
    action = propose(learners.cast)
    assert _send(learners, action, CHARGEBACK).json()["contradicts"] is False
    decide(learners.cast, item=ReviewItem.objects.get(action=action))

    assert label() == 1

    assert CaseCuration.objects.get().disputed_at is not None
    # Read again from the start, as an operator might have it: nothing is disputed twice.
    LedgerCursor.objects.filter(reader=labelling.READER).update(seq=0)
    assert labelling.label_cases(now=database_now()).disputes == 0
    assert len(_entries("case.disputed")) == 1


def test_a_decision_in_its_undo_window_is_contradicted_already(learners: Learners) -> None:
    decision = decide(learners.cast)

    assert _send(learners, decision.action, CHARGEBACK).json()["contradicts"] is True


def test_what_bears_a_person_out_disputes_nothing(learners: Learners) -> None:
    approved = decide(learners.cast)
    rejected = decide(learners.cast, DecisionKind.REJECT)
    nobody = propose(learners.cast, action_type="note.add", arguments={"n": 1}, confidence=0.99)
    label()

    right = {"correct": True, "source": "audit"}
    answers = [_send(learners, approved.action, right), _send(learners, rejected.action, CHARGEBACK)]
    answers.append(_send(learners, nobody, CHARGEBACK))
    label()

    assert [answer.status_code for answer in answers] == [201, 201, 201]
    assert [answer.json()["contradicts"] for answer in answers] == [False, False, False]
    assert not CaseCuration.objects.exists()


def test_the_newest_answer_is_what_ground_truth_is_held_against(learners: Learners) -> None:
    decision = decide(learners.cast)
    label()
    case = LabelledCase.objects.get()
    right = {**REFUND, "amount": 12.5}
    LabelRevision.objects.create(
        case=case,
        number=1,
        kind="adjudication",
        label="corrected",
        arguments_canonical=canonicalize(right),
        note="The photos show one cup.",
        author=learners.mia,
        author_name="Mia",
        created_at=database_now(),
    )

    _send(learners, decision.action, {**CHARGEBACK, "arguments": right})
    label()

    assert not CaseCuration.objects.exists()
    document: Any = composed(case)
    assert document["label"] == "corrected"
    assert document["truth"]["arguments"] == right
    assert [revision["number"] for revision in document["later"]["revisions"]] == [0, 1]


def test_a_second_opinion_that_says_otherwise_disputes_the_case_and_is_no_case(learners: Learners) -> None:
    agreed, disputed = decide(learners.cast), decide(learners.cast)
    label()

    _second_opinion(learners, agreed.action, DecisionKind.APPROVE)
    _second_opinion(learners, disputed.action, DecisionKind.REJECT)
    assert label() == 0

    curation = CaseCuration.objects.get()
    assert curation.case.decision_id == disputed.public_id
    assert curation.disputed_because == "A second opinion says otherwise: rejected."


def test_the_same_report_again_is_answered_with_the_first_one(learners: Learners) -> None:
    action = decide(learners.cast).action
    first = _send(learners, action, CHARGEBACK)

    again = _send(learners, action, CHARGEBACK)
    other = _send(learners, action, {**CHARGEBACK, "source": "complaint"})

    assert (again.status_code, again["Idempotent-Replayed"]) == (200, "true")
    assert again.json() == first.json()
    assert (other.status_code, other.json()["type"].rsplit("/", 2)[-2]) == (422, "idempotency-key-reused")
    assert GroundTruth.objects.count() == 1
    assert len(_entries("ground_truth.received")) == 1


def test_another_agents_action_is_not_found(learners: Learners) -> None:
    action = decide(learners.cast).action
    now = database_now()
    stranger = agents.create_agent(name="stranger", owner=learners.cast.olga, actor=Actor.system(), now=now)
    _, token = agents.create_key(agent=stranger, scopes=[Scope.LABELS_WRITE], actor=Actor.system(), now=now)

    answer = _post(token, action.public_id, CHARGEBACK)

    assert answer.status_code == 404
    assert not GroundTruth.objects.exists()


def test_a_key_without_the_scope_may_not_report(learners: Learners) -> None:
    action = decide(learners.cast).action
    _, token = agents.create_key(
        agent=learners.cast.clerk,
        scopes=[Scope.ACTIONS_CREATE],
        actor=Actor.system(),
        now=database_now(),
    )

    assert _post(token, action.public_id, CHARGEBACK).status_code == 403
    assert not GroundTruth.objects.exists()


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"correct": "no"}, "/correct"),
        ({"source": ""}, "/source"),
        ({"source": "Charge back"}, "/source"),
        ({"arguments": [1]}, "/arguments"),
        ({"correct": True, "arguments": {"amount": 1}}, "/arguments"),
        ({"occurred_at": "yesterday"}, "/occurred_at"),
        ({"occurred_at": "2026-03-01T09:00:00"}, "/occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "/occurred_at"),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_a_body_that_says_nothing_clear_is_refused(
    learners: Learners, change: dict[str, Any], pointer: str
) -> None:
    action = decide(learners.cast).action

    answer = _send(learners, action, {**CHARGEBACK, **change})

    assert answer.status_code == 422
    assert [fault["pointer"] for fault in answer.json()["errors"]] == [pointer]
    assert not GroundTruth.objects.exists()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"correct": True}, False),
        ({"label": "rejected"}, False),
        ({}, True),
        ({"label": "corrected"}, True),
        # Observed: what had been done was the proposal, and the correction says that it was wrong.
        ({"label": "corrected", "ran_as_decided": False}, False),
        ({"label": "approved", "ran_as_decided": False}, True),
        ({"arguments": {"amount": 12.5}}, True),
        ({"arguments": {"amount": 60}}, False),
    ],
)
def test_ground_truth_contradicts_what_a_person_let_pass(said: dict[str, Any], expected: bool) -> None:
    given: dict[str, Any] = {
        "label": "approved",
        "truth": {"amount": 60},
        "ran_as_decided": True,
        "correct": False,
        "arguments": None,
    }

    assert contradicts(**(given | said)) is expected


@pytest.mark.django_db(transaction=True)
def test_reports_with_one_key_at_the_same_time_keep_one() -> None:
    people = make_cast()
    actions = [propose(people) for _ in range(2)]
    barrier, outcomes = threading.Barrier(6), []

    def report(action: ActionRequest) -> None:
        barrier.wait()
        try:
            received = ground_truth.receive(
                action_id=action.public_id,
                agent=people.clerk,
                report=Report(correct=False, source="audit"),
                idempotency_key="one",
                now=database_now(),
            )
            outcomes.append("replayed" if received.replayed else "kept")
        except ground_truth.KeyReused:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=report, args=(actions[number % 2],)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["kept", "refused", "refused", "refused", "replayed", "replayed"]
    assert GroundTruth.objects.count() == 1
    assert len(_entries("ground_truth.received")) == 1


def test_the_page_of_a_case_shows_the_dispute_and_what_the_world_said(learners: Learners) -> None:
    decision, other = decide(learners.cast), decide(learners.cast)
    label()
    report = {**CHARGEBACK, "detail": {"why": "<b>not me</b>\u202e"}, "arguments": {**REFUND, "amount": 12.5}}
    _send(learners, decision.action, report)
    _send(learners, other.action, {"correct": True, "source": "audit"})
    label()
    vic = Client()
    vic.force_login(learners.vic)
    case = LabelledCase.objects.get(decision_id=decision.public_id)

    page = vic.get(f"/cases/{case.public_id}/").content.decode()
    disputed = vic.get("/cases/", {"standing": "disputed"})
    told = vic.get("/cases/", {"standing": "ground_truth"})

    assert "Ground truth (chargeback) says that it was wrong." in page
    assert "&lt;b&gt;not me&lt;/b&gt;" in page
    assert "<b>not me" not in page
    assert "against what a person let pass" in page
    assert [each.public_id for each in disputed.context["page"].items] == [case.public_id]
    assert len(told.context["page"].items) == 2
    assert told.context["late_truth"] == LateTruth(reports=2, wrong=1, against_people=1, disputed=1)
    assert "disputed case" in disputed.content.decode()
    assert "against what a person let pass" in vic.get("/datasets/").content.decode()
    assert vic.get("/cases/", {"standing": "odd"}).status_code == 400


def test_the_page_of_an_edited_case_shows_the_newest_answer_and_every_other(learners: Learners) -> None:
    decision = decide(learners.cast)
    label()
    case = LabelledCase.objects.get(decision_id=decision.public_id)
    LabelRevision.objects.create(
        case=case,
        number=1,
        kind="edit",
        label="corrected",
        arguments_canonical=canonicalize({**REFUND, "amount": 12.5}),
        note="The photos show one cup.",
        author=learners.mia,
        author_name="Mia",
        created_at=database_now(),
    )
    vic = Client()
    vic.force_login(learners.vic)

    page = vic.get(f"/cases/{case.public_id}/").content.decode()

    assert "<ins>12.5</ins>" in page
    assert "Wrong value" in page
    assert "First answer" in page
    assert "The photos show one cup." in page
    # A word of its own: three letters stand by chance in a token of the page.
    assert re.search(r"\bMia\b", page) is None


def test_a_person_settles_a_dispute_and_every_answer_stays(learners: Learners) -> None:
    case = _disputed(learners)
    mia = Client()
    mia.force_login(learners.mia)
    right = {**REFUND, "amount": 12.5}

    shown = mia.get(f"/cases/{case.public_id}/").content.decode()
    odd = mia.post(_settle(case), {"label": "corrected", "arguments": "{", "note": "The photos."})
    same = mia.post(_settle(case), {"label": "corrected", "arguments": json.dumps(REFUND), "note": "Photos."})
    assert [answer.status_code for answer in (odd, same)] == [422, 422]
    assert "The photos." in odd.content.decode()
    assert not LabelRevision.objects.exists()
    done = mia.post(_settle(case), {"label": "corrected", "arguments": json.dumps(right), "note": "Photos."})
    again = mia.post(_settle(case), {"label": "rejected", "note": "Photos."})

    assert "Settle the dispute" in shown
    assert (done.status_code, again.status_code) == (302, 422)
    document: Any = composed(case)
    assert (document["label"], document["truth"]["arguments"]) == ("corrected", right)
    assert document["later"]["disputed"] is False
    assert [(each["kind"], each["label"]) for each in document["later"]["revisions"]] == [
        ("first", "approved"),
        ("adjudication", "corrected"),
    ]
    assert _entries("case.adjudicated") == [case.public_id]
    assert "Settle the dispute" not in mia.get(f"/cases/{case.public_id}/").content.decode()


def test_who_gave_the_answer_or_may_not_curate_settles_nothing(learners: Learners) -> None:
    case = _disputed(learners)
    answer = {"label": "rejected", "note": "It was never ordered."}
    vic, alice = Client(), Client()
    vic.force_login(learners.vic)
    learners.cast.alice.groups.add(Group.objects.get(name="ml_engineer"))
    alice.force_login(learners.cast.alice)

    assert "Settle the dispute" not in vic.get(f"/cases/{case.public_id}/").content.decode()
    assert vic.post(_settle(case), answer).status_code == 403
    own = alice.post(_settle(case), answer)
    assert own.status_code == 422
    assert "The answer in dispute is yours; somebody else settles it." in own.content.decode()
    assert not LabelRevision.objects.exists()
    assert CaseCuration.objects.get().disputed_at is not None


def test_a_settled_case_is_disputed_again_by_what_comes_later(learners: Learners) -> None:
    case = _disputed(learners)
    adjudicating.settle(
        case_id=case.public_id,
        label=Label.APPROVED,
        arguments=None,
        note="The bank was wrong.",
        by=learners.mia,
        now=database_now(),
    )
    action = ActionRequest.objects.get(public_id=case.action_id)
    ground_truth.receive(
        action_id=action.public_id,
        agent=learners.cast.clerk,
        report=Report(correct=False, source="audit"),
        idempotency_key="later",
        now=database_now(),
    )

    label()

    assert CaseCuration.objects.get().disputed_because == "Ground truth (audit) says that it was wrong."
    assert len(_entries("case.disputed")) == 2


def _disputed(learners: Learners) -> LabelledCase:
    decision = decide(learners.cast)
    _send(learners, decision.action, CHARGEBACK)
    label()
    return LabelledCase.objects.get(decision_id=decision.public_id)


def _settle(case: LabelledCase) -> str:
    return f"/cases/{case.public_id}/settle/"


def _second_opinion(learners: Learners, action: ActionRequest, kind: DecisionKind) -> Decision:
    opinion = second_opinions.ask(action=action, because="A test", now=database_now())
    assert opinion is not None
    reasons = ("wrong_arguments",) if kind != DecisionKind.APPROVE else ()
    decision = decide_as(learners.cast.bob, opinion.item, kind, reasons=reasons).decision
    release()
    return decision


def _send(learners: Learners, action: ActionRequest, body: dict[str, Any]) -> Any:
    _, token = agents.create_key(
        agent=learners.cast.clerk, scopes=list(Scope), actor=Actor.system(), now=database_now()
    )
    return _post(token, action.public_id, body)


def _post(token: str, action_id: str, body: dict[str, Any]) -> Any:
    return Client().post(
        f"/api/v1/actions/{action_id}/ground-truth",
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": f"truth-of-{action_id}"},
    )


def _entries(verb: str) -> list[str]:
    return list(LedgerEntry.objects.filter(verb=verb).order_by("id").values_list("object_id", flat=True))

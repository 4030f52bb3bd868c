"""What becomes of a case when two reviewers differ, a lead settles it, or the world says otherwise."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from datasets.models import CaseCuration, LabelledCase
from datasets.services import ground_truth, settlements
from datasets.services.ground_truth import Report
from datasets.services.later import composed
from datasets.tests.base import Learners, decide, label, release
from hitl_site.lib.clock import database_now
from policies.models import ActionType, DoubleReview, LedgerEntry
from reviews.choices import DecisionKind, ItemKind
from reviews.models import ActionRequest, Decision, ReviewItem, SecondOpinion
from reviews.tests.cast import REFUND, decide_as, make_person

RIGHT = {**REFUND, "amount": 150}


def _disagree(learners: Learners) -> ReviewItem:
    """Let Alice approve and Bob, asked again, reject; return what a lead has to settle."""
    ActionType.objects.update(second_opinion_rate=1.0)
    decide(learners.cast)
    release()
    decide_as(learners.cast.bob, ReviewItem.objects.get(kind=ItemKind.SECOND_OPINION), DecisionKind.REJECT)
    release()
    return ReviewItem.objects.get(kind=ItemKind.ADJUDICATION)


def _settle(lead: User, item: ReviewItem) -> Decision:
    return decide_as(
        lead, item, DecisionKind.CORRECT, arguments=RIGHT, note="150 was paid", reasons=("wrong_arguments",)
    ).decision


def test_a_disagreement_disputes_the_case_until_a_lead_settles_it(learners: Learners) -> None:
    lead = make_person("Lena", "lead")
    item = _disagree(learners)
    label()
    case = LabelledCase.objects.get()
    assert CaseCuration.objects.get().disputed_because == "A second opinion says otherwise: rejected."

    decision = _settle(lead, item)
    label()
    document: Any = composed(case)
    assert (document["label"], document["truth"]["arguments"]) == ("corrected", RIGHT)
    assert document["later"]["disputed"] is False
    revision = case.revisions.get()
    assert (revision.kind, revision.author, revision.note) == ("adjudication", lead, "150 was paid")
    assert revision.reasons == ["wrong_arguments"]
    adjudicated = LedgerEntry.objects.get(verb="case.adjudicated")
    told: Any = adjudicated.payload.body
    assert told["before"] == {
        "label": "approved",
        "disputed": True,
        "because": "A second opinion says otherwise: rejected.",
    }
    # The first answer stays what it was; the lead's is no case of its own, and read again it adds nothing.
    assert LabelledCase.objects.get().label == "approved"
    assert settlements.apply(decision_id=decision.public_id, now=database_now()) is None
    assert case.revisions.count() == 1


def test_it_is_the_same_when_everything_is_read_in_one_go(learners: Learners) -> None:
    lead = make_person("Lena", "lead")
    _settle(lead, _disagree(learners))
    release()
    assert not LabelledCase.objects.exists()
    label()
    case = LabelledCase.objects.get()
    assert case.revisions.get().label == "corrected"
    assert CaseCuration.objects.get().disputed_at is None


def test_ground_truth_against_an_approval_asks_for_a_second_look_blind_to_why(learners: Learners) -> None:
    action = decide(learners.cast).action
    release()
    _report(learners, action, key="one")
    _report(learners, action, key="one")
    _report(learners, action, key="two")

    opinion = SecondOpinion.objects.select_related("item").get()
    assert opinion.because == "Ground truth (chargeback) says that it was wrong."
    assert (opinion.propensity, opinion.item.blind) == (None, True)
    decide_as(learners.cast.bob, opinion.item, DecisionKind.REJECT)
    release()
    assert DoubleReview.objects.get().propensity is None


def test_ground_truth_that_bears_an_answer_out_asks_nobody(learners: Learners) -> None:
    action = decide(learners.cast, DecisionKind.REJECT).action
    release()
    _report(learners, action, key="one")
    assert not SecondOpinion.objects.exists()


def _report(learners: Learners, action: ActionRequest, *, key: str) -> None:
    ground_truth.receive(
        action_id=action.public_id,
        agent=learners.cast.clerk,
        report=Report(correct=False, source="chargeback"),
        idempotency_key=key,
        now=database_now(),
    )

"""What comes to a removed case, or to one that is being removed, brings nothing back; a hold keeps all."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from pytest_django import Settings

from datasets.choices import DataKind, Label
from datasets.models import (
    Conversation,
    ConversationCheck,
    EvalResult,
    GroundTruth,
    LabelledCase,
    LabelRevision,
    Omission,
)
from datasets.services import (
    conversations,
    curating,
    evaluating,
    ground_truth,
    holds,
    labelling,
    retention,
    taking_away,
)
from datasets.services.evaluating import Sent
from datasets.services.ground_truth import Report
from datasets.tests.base import decide, label, make_learners, release
from datasets.tests.evals import begin, make_judged, order, right, send
from datasets.tests.test_conversations import drawn, missing
from datasets.tests.test_erasure import ask, finish, settle
from datasets.tests.test_erasure_beside_freezing import in_thread, somebody_waits_for_the_lock
from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from policies.choices import RemovalKind, RemovalState
from policies.models import LedgerPayload, Removal
from reviews.models import ActionContext, ActionRequest, Decision, ReviewItem, SecondOpinion
from reviews.tests.cast import Cast, decide_as, make_cast, make_person, propose

SUBJECT = "kanarienvogel-subject"

pytestmark = pytest.mark.django_db(transaction=True)


def begin_removal() -> Removal:
    return Removal.objects.create(
        public_id=ids.new("rtn"),
        kind=RemovalKind.RETENTION,
        reason="?",
        asked_by_name="?",
        asked_at=database_now(),
    )


def end(removal: Removal) -> None:
    Removal.objects.filter(pk=removal.pk).update(state=RemovalState.DONE, finished_at=database_now())


@transaction.atomic
def take_away(case_id: str) -> None:
    removal = begin_removal()
    taking_away.name(removal)
    taking_away.cases(removal, LabelledCase.objects.filter(public_id=case_id), now=database_now())
    end(removal)


def test_what_a_runner_makes_of_a_case_that_is_gone_by_then_is_not_kept() -> None:
    judged = make_judged(make_cast())
    run, (gone, kept) = begin(judged), judged.corrected
    answers = [right(case) for case in judged.all if case != gone]
    echo = Sent(case=gone, acted=True, output={**order(1), "message": "Dear Kanarienvogel"})
    take_away(gone)

    first = send(run, *answers, echo)
    again = send(run, echo)

    assert (first[-1].passed, first[-1].why, again[0].taken) == (None, "The case was erased.", "same")
    result = EvalResult.objects.get(case__public_id=gone)
    assert (result.output_canonical, result.error, result.detail["places"]) == (None, "", [])
    # It cannot be asked any more: nothing is in the way of a version that passes the rest.
    assert evaluating.failed_corrections(agent_version=_tested(run.tested)) == []
    assert EvalResult.objects.get(case__public_id=kept).output_canonical is not None


def test_a_run_ends_without_the_cases_that_nobody_is_shown_any_more() -> None:
    judged = make_judged(make_cast())
    begun, (before, after) = begin(judged), judged.corrected
    take_away(before)
    later = begin(judged)
    assert (begun.cases_total, later.cases_total) == (5, 4)
    answers = [right(case) for case in judged.all if case not in judged.corrected]
    last = right(after)
    for run in (begun, later):
        send(run, *answers)
    take_away(after)

    # The same again takes nothing in, and finds that nothing is asked any more.
    send(begun, answers[0])
    send(later, last)

    for run in (begun, later):
        run.refresh_from_db()
    assert (begun.state, begun.cases_done, begun.cases_total) == ("done", 3, 3)
    assert (later.state, later.cases_done, later.cases_total) == ("done", 4, 4)


def test_a_report_on_an_erased_action_is_counted_and_says_nothing(settings: Settings) -> None:
    people = make_learners()
    decision = decide(people.cast, subject=SUBJECT)
    label()
    settle()
    assert finish(ask(people)).state == RemovalState.DONE
    action = ActionRequest.objects.get(pk=decision.action_id)

    def report() -> ground_truth.Received:
        return ground_truth.receive(
            action_id=action.public_id,
            agent=people.cast.clerk,
            report=Report(
                correct=False,
                source="complaint",
                arguments={"order": "kanarienvogel"},
                detail={"who": "kanarienvogel"},
            ),
            idempotency_key="late",
            now=database_now(),
        )

    assert [report().replayed, report().replayed] == [False, True]
    kept = GroundTruth.objects.get()
    assert (kept.correct, kept.contradicts, kept.arguments_canonical, kept.detail) == (False, True, None, {})
    assert not SecondOpinion.objects.exists()


@pytest.mark.parametrize("act", ["edit", "tag", "answer"])
def test_who_writes_while_a_batch_is_taken_away_finds_it_gone(act: str, settings: Settings) -> None:
    settings.OMISSION_SHARE = 1.0
    cast = make_cast()
    mia = make_person("Mia", "ml_engineer")
    decide(cast)
    check = drawn(cast)
    label()
    case = LabelledCase.objects.get()
    acts: dict[str, Callable[[], Any]] = {
        "edit": lambda: curating.edit_label(
            case_id=case.public_id,
            label=Label.REJECTED,
            arguments=None,
            note="Kanarienvogel called",
            seen=0,
            by=mia,
            now=database_now(),
        ),
        "tag": lambda: curating.change_tags(
            case_ids=[case.public_id], add=["kanarienvogel"], by=mia, now=database_now()
        ),
        "answer": lambda: missing(cast, check, order="kanarienvogel"),
    }
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            removal = begin_removal()
            taking_away.name(removal)
            late = in_thread(pool, acts[act])
            somebody_waits_for_the_lock()
            taking_away.cases(removal, LabelledCase.objects.filter(pk=case.pk), now=database_now())
            taking_away.conversations(removal, [check.conversation_id], now=database_now())
            end(removal)
        with pytest.raises((curating.UnableToAnswer, conversations.UnableToCheck), match="erased"):
            late.result()

    assert not LabelRevision.objects.exists()
    assert not Omission.objects.exists()
    case.refresh_from_db()
    assert not hasattr(case, "curation") or case.curation.tags == []


def held_talk(cast: Cast) -> tuple[ConversationCheck, LabelledCase]:
    check = drawn(cast)
    missing(cast, check)
    release()
    labelling.label_cases(now=database_now())
    return check, LabelledCase.objects.get(kind="omission")


@pytest.mark.parametrize("named", ["conversation", "type"])
def test_a_hold_keeps_what_was_missing_in_a_conversation_and_what_the_ledger_says_of_it(
    settings: Settings, named: str
) -> None:
    settings.OMISSION_SHARE, settings.RETENTION_FLOOR_DAYS = 1.0, 1
    cast = make_cast()
    check, case = held_talk(cast)
    hold = holds.place(
        action_type="refund.issue" if named == "type" else "",
        subject="",
        conversation_id="talk-1" if named == "conversation" else "",
        reason="A lawsuit",
        by=cast.olga,
        now=database_now(),
    )
    for kind in (DataKind.CASES, DataKind.LEDGER, DataKind.CONVERSATIONS):
        retention.set_rule(kind=kind, action_type="", keep_days=1, by=cast.olga, now=database_now())
    ours = {check.public_id, check.conversation.public_id, case.decision_id}

    sweep(days=10)
    case.refresh_from_db()
    assert case.erased_at is None
    assert Conversation.objects.get().messages is not None
    said = LedgerPayload.objects.filter(entry__object_id__in=ours)
    assert (said.count(), said.filter(erased_at=None).count()) == (3, 3)

    holds.lift(hold_id=hold.public_id, reason="It is over", by=cast.olga, now=database_now())
    sweep(days=20)
    case.refresh_from_db()
    assert case.erased_at is not None
    assert Conversation.objects.get().messages is None
    assert said.filter(erased_at=None).count() == 0


def test_the_time_to_keep_what_was_audited_late_begins_with_the_answer(settings: Settings) -> None:
    settings.RETENTION_FLOOR_DAYS = 1
    cast = make_cast()
    action = propose(cast, mode="observed", context={"input": "a cup broke"})
    item = ReviewItem.objects.get(action=action)
    decide_as(cast.alice, item)
    release()
    action.refresh_from_db()
    answered = Decision.objects.get().released_at
    assert answered is not None
    assert action.closed_at is not None
    between = action.closed_at + (answered - action.closed_at) / 2
    assert action.closed_at < between < answered
    retention.set_rule(kind=DataKind.CONTEXT, action_type="", keep_days=1, by=cast.olga, now=database_now())

    sweep_at(between + timedelta(days=1))
    assert ActionContext.objects.get(action=action).context is not None
    assert labelling.label_cases(now=database_now()).cases == 1

    sweep_at(answered + timedelta(days=2))
    assert ActionContext.objects.get(action=action).context is None


def test_a_hold_that_is_placed_beside_a_batch_waits_for_it_and_keeps_all_the_rest() -> None:
    cast = make_cast()
    decide(cast)
    label()
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            removal = begin_removal()
            taking_away.name(removal)
            late = in_thread(
                pool,
                lambda: holds.place(
                    action_type="refund.issue",
                    subject="",
                    conversation_id="",
                    reason="A lawsuit",
                    by=cast.olga,
                    now=database_now(),
                ),
            )
            somebody_waits_for_the_lock()
            end(removal)
        assert late.result().lifted_at is None


def sweep(*, days: int) -> None:
    """Let the sweep of that day run to its end."""
    sweep_at(database_now() + timedelta(days=days))


def sweep_at(moment: datetime) -> None:
    """Let the sweep of this moment run to its end."""
    removal = retention.begin_if_due(now=moment)
    assert removal is not None
    retention.run(removal_id=removal.public_id, clock=lambda: moment)
    removal.refresh_from_db()
    assert removal.state == RemovalState.DONE


def _tested(version: Any) -> Any:
    assert version is not None
    return version

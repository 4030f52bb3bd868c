"""Eval runs: graded here, one result a case for good, and what they say of corrections."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import connection, connections

from datasets.choices import EvalState, Label
from datasets.models import EvalResult, EvalRun, Grader, LabelledCase
from datasets.selectors import corrections
from datasets.selectors.choices import Choices
from datasets.selectors.corrections import InTheWay
from datasets.selectors.selection import Selection
from datasets.services import curating, datasets, evaluating, freezing, grader_documents
from datasets.services.evaluating import Sent, Taken
from datasets.tests.base import decide, label, make_dataset
from datasets.tests.evals import Judged, begin, finished, make_judged, order, right, send, wrong
from hitl_site.lib.clock import database_now
from policies.models import AgentVersion, EvalStanding, LedgerEntry, LedgerPayload
from policies.services import agents
from reviews.choices import DecisionKind
from reviews.tests.cast import make_cast, make_person


@pytest.fixture
def judged(db: None) -> Judged:
    return make_judged(make_cast())


def version(judged: Judged, label: str, model: str = "") -> AgentVersion:
    return agents.see_version(
        agent=judged.cast.clerk, claim=agents.VersionClaim(label=label, model=model), now=database_now()
    )


def verbs(run: EvalRun) -> list[str]:
    return list(
        LedgerEntry.objects.filter(object_id=run.public_id).order_by("id").values_list("verb", flat=True)
    )


def test_a_run_is_done_when_every_case_has_a_result(judged: Judged) -> None:
    run = begin(judged)
    assert (run.cases_total, run.state) == (5, EvalState.OPEN)
    first, *rest = judged.all
    assert [line.passed for line in send(run, right(first))] == [True]
    assert [line.passed for line in send(run, *(wrong(case) for case in rest))] == [False] * 4

    run.refresh_from_db()
    assert (run.state, run.cases_done, run.cases_passed) == (EvalState.DONE, 5, 1)
    assert run.finished_at is not None
    assert verbs(run) == [
        "eval_run.started",
        "eval_run.results_taken",
        "eval_run.results_taken",
        "eval_run.finished",
    ]


def test_a_rejected_case_is_right_when_the_agent_does_nothing(judged: Judged) -> None:
    run = begin(judged)
    (case,) = judged.rejected
    assert send(run, Sent(case=case, acted=False))[0].passed is True
    other = begin(judged)
    line = send(other, Sent(case=case, acted=True, output=order(5)))[0]
    assert (line.passed, line.why) == (False, "It acted; nothing should have been done.")


def test_the_same_again_is_fine_and_another_changes_nothing(judged: Judged) -> None:
    run, case = begin(judged), judged.corrected[0]
    send(run, right(case))
    kept = EvalResult.objects.values().get()

    again = send(run, right(case), wrong(case), Sent(case="case_none", acted=False))

    assert [line.taken for line in again] == [Taken.SAME, Taken.CONFLICT, Taken.NOT_A_CASE]
    assert [line.passed for line in again] == [True, None, None]
    assert EvalResult.objects.values().get() == kept
    run.refresh_from_db()
    assert (run.cases_done, run.cases_passed) == (1, 1)
    assert verbs(run) == ["eval_run.started", "eval_run.results_taken"]


def test_one_post_may_say_the_same_twice_and_not_two_things(judged: Judged) -> None:
    run, case = begin(judged), judged.corrected[0]
    assert [line.taken for line in send(run, wrong(case), wrong(case), right(case))] == [
        Taken.NEW,
        Taken.SAME,
        Taken.CONFLICT,
    ]
    assert EvalResult.objects.get().passed is False


def test_a_breakdown_counts_as_failed(judged: Judged) -> None:
    line = send(begin(judged), Sent(case=judged.rejected[0], acted=False, error="timeout"))[0]
    assert (line.passed, line.score) == (False, 0.0)


def test_a_run_keeps_the_graders_it_began_with(judged: Judged) -> None:
    case = judged.corrected[0]
    near = Sent(case=case, acted=True, output={**order(1), "amount": 20.4})
    before = begin(judged)
    grader_documents.put_in_use(
        action_type="refund.issue",
        document={"fields": [{"pointer": "/amount", "compare": "number", "absolute": 0.5}]},
        author=judged.cast.olga,
        now=database_now(),
    )
    after = begin(judged)
    assert send(before, near)[0].passed is False
    assert send(after, near)[0].passed is True
    assert after.graders["refund.issue"]["number"] == 1


def test_a_grader_is_numbered_and_the_same_again_is_no_new_one(judged: Judged) -> None:
    def put(document: object) -> Grader:
        return grader_documents.put_in_use(
            action_type="refund.issue", document=document, author=judged.cast.olga, now=database_now()
        )

    assert [put({}).number, put({}).number, put({"others": "ignore"}).number] == [1, 1, 2]
    said = LedgerPayload.objects.filter(entry__verb="grader.set").latest("entry_id").body
    assert said is not None
    assert (said["before"]["others"], said["after"]["others"]) == ("exact", "ignore")
    with pytest.raises(grader_documents.UnableToSet, match="others"):
        put({"others": "some"})
    with pytest.raises(grader_documents.UnableToSet, match="no such action type"):
        grader_documents.put_in_use(
            action_type="nothing.here", document={}, author=judged.cast.olga, now=database_now()
        )
    assert Grader.objects.count() == 2


def test_one_key_begins_one_run(judged: Judged) -> None:
    run = begin(judged, key="k")
    assert begin(judged, key="k") == run
    with pytest.raises(evaluating.IdempotencyKeyReused):
        evaluating.start(
            agent=judged.cast.clerk,
            version_id=judged.version.public_id,
            claim=agents.VersionClaim(label="3"),
            split="",
            source="handrail",
            note="",
            idempotency_key="k",
            body_digest="sha256:" + "1" * 64,
            now=database_now(),
        )
    assert EvalRun.objects.count() == 1


def test_a_split_without_cases_begins_no_run(judged: Judged) -> None:
    with pytest.raises(evaluating.NothingToEvaluate):
        begin(judged, split="test")
    assert not EvalRun.objects.exists()


def test_what_was_given_up_takes_nothing_more(judged: Judged) -> None:
    run, case = begin(judged), judged.corrected[0]
    send(run, right(case))
    for _ in range(2):
        evaluating.give_up(run_id=run.public_id, agent=judged.cast.clerk, now=database_now())
    with pytest.raises(evaluating.RunClosed):
        send(run, right(judged.corrected[1]))
    assert send(run, right(case))[0].taken == Taken.SAME
    run.refresh_from_db()
    assert (run.state, run.cases_done) == (EvalState.ABANDONED, 1)
    assert verbs(run).count("eval_run.given_up") == 1


def test_what_is_done_cannot_be_given_up(judged: Judged) -> None:
    run = finished(judged, failing=[])
    with pytest.raises(evaluating.RunClosed):
        evaluating.give_up(run_id=run.public_id, agent=judged.cast.clerk, now=database_now())
    run.refresh_from_db()
    assert run.state == EvalState.DONE


def test_corrections_that_the_newest_finished_run_fails_stand_in_the_way(judged: Judged) -> None:
    with pytest.raises(evaluating.NeverEvaluated):
        evaluating.failed_corrections(agent_version=version(judged, "2"))
    finished(judged, failing=judged.all)
    assert evaluating.failed_corrections(agent_version=version(judged, "2")) == judged.corrected
    finished(judged, failing=[judged.corrected[1], *judged.approved, *judged.rejected])
    assert evaluating.failed_corrections(agent_version=version(judged, "2")) == [judged.corrected[1]]
    # One that is not finished says nothing, however well it goes.
    send(begin(judged), right(judged.corrected[1]))
    assert evaluating.failed_corrections(agent_version=version(judged, "2")) == [judged.corrected[1]]
    finished(judged, failing=judged.approved)
    assert evaluating.failed_corrections(agent_version=version(judged, "2")) == []


def test_an_easy_run_takes_no_failed_correction_out_of_the_way(judged: Judged) -> None:
    finished(judged, failing=judged.corrected)
    easy = make_dataset("Easy", labels=("approved",))
    freezing.freeze(dataset_id=easy.public_id, frozen_by=None, now=database_now())
    simple = Judged(judged.cast, easy.versions.get(), [], judged.approved, [])

    finished(simple, failing=[])

    tested = version(judged, "2")
    assert evaluating.failed_corrections(agent_version=tested) == judged.corrected
    assert EvalStanding.objects.get(agent_version=tested).failed_corrections == 2


@pytest.mark.django_db
def test_corrections_of_which_none_was_frozen_stand_in_the_way() -> None:
    cast = make_cast()
    decide(cast, proposed=order(1))
    decide(cast, DecisionKind.CORRECT, proposed=order(2), arguments={**order(2), "amount": 20})
    label()
    easy = make_dataset("Easy", labels=("approved",))
    freezing.freeze(dataset_id=easy.public_id, frozen_by=None, now=database_now())
    approved = [case.public_id for case in LabelledCase.objects.filter(label=Label.APPROVED)]
    simple = Judged(cast, easy.versions.get(), [], approved, [])

    finished(simple, failing=[])

    corrected = LabelledCase.objects.get(label=Label.CORRECTED).public_id
    assert evaluating.failed_corrections(agent_version=version(simple, "2")) == [corrected]


@pytest.mark.django_db
def test_a_first_correction_counts_against_a_version_that_passed_before_it() -> None:
    cast = make_cast()
    decide(cast, proposed=order(1))
    label()
    easy = make_dataset("Easy", labels=("approved",))
    freezing.freeze(dataset_id=easy.public_id, frozen_by=None, now=database_now())
    approved = [case.public_id for case in LabelledCase.objects.all()]
    simple = Judged(cast, easy.versions.get(), [], approved, [])
    finished(simple, failing=[])
    tested = version(simple, "2")
    assert EvalStanding.objects.get(agent_version=tested).failed_corrections == 0

    decide(cast, DecisionKind.CORRECT, proposed=order(2), arguments={**order(2), "amount": 20})
    label()

    assert EvalStanding.objects.get(agent_version=tested).failed_corrections == 1


def test_corrections_that_no_run_has_asked_stand_in_the_way(judged: Judged) -> None:
    easy = make_dataset("Easy", labels=("approved",))
    freezing.freeze(dataset_id=easy.public_id, frozen_by=None, now=database_now())
    simple = Judged(judged.cast, easy.versions.get(), [], judged.approved, [])

    finished(simple, failing=[])

    assert evaluating.failed_corrections(agent_version=version(judged, "2")) == judged.corrected


def test_a_selection_that_was_narrowed_takes_no_correction_out_of_the_way(judged: Judged) -> None:
    """Whoever may edit datasets does not choose what a promotion is held against."""
    finished(judged, failing=judged.corrected)
    tested = version(judged, "2")
    dataset = judged.version.dataset
    datasets.change_dataset(
        dataset_id=dataset.public_id,
        description="",
        selection=Selection(text="SO-1"),
        choices=Choices(),
        changed_by=make_person("Mia", "ml_engineer"),
        now=database_now(),
    )
    narrow = freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now()).version
    kept, dropped = judged.corrected
    assert [member.case.public_id for member in narrow.members.all()] == [kept]

    finished(replace(judged, version=narrow, corrected=[kept], approved=[], rejected=[]), failing=[])

    assert evaluating.failed_corrections(agent_version=tested) == [dropped]
    assert EvalStanding.objects.get(agent_version=tested).failed_corrections == 1


def test_a_correction_that_every_dataset_left_out_was_covered_by_no_run_and_stands_in_the_way(
    judged: Judged,
) -> None:
    finished(judged, failing=[])
    tested = version(judged, "2")
    decide(judged.cast, DecisionKind.CORRECT, proposed=order(6), arguments={**order(6), "amount": 20})
    decide(judged.cast, proposed=order(7))
    label()
    late = LabelledCase.objects.filter(label=Label.CORRECTED).latest("pk").public_id
    # It is newer than all that was frozen: there was no run that could have asked it.
    assert evaluating.failed_corrections(agent_version=tested) == []
    easy = make_dataset("Easy", labels=("approved",))
    freezing.freeze(dataset_id=easy.public_id, frozen_by=None, now=database_now())

    assert corrections.in_the_way(agent_version=tested) == [InTheWay(late, asked=False)]
    assert EvalStanding.objects.get(agent_version=tested).failed_corrections == 1
    everything = freezing.freeze(
        dataset_id=judged.version.dataset.public_id, frozen_by=None, now=database_now()
    ).version
    run = begin(replace(judged, version=everything))
    cases = LabelledCase.objects.values_list("public_id", flat=True)
    send(run, *(wrong(case) if case == late else right(case) for case in cases))
    assert corrections.in_the_way(agent_version=tested) == [InTheWay(late, asked=True)]
    send(begin(replace(judged, version=everything), key="last"), *map(right, cases))
    assert evaluating.failed_corrections(agent_version=tested) == []


def test_who_freezes_nothing_evades_no_correction_for_longer_than_a_day(judged: Judged) -> None:
    decide(judged.cast, DecisionKind.CORRECT, proposed=order(6), arguments={**order(6), "amount": 20})
    label()
    late = LabelledCase.objects.filter(label=Label.CORRECTED).latest("pk")
    run = finished(judged, failing=[])
    tested = version(judged, "2")
    assert evaluating.failed_corrections(agent_version=tested) == []
    EvalRun.objects.filter(pk=run.pk).update(created_at=late.created_at + corrections.GRACE * 2)

    assert evaluating.failed_corrections(agent_version=tested) == [late.public_id]


def test_what_a_person_left_out_for_a_reason_is_not_asked_until_it_is_taken_in_again(
    judged: Judged,
) -> None:
    mia = make_person("Mia", "ml_engineer")
    finished(judged, failing=judged.corrected)
    tested, (first, second) = version(judged, "2"), judged.corrected
    curating.leave_out(case_ids=[first], because="A test of the shop.", by=mia, now=database_now())
    assert evaluating.failed_corrections(agent_version=tested) == [second]
    freezing.freeze(dataset_id=judged.version.dataset.public_id, frozen_by=None, now=database_now())
    assert EvalStanding.objects.get(agent_version=tested).failed_corrections == 1

    curating.take_in(case_ids=[first], by=mia, now=database_now())

    assert EvalStanding.objects.get(agent_version=tested).failed_corrections == 2


def test_a_relabelled_case_is_asked_again_by_its_new_answer(judged: Judged) -> None:
    finished(judged, failing=[])
    assert evaluating.failed_corrections(agent_version=version(judged, "2")) == []
    curating.edit_label(
        case_id=judged.corrected[0],
        label=Label.CORRECTED,
        arguments={**order(1), "amount": 21},
        note="The fee belongs to it.",
        seen=0,
        by=make_person("Mia", "ml_engineer"),
        now=database_now(),
    )
    again = freezing.freeze(
        dataset_id=judged.version.dataset.public_id, frozen_by=None, now=database_now()
    ).version
    tested = version(judged, "2")
    assert evaluating.failed_corrections(agent_version=tested) == [judged.corrected[0]]
    # What a promotion rests on says so at once.
    standing = EvalStanding.objects.get(agent_version=tested)
    assert (standing.failed_corrections, standing.cases) == (1, len(judged.all))

    run = begin(replace(judged, version=again))
    answers = {case: right(case) for case in judged.all}
    changed = judged.corrected[0]
    answers[changed] = Sent(case=changed, acted=True, output={**order(1), "amount": 21})
    send(run, *answers.values())
    assert evaluating.failed_corrections(agent_version=version(judged, "2")) == []


def test_a_run_of_another_model_under_the_same_label_proves_nothing(judged: Judged) -> None:
    finished(judged, failing=[], model="large")
    assert evaluating.failed_corrections(agent_version=version(judged, "2", "large")) == []
    for other in (version(judged, "2"), version(judged, "2", "small"), version(judged, "3", "large")):
        with pytest.raises(evaluating.NeverEvaluated):
            evaluating.failed_corrections(agent_version=other)


def test_a_correction_that_cannot_be_graded_stands_in_the_way(judged: Judged) -> None:
    grader_documents.put_in_use(
        action_type="refund.issue",
        document={"schema": {"properties": {"amount": {"minimum": 25}}}},
        author=judged.cast.olga,
        now=database_now(),
    )
    run = finished(judged, failing=[])
    assert run.results.filter(passed=None).exists()
    assert judged.corrected[0] in evaluating.failed_corrections(agent_version=version(judged, "2"))


@pytest.mark.django_db(transaction=True)
def test_results_that_come_twice_at_once_are_kept_once() -> None:
    judged = make_judged(make_cast())
    run = begin(judged)
    answers = [right(case) for case in judged.all]

    def at_once(act: Callable[[], list[Taken]]) -> list[Taken]:
        try:
            return act()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(at_once, [lambda: [line.taken for line in send(run, *answers)]] * 4))
    assert sorted(told) == sorted([[Taken.NEW] * 5] + [[Taken.SAME] * 5] * 3)
    run.refresh_from_db()
    assert (run.cases_done, run.cases_passed, run.state) == (5, 5, EvalState.DONE)
    assert verbs(run).count("eval_run.finished") == 1
    connection.ensure_connection()


@pytest.mark.django_db(transaction=True)
def test_one_key_at_once_begins_one_run() -> None:
    judged = make_judged(make_cast())

    def one(_: int) -> int:
        try:
            return begin(judged, key="the same").pk
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(one, range(4)))) == 1
    assert EvalRun.objects.count() == 1
    assert verbs(EvalRun.objects.get()) == ["eval_run.started"]

"""The pages of evals: runs, one run, two compared, graders, and what was learned."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape

from datasets.models import EvalRun, Grader, LabelledCase
from datasets.selectors import eval_comparison, learning
from datasets.selectors.eval_comparison import Change
from datasets.services import freezing, grader_documents
from datasets.services.evaluating import Sent
from datasets.tests.base import Learners, decide, label, make_dataset, make_learners
from datasets.tests.evals import Judged, begin, finished, make_judged, order, right, send
from hitl_site.lib.clock import database_now
from policies.models import Agent, AgentVersion
from reviews.choices import DecisionKind
from reviews.models import ActionRequest
from reviews.tests.cast import make_person


@pytest.fixture
def learners(db: None) -> Learners:
    return make_learners()


@pytest.fixture
def judged(learners: Learners) -> Judged:
    return make_judged(learners.cast)


def as_(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, address
    return answer.content.decode()


def pages(run: EvalRun, other: EvalRun) -> list[str]:
    return [
        "/evals/",
        f"/evals/?version={run.version.public_id}&agent=clerk",
        f"/evals/{run.public_id}/",
        f"/evals/{run.public_id}/compare/?with={other.public_id}",
        "/graders/",
        "/graders/refund.issue/",
        "/learning/",
    ]


def test_who_may_see_them(learners: Learners, judged: Judged) -> None:
    run, other = finished(judged, failing=[]), finished(judged, failing=[])
    for address in pages(run, other):
        assert Client().get(address).status_code == 302, address
        assert as_(learners.rita).get(address).status_code == 403, address
        for person in (learners.vic, learners.mia):
            assert as_(person).get(address).status_code == 200, address


@pytest.mark.parametrize(
    "address",
    [
        "/evals/evr_" + "0" * 32 + "/",
        "/evals/?version=dsv_" + "0" * 32,
        "/graders/nothing.here/",
        "/evals/evr_" + "0" * 32 + "/compare/?with=x",
    ],
)
def test_what_is_not_there_is_not_found(learners: Learners, address: str) -> None:
    assert as_(learners.mia).get(address).status_code == 404


def test_without_runs_and_cases_the_pages_say_what_to_do(learners: Learners) -> None:
    mia = as_(learners.mia)
    assert "No eval runs" in text(mia, "/evals/")
    assert "Nothing collected yet" in text(mia, "/learning/")


def title_of(case_id: str) -> str:
    """Return what the case's action is called, as a page writes it."""
    action_id = LabelledCase.objects.get(public_id=case_id).action_id
    return str(escape(ActionRequest.objects.get(public_id=action_id).title))


def test_a_run_shows_both_sides_and_its_filters_hold(learners: Learners, judged: Judged) -> None:
    run = begin(judged)
    first, second = judged.corrected
    send(run, Sent(case=first, acted=True, output={**order(1), "amount": 977}), right(second))
    mia, address = as_(learners.mia), f"/evals/{run.public_id}/"

    whole = text(mia, address)
    assert f'/cases/{first}/">{title_of(first)}</a>' in whole
    assert "<del>977</del>" in whole
    assert "2 of 5" in whole
    assert "Corrections not passed" in whole
    assert "<del>977</del>" in text(mia, f"{address}?outcome=failed")
    assert "<del>977</del>" not in text(mia, f"{address}?outcome=passed")
    assert "<del>977</del>" in text(mia, f"{address}?field=/amount&action_type=refund.issue")
    assert "No results here" in text(mia, f"{address}?field=/order")
    assert mia.get(f"{address}?outcome=nice").status_code == 400
    assert mia.get(f"{address}?after=nonsense").status_code == 302


def test_a_run_names_the_corrections_that_stand_before_a_promotion(
    learners: Learners, judged: Judged
) -> None:
    mia = as_(learners.mia)
    run = finished(judged, failing=[])
    address = f"/evals/{run.public_id}/"
    assert "This version passes every correction that is asked of it." in text(mia, address)
    decide(judged.cast, DecisionKind.CORRECT, proposed=order(6), arguments={**order(6), "amount": 20})
    label()
    easy = make_dataset("Easy", labels=("approved",))
    freezing.freeze(dataset_id=easy.public_id, frozen_by=None, now=database_now())

    late = LabelledCase.objects.latest("pk").public_id
    shown = text(mia, address)
    assert "1 correction is not passed; not covered by any run: 1." in shown
    assert f'href="/cases/{late}/">{late}</a> <span class="chip">Not covered</span>' in shown


def test_what_an_agent_sent_is_shown_and_never_run(learners: Learners, judged: Judged) -> None:
    run = begin(judged)
    nasty = "<script>alert(1)</script>\u202egpj"
    send(
        run,
        Sent(case=judged.corrected[0], acted=True, action_type=nasty, output={nasty: nasty}),
        Sent(case=judged.corrected[1], acted=False, error=nasty),
    )
    shown = text(as_(learners.mia), f"/evals/{run.public_id}/")
    assert "<script>alert" not in shown
    assert escape("<script>") in shown
    assert "\u202e" not in shown


def test_two_runs_are_compared_case_by_case(learners: Learners, judged: Judged) -> None:
    a, b = judged.corrected
    c, d = judged.approved
    before, now = finished(judged, failing=[a, b, c]), finished(judged, failing=[b, d], label="3")
    found = eval_comparison.compare(before=before, now=now)
    assert {case.case_id: case.change for case in found.cases} == {
        a: Change.FIXED,
        b: Change.STILL_WRONG,
        c: Change.FIXED,
        d: Change.BROKEN,
        judged.rejected[0]: Change.STILL_RIGHT,
    }
    assert found.cases[0].change == Change.BROKEN
    assert (found.whole.before, found.whole.now, found.not_compared) == (0.6, 0.4, 0)

    mia = as_(learners.mia)
    # Whichever is asked for first, the one that began first is the one before.
    for one, other in ((now, before), (before, now)):
        shown = text(mia, f"/evals/{one.public_id}/compare/?with={other.public_id}")
        assert f'href="/evals/{before.public_id}/">the earlier run' in shown
        # Cases of one action type are told apart by what was proposed.
        for case in (a, b, c, d):
            assert f'/cases/{case}/">{title_of(case)}</a>' in shown
    only = text(mia, f"/evals/{now.public_id}/compare/?with={before.public_id}&change=broken")
    assert d in only
    assert a not in only
    assert mia.get(f"/evals/{now.public_id}/compare/?with={now.public_id}").status_code == 404


def test_what_could_not_be_graded_is_not_compared(judged: Judged) -> None:
    before = finished(judged, failing=[])
    grader_documents.put_in_use(
        action_type="refund.issue",
        document={"schema": {"properties": {"amount": {"minimum": 25}}}},
        author=judged.cast.olga,
        now=database_now(),
    )
    now = finished(judged, failing=[], label="3")
    found = eval_comparison.compare(before=before, now=now)
    assert judged.corrected[0] not in {case.case_id for case in found.cases}
    assert found.not_compared > 0
    assert not found.same_graders
    # Judged by another grader, no progress is claimed.
    assert learning.report()[0].progress is None


def test_a_grader_is_put_in_use_by_whoever_may_curate(learners: Learners, judged: Judged) -> None:
    address, document = "/graders/refund.issue/", '{"others": "ignore"}'
    assert as_(learners.vic).post(address, {"document": document}).status_code == 403
    assert not Grader.objects.exists()
    mia = as_(learners.mia)
    for wrong in ("", "{", '{"others": "some"}', '{"a": 1, "a": 2}', "[]"):
        answer = mia.post(address, {"document": wrong})
        assert answer.status_code == 422
        assert "This is not a grader" in answer.content.decode()
        assert escape(wrong) in answer.content.decode()
    assert not Grader.objects.exists()
    assert mia.post(address, {"document": document}).status_code == 302
    assert Grader.objects.get().document["others"] == "ignore"
    assert "Number 1" in text(mia, "/graders/")


def seen(label: str, days: int) -> None:
    """Say that a version of the agent was first seen so many days from now."""
    AgentVersion.objects.filter(label=label).update(first_seen_at=database_now() + timedelta(days=days))


def test_who_owns_an_agent_does_not_say_how_its_answers_are_judged(
    learners: Learners, judged: Judged
) -> None:
    """A grader that ignores every difference would pass all corrections of the owner's agent."""
    mia, page = as_(learners.mia), "/graders/refund.issue/"
    lax = {"document": '{"others": "ignore"}'}
    for owner in (learners.mia, learners.cast.carol):
        Agent.objects.filter(pk=learners.cast.clerk.pk).update(owner=owner)
        answer = mia.post(page, lax)
        assert answer.status_code == 422
        assert "You own an agent that this judges" in answer.content.decode()
        assert not Grader.objects.exists()
    somebody = as_(make_person("Max", "ml_engineer"))
    assert somebody.post(page, lax).status_code == 302


def test_with_one_version_nothing_is_claimed(judged: Judged) -> None:
    finished(judged, failing=judged.all)
    (row,) = learning.report()
    assert (row.cases, row.corrected, row.uses.unsplit, row.uses.evaluated) == (5, 2, 5, 5)
    assert row.sentence == (
        "Nothing can be said of “Refund” yet: no two versions of an agent were tested on the same cases."
    )


def test_five_cases_are_too_few_to_claim_anything(learners: Learners, judged: Judged) -> None:
    finished(judged, failing=judged.all, label="2")
    finished(judged, failing=[], label="3")
    seen("2", -1)
    (row,) = learning.report()
    assert row.progress is not None
    # Five fixed and none broken: half a chance in sixteen, which is not below 5%.
    assert (row.progress.compared.p, row.progress.verdict) == (0.0625, "unclear")
    assert row.sentence.startswith(
        "Errors of “Refund” went from 100.0% to 0.0% with version 3 of clerk, but 5 cases"
    )
    assert "Too little to tell" in text(as_(learners.mia), "/learning/")


def progress(fixed: int, broken: int, right_: int, corrections: int) -> learning.Learning:
    cases = [
        eval_comparison.ComparedCase(f"c{at}", "refund.issue", change, "", "")
        for change, number in ((Change.FIXED, fixed), (Change.BROKEN, broken), (Change.STILL_RIGHT, right_))
        for at in range(number)
    ]
    run = EvalRun(agent_name="clerk", agent_version="3")
    march = database_now().replace(year=2026, month=3, day=5)
    made = learning.Progress(
        before=run,
        now=run,
        compared=eval_comparison.counted("refund.issue", cases),
        corrections=corrections,
        first_correction=march if corrections else None,
        last_correction=march if corrections else None,
        trained_on=0,
    )
    return learning.Learning(
        action_type="refund.issue", title="Refund", cases=100, corrected=10, progress=made
    )


@pytest.mark.django_db
def test_the_sentence_a_manager_wants() -> None:
    assert progress(10, 1, 89, 4).sentence == (
        "Corrections of March 2026 cut errors of “Refund” from 10.0% to 1.0% "
        "(100 cases, range 2.6 to 16.5 points)."
    )
    assert progress(10, 1, 89, 0).sentence.startswith("Version 3 of clerk cut errors of “Refund” from 10.0%")
    assert progress(1, 10, 89, 4).sentence == (
        "Errors of “Refund” rose from 1.0% to 10.0% with version 3 of clerk "
        "(100 cases, range 2.6 to 16.5 points)."
    )
    assert progress(0, 0, 9, 4).sentence == (
        "Errors of “Refund” are the same 9 cases as before with version 3 of clerk: 0.0%."
    )


def test_only_corrections_from_between_the_versions_get_the_credit(judged: Judged) -> None:
    finished(judged, failing=judged.corrected, label="2")
    finished(judged, failing=[], label="3")
    seen("2", -1)
    seen("3", 1)
    (row,) = learning.report()
    assert row.progress is not None
    assert row.progress.corrections == 2
    seen("2", -3)
    seen("3", -2)
    (row,) = learning.report()
    assert row.progress is not None
    assert row.progress.corrections == 0


def test_a_list_asks_as_much_for_many_as_for_few(learners: Learners, judged: Judged) -> None:
    mia = as_(make_person("Max", "ml_engineer"))
    run = finished(judged, failing=judged.corrected[:1])

    def asked(address: str) -> int:
        mia.get(address)
        with CaptureQueriesContext(connection) as queries:
            mia.get(address)
        return len(queries)

    few = [asked("/evals/"), asked(f"/evals/{run.public_id}/?outcome=failed")]
    for number in ("3", "4", "5"):
        finished(judged, failing=[], label=number)
    assert [asked("/evals/"), asked(f"/evals/{run.public_id}/")] == few

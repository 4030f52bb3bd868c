"""Erasure: nothing of a person is left anywhere, the record verifies, and nothing else can be changed."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from pytest_django import Settings

from datasets.choices import ExportState, RevisionKind
from datasets.models import (
    CaseCuration,
    Conversation,
    ConversationCheck,
    EvalResult,
    Export,
    GroundTruth,
    LabelledCase,
    LabelRevision,
)
from datasets.selectors import reach
from datasets.selectors.reach import Whose
from datasets.selectors.traces import traces
from datasets.services import (
    case_index,
    conversations,
    erasure,
    evaluating,
    export_files,
    exporting,
    freezing,
    ground_truth,
    holds,
    labelling,
    taking_away,
)
from datasets.services.conversations import Closing
from datasets.tests.base import Learners, label, make_dataset, make_learners
from hitl_site.lib.clock import database_now
from hitl_site.lib.strict_json import JsonValue
from policies.choices import Criterion, RemovalState
from policies.models import Removal
from policies.selectors.removals import gone
from policies.services import action_types, ledger
from policies.services.agents import VersionClaim
from policies.services.ledger import Actor
from reviews.adapters import submission
from reviews.choices import ActionState, DecisionKind, IngestState
from reviews.models import ActionRequest, IngestRow, ReviewItem
from reviews.services import attention, deadlines, observed, passing_on, working_off
from reviews.tests.cast import Cast, decide_as, held, propose

CANARY = "kanarienvogel"
SUBJECT = f"{CANARY}-subject"
TALK = f"{CANARY}-talk"

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def people(settings: Settings) -> Learners:
    settings.OMISSION_SHARE = 1.0
    return make_learners()


def plant(cast: Cast, *, subject: str | None = SUBJECT, talk: str = TALK) -> ReviewItem:
    """Have clerk propose something for a person, with the person's name in every place that takes a text."""
    said: dict[str, JsonValue] = {"messages": [{"role": "user", "content": f"I am {CANARY} context"}]}
    return held(
        cast,
        arguments={"order": f"{CANARY}-order", "amount": 184, "message": f"Dear {CANARY}"},
        context=said,
        reason=f"{CANARY} asked",
        judge={"name": "j", "score": 0.5, "rationale": f"{CANARY} judged"},
        samples=[{"order": f"{CANARY}-other", "amount": 1}],
        subject=subject,
        conversation_id=talk,
    )


def live_through(people: Learners) -> tuple[LabelledCase, Export]:
    """Plant the name everywhere: decisions, cases, versions, exports, evals, truth, conversations."""
    cast = people.cast
    action_types.change(
        action_type=cast.refund, cluster_pointer="/order", actor=Actor.person(cast.olga), now=database_now()
    )
    item = plant(cast)
    attention.save_draft(
        item_id=item.public_id, reviewer=cast.bob, form={"note": [f"{CANARY} typed"]}, now=database_now()
    )
    passing_on.escalate(
        item_id=item.public_id,
        reviewer=cast.bob,
        note=f"{CANARY} is known to you",
        item_version=item.version,
        to_user=cast.alice,
        now=database_now(),
    )
    corrected: JsonValue = {"order": f"{CANARY}-order", "amount": 20, "message": f"Sorry {CANARY}"}
    decide_as(
        cast.alice,
        item,
        DecisionKind.CORRECT,
        arguments=corrected,
        note=f"{CANARY} called",
        now=database_now(),
    )
    other = held(cast, arguments={"order": "SO-1", "amount": 3})
    decide_as(cast.alice, other)
    talk = conversations.close(
        agent=cast.clerk,
        closing=Closing(
            conversation_id=TALK,
            messages=[{"role": "user", "content": f"{CANARY} says hello"}],
            version=VersionClaim(label="1"),
            environment="production",
            subject=SUBJECT,
        ),
        now=database_now(),
    ).conversation
    conversations.find_missing(
        check_id=talk.audit.public_id,
        reviewer=cast.alice,
        action_type=cast.refund,
        arguments={"order": f"{CANARY}-missing", "amount": 7},
        note=f"{CANARY} was promised it",
        now=database_now(),
    )
    ground_truth.receive(
        action_id=item.action.public_id,
        agent=cast.clerk,
        report=ground_truth.Report(
            correct=False, source="complaint", arguments={"order": f"{CANARY}-g"}, detail={"by": CANARY}
        ),
        idempotency_key="truth",
        now=database_now(),
    )
    label()
    case = LabelledCase.objects.get(action_id=item.action.public_id)
    LabelRevision.objects.create(
        case=case,
        number=1,
        kind=RevisionKind.EDIT,
        label="corrected",
        arguments_canonical=f'{{"order":"{CANARY}-r"}}'.encode(),
        note=f"{CANARY} again",
        author_name="Olga",
        created_at=database_now(),
    )
    case_index.index_cases(now=database_now())
    CaseCuration.objects.filter(case=case).update(disputed_at=None, disputed_because="", tags=[CANARY])
    version = freezing.freeze(
        dataset_id=make_dataset("Refunds").public_id, frozen_by=people.mia, now=database_now()
    ).version
    export = exporting.request(version_id=version.public_id, requested_by=people.mia, now=database_now())
    assert exporting.run(export_id=export.public_id, clock=database_now) == exporting.Ran.FINISHED
    run = evaluating.start(
        agent=cast.clerk,
        version_id=version.public_id,
        claim=VersionClaim(label="2"),
        split="",
        source="handrail",
        note="",
        idempotency_key="eval",
        body_digest="",
        now=database_now(),
    ).run
    sent = [
        evaluating.Sent(
            case=case.public_id,
            acted=True,
            action_type="refund.issue",
            output={"order": f"{CANARY}-eval"},
        )
    ]
    evaluating.take_results(run_id=run.public_id, agent=cast.clerk, results=sent, now=database_now())
    return case, export


def ask(people: Learners, criterion: Criterion = Criterion.SUBJECT, value: str = SUBJECT) -> Removal:
    return erasure.request(
        whose=Whose(criterion, value),
        reason="They asked for it by letter",
        legal_basis="GDPR Art. 17(1)(b)",
        by=people.cast.olga,
        now=database_now(),
    )


def finish(removal: Removal) -> Removal:
    """Let every permit run out and the erasure come to its end."""
    for _ in range(5):
        erasure.run(removal_id=removal.public_id, clock=lambda: database_now() + timedelta(days=400))
    removal.refresh_from_db()
    return removal


def settle() -> None:
    later = database_now() + timedelta(days=400)
    deadlines.release_due(now=later)
    deadlines.expire_permits(now=later)


def test_after_an_erasure_no_column_has_the_name_and_the_ledger_verifies(people: Learners) -> None:
    case, export = live_through(people)
    settle()
    assert {trace.table for trace in traces(CANARY)} >= {
        "reviews_actionrequest",
        "reviews_actioncontext",
        "reviews_decision",
        "reviews_draft",
        "reviews_escalation",
        "policies_gatecheck",
        "datasets_labelledcase",
        "datasets_caseindex",
        "datasets_datasetmember",
        "datasets_groundtruth",
        "datasets_labelrevision",
        "datasets_evalresult",
        "datasets_conversation",
        "datasets_omission",
    }
    before = reach.preview(reach.reach(Whose(Criterion.SUBJECT, SUBJECT), until=database_now()))
    assert before["actions"] == 1
    assert before["cases"] == 2
    assert before["versions"] == 1
    removal = finish(ask(people))
    assert removal.state == RemovalState.DONE, removal.note
    # Of the eval results only those of erased cases go: another case's answer is the agent's own text.
    EvalResult.objects.exclude(case__erased_at=None).get(case=case)
    assert [trace for trace in traces(CANARY) if trace.table != "datasets_evalresult"] == []
    assert not EvalResult.objects.filter(
        case__erased_at__isnull=False, output_canonical__isnull=False
    ).exists()
    assert removal.value == ""
    assert removal.proof is not None
    assert removal.proof["ledger"]["intact"] is True
    assert removal.proof["search"] == {"done": True, "why": "", "found": []}
    assert ledger.verify().is_intact
    case.refresh_from_db()
    assert case.erased_at is not None
    assert case.content["proposal"]["arguments"] is None
    export.refresh_from_db()
    assert export.state == ExportState.CANCELLED
    assert removal.public_id in export.error
    with pytest.raises(FileNotFoundError):
        export_files.open_finished(export.file_name)
    assert case.memberships.get().version.marks.get().erasure_id == removal.public_id
    assert gone(case.action_id) is not None
    other = LabelledCase.objects.get(erased_at=None)
    assert other.content["truth"]["arguments"] == {"order": "SO-1", "amount": 3}


def test_an_open_action_waits_and_is_erased_once_it_is_closed(people: Learners) -> None:
    item = plant(people.cast)
    removal = ask(people)
    erasure.run(removal_id=removal.public_id, clock=database_now)
    removal.refresh_from_db()
    item.action.refresh_from_db()
    assert removal.state == RemovalState.WAITING
    assert "waits for a person" in removal.note
    assert item.action.subject == SUBJECT
    assert item.action.state == ActionState.PENDING_REVIEW
    decide_as(people.cast.alice, item, DecisionKind.REJECT)
    settle()
    assert finish(removal).state == RemovalState.DONE
    assert traces(CANARY) == []
    # What is labelled after it was erased would be a lie: there is no case.
    label()
    assert not LabelledCase.objects.exists()


def test_an_action_whose_permit_is_live_keeps_its_arguments(people: Learners) -> None:
    action = propose(people.cast, confidence=0.95, subject=SUBJECT)
    removal = ask(people)
    erasure.run(removal_id=removal.public_id, clock=database_now)
    action.refresh_from_db()
    assert action.arguments["order"] == "SO-48213"
    assert action.permits.get().revoked_at is None
    removal.refresh_from_db()
    assert removal.state == RemovalState.WAITING
    assert "permit" in removal.note


def test_a_conversation_and_a_customer_key_are_found_too(people: Learners) -> None:
    cast = people.cast
    action_types.change(
        action_type=cast.refund, cluster_pointer="/order", actor=Actor.person(cast.olga), now=database_now()
    )
    first, second = plant(cast, talk="one"), plant(cast, subject=None, talk="one")
    third = plant(cast, subject="somebody else", talk="one")
    now = database_now()
    of_subject = reach.reach(Whose(Criterion.SUBJECT, SUBJECT), until=now)
    # What the same conversation holds without naming anybody else goes along.
    assert of_subject.action_ids == (first.action.public_id, second.action.public_id)
    of_talk = reach.reach(Whose(Criterion.CONVERSATION, "one"), until=now)
    assert len(of_talk.actions) == 3
    of_key = reach.reach(Whose(Criterion.CUSTOMER, f"{CANARY}-order"), until=now)
    assert third.action.pk in of_key.actions


def line_of(cast: Cast, key: str, *, subject: str | None = SUBJECT, talk: str = TALK) -> str:
    """Have clerk report something in a batch that nobody has worked off yet; return its id."""
    said: dict[str, JsonValue] = {
        "action_type": cast.refund.name,
        "arguments": {"order": f"{CANARY}-order", "amount": 184},
        "mode": "observed",
        "agent_version": "1",
        "subject": subject,
        "conversation_id": talk,
        "idempotency_key": key,
    }
    line = submission.read_line(said)
    stored = observed.accept(key=cast.key, lines=[line], request_id="", now=database_now())[0]
    assert isinstance(stored, observed.Accepted)
    return stored.id


def test_a_line_that_waits_is_erased_with_the_action_that_it_becomes(people: Learners) -> None:
    cast = people.cast
    mine = line_of(cast, "one")
    within = line_of(cast, "two", subject=None)
    other = line_of(cast, "three", subject="somebody else", talk="elsewhere")

    found = reach.reach(Whose(Criterion.SUBJECT, SUBJECT), until=database_now())
    assert found.ingest_rows == tuple(sorted([mine, within]))
    assert reach.reach(Whose(Criterion.CONVERSATION, TALK), until=database_now()).ingest_rows == (
        found.ingest_rows
    )

    removal = ask(people)
    erasure.run(removal_id=removal.public_id, clock=database_now)
    removal.refresh_from_db()
    assert (removal.state, removal.note) == (RemovalState.WAITING, "2 more")
    assert working_off.work_off_waiting(clock=database_now) == 3
    for item in ReviewItem.objects.filter(action__public_id__in=[mine, within]):
        decide_as(cast.alice, item, DecisionKind.REJECT)
    settle()
    assert finish(removal).state == RemovalState.DONE
    left = ActionRequest.objects.get(public_id=other)
    assert (left.subject, left.arguments["order"]) == ("somebody else", f"{CANARY}-order")
    gone = ActionRequest.objects.filter(public_id__in=[mine, within])
    assert list(gone.values_list("subject", "title", "arguments")) == [(None, "Erased", {})] * 2
    # What a line said is its action's alone once it is worked off, whosever it was.
    assert list(IngestRow.objects.values_list("body", flat=True)) == [""] * 3


def test_a_line_that_was_set_aside_is_erased_and_asked_for_no_more(people: Learners) -> None:
    parked = line_of(people.cast, "one")
    IngestRow.objects.filter(public_id=parked).update(state=IngestState.PARKED, last_error=f"no {CANARY}")
    removal = ask(people)
    assert removal.found["ingest_rows"] == 1
    assert finish(removal).state == RemovalState.DONE
    assert list(IngestRow.objects.values_list("body", "last_error")) == [("", "")]
    assert traces(CANARY) == []
    assert reach.reach(Whose(Criterion.SUBJECT, SUBJECT), until=database_now()).is_empty


def test_a_legal_hold_blocks_until_it_is_lifted(people: Learners) -> None:
    item = plant(people.cast)
    decide_as(people.cast.alice, item, DecisionKind.REJECT)
    settle()
    hold = holds.place(
        action_type="",
        subject=SUBJECT,
        conversation_id="",
        reason="A lawsuit",
        by=people.cast.olga,
        now=database_now(),
    )
    with pytest.raises(erasure.OnHold, match=hold.public_id):
        ask(people)
    assert not Removal.objects.exists()
    holds.lift(hold_id=hold.public_id, reason="It is over", by=people.cast.olga, now=database_now())
    assert finish(ask(people)).state == RemovalState.DONE


def test_two_requests_at_once_are_one_and_two_workers_take_turns(people: Learners) -> None:
    for number in range(4):
        item = plant(people.cast, talk=f"{TALK}-{number}")
        decide_as(people.cast.alice, item, DecisionKind.REJECT)
    settle()
    asked: list[str] = []

    def request() -> None:
        try:
            asked.append(ask(people).public_id)
        finally:
            connection.close()

    both = [threading.Thread(target=request) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert len(asked) == 2
    assert len(set(asked)) == 1

    def work() -> None:
        try:
            erasure.run(removal_id=asked[0], clock=database_now, batch=1)
        finally:
            connection.close()

    both = [threading.Thread(target=work) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    removal = finish(Removal.objects.get())
    assert removal.state == RemovalState.DONE
    assert removal.removed["actions"] == 4
    assert ActionRequest.objects.filter(title="Erased").count() == 4


REFUSED = (
    "UPDATE reviews_actioncontext SET reason = 'x'",
    "UPDATE reviews_actionrequest SET title = 'x'",
    "UPDATE reviews_actionrequest SET arguments = '{\"amount\": 1}', arguments_canonical = '{\"amount\":1}'",
    "UPDATE reviews_actionrequest SET state = 'approved'",
    "UPDATE reviews_decision SET kind = 'approve'",
    "DELETE FROM reviews_decision",
    "UPDATE policies_gatecheck SET verdict = 'allow'",
    "UPDATE policies_gatecheck SET nearest_miss = 'x'",
    "DELETE FROM policies_gatecheck",
    "UPDATE policies_observation SET error = NOT error",
    "UPDATE datasets_labelledcase SET label = 'approved'",
    "UPDATE datasets_labelledcase SET content = '{}'",
    "DELETE FROM datasets_labelledcase",
    "UPDATE datasets_datasetmember SET position = 7",
    "UPDATE policies_ledgerentry SET verb = 'x'",
)


def refused(named: str, statement: str) -> bool:
    """Say whether the database refuses a statement in a transaction that names this removal."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('handrail.removal', %s, true)", [named])
            cursor.execute(statement)
    except DatabaseError:
        return True
    return False


def test_while_a_removal_is_named_nothing_but_the_erased_form_passes(people: Learners) -> None:
    live_through(people)
    settle()
    removal = ask(people)
    assert [statement for statement in REFUSED if not refused(removal.public_id, statement)] == []
    # The erased form itself passes only for a removal that is under way.
    erased = "UPDATE reviews_actioncontext SET context = NULL, reason = ''"
    assert refused("", erased)
    assert refused("ers_" + "0" * 32, erased)
    assert finish(removal).state == RemovalState.DONE
    assert refused(removal.public_id, "UPDATE reviews_actioncontext SET reason = ''")
    assert refused("", "UPDATE policies_removal SET value = 'x'")


def test_an_export_under_way_starts_from_nothing(people: Learners) -> None:
    item = plant(people.cast)
    decide_as(people.cast.alice, item)
    decide_as(people.cast.alice, held(people.cast))
    label()
    settle()
    version = freezing.freeze(
        dataset_id=make_dataset("R").public_id, frozen_by=people.mia, now=database_now()
    ).version
    export = exporting.request(version_id=version.public_id, requested_by=people.mia, now=database_now())
    assert exporting.run(export_id=export.public_id, clock=database_now, slice_seconds=0) is not None
    Export.objects.filter(pk=export.pk).update(
        state=ExportState.REQUESTED, finished_at=None, manifest=None, sha256="", rows_done=1
    )
    removal = finish(ask(people))
    assert removal.state == RemovalState.DONE
    export.refresh_from_db()
    assert (export.state, export.rows_done, export.checkpoint) == (ExportState.REQUESTED, 0, None)
    exporting.run(export_id=export.public_id, clock=database_now)
    export.refresh_from_db()
    assert export.state == ExportState.DONE
    with export_files.open_finished(export.file_name) as file:
        assert CANARY.encode() not in file.read()


def test_who_may_not_erase_cannot(people: Learners) -> None:
    from reviews.services.rights import NotAllowed

    plant(people.cast)
    with pytest.raises(NotAllowed):
        erasure.request(
            whose=Whose(Criterion.SUBJECT, SUBJECT), reason="r", legal_basis="b", by=people.cast.alice,
            now=database_now(),
        )  # fmt: skip
    assert not Removal.objects.exists()


def test_a_conversation_that_was_erased_is_in_no_list_of_checks(people: Learners) -> None:
    live_through(people)
    settle()
    assert finish(ask(people)).state == RemovalState.DONE
    talk = Conversation.objects.get()
    assert (talk.messages, talk.subject) == (None, None)
    assert ConversationCheck.objects.get().finding == "missing"
    assert GroundTruth.objects.get().detail == {}
    assert labelling.label_cases(now=database_now()).cases == 0


def test_a_worker_killed_in_the_middle_leaves_whole_batches_and_the_next_one_goes_on(
    people: Learners,
) -> None:
    for number in range(5):
        item = plant(people.cast, talk=f"{TALK}-{number}")
        decide_as(people.cast.alice, item, DecisionKind.REJECT)
    settle()
    removal = ask(people)
    for survived in (2, 1):
        _killed_after(survived, removal.public_id)
        # The batch that it died in came back whole.
        half = ActionRequest.objects.filter(title="Erased", subject__isnull=False)
        assert not half.exists()
        assert Removal.objects.get().state == RemovalState.RUNNING
    assert ActionRequest.objects.filter(title="Erased").count() == 3
    assert finish(removal).state == RemovalState.DONE
    assert Removal.objects.get().removed["actions"] == 5
    assert traces(CANARY) == []
    assert ledger.verify().is_intact


def _killed_after(batches: int, removal_id: str) -> None:
    """Run the erasure in a process that is killed with -9 inside the batch after so many."""
    connection.close()
    child = os.fork()
    if child == 0:
        done = 0
        take = taking_away.actions

        def dying(removal: Removal, keys: Sequence[int], *, now: datetime) -> Counter[str]:
            nonlocal done
            counts = take(removal, keys, now=now)
            if done == batches:
                os.kill(os.getpid(), signal.SIGKILL)
            done += 1
            return counts

        taking_away.actions = dying
        erasure.run(removal_id=removal_id, clock=database_now, batch=1)
        os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL

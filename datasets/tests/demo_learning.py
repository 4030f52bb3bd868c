"""What the demo shows of learning and of privacy, in exact numbers. Called where the demo has been made."""

from __future__ import annotations

from collections import Counter
from typing import cast

from datasets.choices import CaseKind, ExportFormat, ExportState
from datasets.demo import afterwards, versions, vouchers
from datasets.exporters.composition import Document
from datasets.models import (
    CaseCuration,
    CaseIndex,
    Conversation,
    ConversationCheck,
    Dataset,
    DatasetVersion,
    EvalRun,
    Export,
    ExportSchedule,
    GroundTruth,
    LabelledCase,
    LegalHold,
    Omission,
    RetentionRule,
)
from datasets.selectors import differences, eval_comparison, learning, taking
from policies.models import Removal
from policies.statistics.pairs import Pairs
from reviews.choices import ItemKind, ItemStatus
from reviews.models import ActionRequest, ReviewItem, SecondOpinion


def the_cases_were_curated_and_late_truth_came_to_them() -> None:
    golden = CaseCuration.objects.filter(tags=[afterwards.GOLDEN])
    assert golden.count() == 36
    left_out = CaseCuration.objects.get(excluded_at__isnull=False)
    assert left_out.case == vouchers.case_at(vouchers.LEFT_OUT)
    (anew,) = vouchers.case_at(vouchers.ANSWERED_ANEW).revisions.all()
    assert (anew.label, anew.author_name) == ("rejected", "Tomas Lind")
    truths = Counter(GroundTruth.objects.values_list("source", "correct", "contradicts"))
    assert truths == {("chargeback", False, True): 1, ("audit", True, False): 2}
    charged_back = vouchers.action_at(vouchers.CHARGED_BACK)
    asked = ReviewItem.objects.get(action=charged_back, kind=ItemKind.SECOND_OPINION)
    # Unless chance had drawn it for a second opinion before: somebody is asked once.
    drawn = SecondOpinion.objects.get(item=asked).propensity is not None
    assert drawn or asked.status == ItemStatus.OPEN
    assert CaseCuration.objects.get(case__action_id=charged_back.public_id).disputed_at is not None
    letters = ActionRequest.objects.filter(idempotency_key__startswith="demo-recall-")
    alike = CaseIndex.objects.filter(case__action_id__in=letters.values("public_id"))
    assert alike.count() == 3
    assert len(set(alike.values_list("near_group", flat=True)) - {""}) == 1


def what_was_missing_in_conversations_is_known() -> None:
    found = Counter(ConversationCheck.objects.values_list("finding", flat=True))
    assert (found["missing"], found[""]) == (3, 3)
    assert found["complete"] > 0
    # All are drawn here, so that no chance decides how many are.
    assert Conversation.objects.count() == sum(found.values())
    missing = Omission.objects.values_list("action_type__name", flat=True)
    assert sorted(missing) == ["credit.issue", "credit.issue", "email.send"]
    assert LabelledCase.objects.filter(kind=CaseKind.OMISSION).count() == 3


def versions_were_frozen_and_handed_over() -> None:
    numbers = DatasetVersion.objects.values_list("dataset__name", "number")
    assert sorted(numbers) == [
        ("Golden refunds", 1),
        ("Letters to customers", 1),
        ("Refunds and credits", 1),
        ("Refunds and credits", 2),
    ]
    first, second = Dataset.objects.get(name=versions.TRAINING).versions.order_by("number")
    # Two customers may meet in one conversation's number: chance alone says whether a split cuts it.
    chosen = {why: number for why, number in second.left_out.items() if why != taking.CUT_CONVERSATION}
    assert chosen == {"excluded": 1, "disputed": 2, "erased": 1}
    gone = differences.members(differences.REMOVED, of=second.pk, since=first.pk)
    places = (vouchers.LEFT_OUT, vouchers.CHARGED_BACK)
    expected = {vouchers.case_at(place).pk for place in places}
    expected |= set(LabelledCase.objects.filter(erased_at__isnull=False).values_list("pk", flat=True))
    assert set(gone.values_list("case", flat=True)) == expected
    relabelled = differences.members(differences.RELABELLED, of=second.pk, since=first.pk).get()
    assert relabelled.case == vouchers.case_at(vouchers.ANSWERED_ANEW)
    assert second.difference["added"] == second.case_count - first.case_count + 3 > 0
    assert [mark.cases for mark in first.marks.all()] == [1]
    assert not second.marks.exists()
    letters = DatasetVersion.objects.get(dataset__name=versions.LETTERS)
    assert letters.left_out["near_duplicate"] >= 2
    exports = Counter(Export.objects.values_list("format", "state"))
    assert exports == {
        (ExportFormat.JSONL, ExportState.CANCELLED): 1,  # the erasure reached it
        (ExportFormat.DPO, ExportState.DONE): 1,
        (ExportFormat.CHAT, ExportState.DONE): 1,
        (ExportFormat.PROMPTFOO, ExportState.DONE): 1,
    }
    chat = Export.objects.get(format=ExportFormat.CHAT)
    manifest = cast(Document, chat.manifest)
    redaction = cast(Document, manifest["redaction"])
    assert redaction["profile"] == "For partners outside"
    assert redaction["replaced"]
    scheduled = Export.objects.get(schedule=ExportSchedule.objects.get())
    assert (scheduled.format, scheduled.rows_done) == (ExportFormat.PROMPTFOO, 36)


def a_newer_version_was_tried_on_the_golden_cases() -> None:
    before, now = EvalRun.objects.order_by("id")
    assert [(run.agent_version, run.cases_passed, run.cases_total) for run in (before, now)] == [
        ("3.2", 26, 36),
        ("3.4", 34, 36),
    ]
    compared = eval_comparison.compare(before=before, now=now)
    assert compared.whole.pairs == Pairs(fixed=9, broken=1, still_wrong=1, still_right=25)
    changes = {each.case_id: each.change for each in compared.cases}
    still_wrong, broken = (
        vouchers.case_at(place).public_id for place in (vouchers.UNSAID, vouchers.PARTLY_PAID_BACK)
    )
    assert changes[still_wrong] == eval_comparison.Change.STILL_WRONG
    assert changes[broken] == eval_comparison.Change.BROKEN
    said = next(each for each in learning.report() if each.action_type == vouchers.TYPE).sentence
    assert said.startswith("Corrections of ")
    assert said.endswith(
        " cut errors of “Issue a refund” from 27.8% to 5.6% (36 cases, range 4.9 to 38.9 points)."
    )


def privacy_was_looked_after() -> None:
    rules = RetentionRule.objects.values_list("kind", "action_type", "keep_days")
    assert sorted(rules) == [
        ("context", "", 180),
        ("context", "email.send", 90),
        ("conversations", "", 365),
        ("exports", "", 60),
    ]
    hold = LegalHold.objects.get()
    assert hold.subject == vouchers.action_at(vouchers.CHARGED_BACK).subject
    assert hold.lifted_at is None
    removal = Removal.objects.get()
    assert (removal.kind, removal.state, removal.value) == ("erasure", "done", "")
    # Chance draws whether a second person answered it as well.
    answers = vouchers.action_at(vouchers.ERASED).decisions.count()
    assert answers in (1, 2)
    assert removal.removed == {
        "actions": 1,
        "contexts": 1,
        "final_arguments": 1,
        "decisions": answers,
        "cases": 1,
        "versions": 1,
        "exports": 1,
        "ledger_payloads": 4 * answers,
    }
    assert cast(Document, removal.proof)["ledger"]
    assert vouchers.action_at(vouchers.ERASED).subject in (None, "")

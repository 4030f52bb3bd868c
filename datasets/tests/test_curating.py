"""Curating: tags, what is left out, edits of labels, near duplicates, and finding a case by its words."""

from __future__ import annotations

import json
from datetime import timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client

from datasets.choices import Label
from datasets.models import CaseCuration, CaseIndex, LabelledCase, LabelRevision
from datasets.selectors import cases
from datasets.selectors.cases import CaseFilter
from datasets.services import adjudicating, case_index, curating
from datasets.services.answering import InvalidAnswer, NotAllowed, UnableToAnswer
from datasets.services.similarity import similarity
from datasets.tests.base import Learners, decide, label, make_learners
from hitl_site.lib.clock import database_now
from policies.models import Agent, LedgerEntry
from reviews.choices import DecisionKind
from reviews.selectors.reasons import reason_codes
from reviews.tests.cast import REFUND


def as_(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def make_case(learners: Learners, kind: DecisionKind = DecisionKind.APPROVE, **given: Any) -> LabelledCase:
    decision = decide(learners.cast, kind, **given)
    label()
    return LabelledCase.objects.get(decision_id=decision.public_id)


def entries(verb: str) -> list[dict[str, Any]]:
    found = LedgerEntry.objects.filter(verb=verb).order_by("id").select_related("payload")
    return [entry.payload.body or {} for entry in found]


def found(**where: str) -> list[str]:
    return [case.public_id for case in cases.page(where=CaseFilter(**where)).items]


def test_a_tag_is_given_once_taken_off_and_told_in_the_ledger(learners: Learners) -> None:
    case, other = make_case(learners), make_case(learners, subject="somebody")
    both, now = [case.public_id, other.public_id], database_now()

    assert curating.change_tags(case_ids=both, add=[" golden "], by=learners.mia, now=now) == 2
    assert curating.change_tags(case_ids=both, add=["golden"], by=learners.mia, now=now) == 0
    assert (
        curating.change_tags(
            case_ids=[case.public_id], add=["odd"], remove=["golden"], by=learners.mia, now=now
        )
        == 1
    )

    assert CaseCuration.objects.get(case=case).tags == ["odd"]
    assert found(tag="golden") == [other.public_id]
    assert entries("case.tagged") == [
        {"before": {"tags": []}, "after": {"tags": ["golden"]}},
        {"before": {"tags": []}, "after": {"tags": ["golden"]}},
        {"before": {"tags": ["golden"]}, "after": {"tags": ["odd"]}},
    ]


@pytest.mark.parametrize("tags", [["a\u202eb"], ["x" * 61], [f"tag {n}" for n in range(21)]])
def test_a_tag_that_cannot_be_read_or_is_one_too_many_is_refused(learners: Learners, tags: list[str]) -> None:
    case = make_case(learners)
    with pytest.raises(InvalidAnswer):
        curating.change_tags(case_ids=[case.public_id], add=tags, by=learners.mia, now=database_now())
    assert entries("case.tagged") == []


def test_a_case_left_out_keeps_its_reason_until_it_is_taken_in(learners: Learners) -> None:
    case = make_case(learners)
    chosen, now = [case.public_id], database_now()

    assert curating.leave_out(case_ids=chosen, because="A test order", by=learners.mia, now=now) == 1
    assert curating.leave_out(case_ids=chosen, because="Another reason", by=learners.mia, now=now) == 0
    shown = as_(learners.vic).get(f"/cases/{case.public_id}/").content.decode()
    assert found(standing="left_out") == chosen
    assert curating.take_in(case_ids=chosen, by=learners.mia, now=now) == 1
    assert curating.take_in(case_ids=chosen, by=learners.mia, now=now) == 0

    assert "A test order" in shown
    assert "Another reason" not in shown
    assert found(standing="left_out") == []
    assert entries("case.left_out") == [
        {"before": {"left_out": False}, "after": {"left_out": True, "because": "A test order"}}
    ]
    assert entries("case.taken_in") == [
        {"before": {"left_out": True, "because": "A test order"}, "after": {"left_out": False}}
    ]


def test_who_may_not_curate_changes_nothing(learners: Learners) -> None:
    case = make_case(learners)
    before, now = LedgerEntry.objects.count(), database_now()
    for act in (
        lambda: curating.change_tags(case_ids=[case.public_id], add=["x"], by=learners.vic, now=now),
        lambda: curating.leave_out(case_ids=[case.public_id], because="x", by=learners.vic, now=now),
        lambda: curating.take_in(case_ids=[case.public_id], by=learners.vic, now=now),
        lambda: curating.edit_label(
            case_id=case.public_id, label=Label.REJECTED, arguments=None, note="x", seen=0,
            by=learners.vic, now=now,
        ),
    ):  # fmt: skip
        with pytest.raises(NotAllowed):
            act()
    vic = as_(learners.vic)
    assert vic.post("/cases/curate/", {"act": "tag", "tag": "x", "cases": case.public_id}).status_code == 403
    assert vic.post(f"/cases/{case.public_id}/edit/", {"label": "rejected"}).status_code == 403
    assert "Answer this case anew" not in vic.get(f"/cases/{case.public_id}/").content.decode()
    assert (LedgerEntry.objects.count(), CaseCuration.objects.count()) == (before, 0)


def test_the_agents_owner_answers_and_leaves_out_no_case_of_it(learners: Learners) -> None:
    case, now = make_case(learners), database_now()
    other = make_case(learners)
    CaseCuration.objects.create(case=other, disputed_at=now, disputed_because="It came back", updated_at=now)
    disputed = other.public_id
    Agent.objects.filter(name=case.agent).update(owner=learners.mia)
    for act in (
        lambda: curating.leave_out(case_ids=[case.public_id], because="x", by=learners.mia, now=now),
        lambda: curating.edit_label(
            case_id=case.public_id, label=Label.REJECTED, arguments=None, note="x", seen=0,
            by=learners.mia, now=now,
        ),
        lambda: adjudicating.settle(
            case_id=disputed, label=Label.REJECTED, arguments=None, note="x", by=learners.mia, now=now
        ),
    ):  # fmt: skip
        with pytest.raises(NotAllowed, match="You own this agent"):
            act()
    assert not case.revisions.exists()
    assert entries("case.left_out") == entries("case.edited") == entries("case.adjudicated") == []
    # Tags say nothing of what is right.
    assert curating.change_tags(case_ids=[case.public_id], add=["golden"], by=learners.mia, now=now) == 1


def test_an_edited_label_counts_and_every_answer_stays(learners: Learners) -> None:
    case = make_case(learners)
    mia, url = as_(learners.mia), f"/cases/{case.public_id}/edit/"
    right, code = {**REFUND, "amount": 12.5}, reason_codes(learners.cast.refund)[0].code
    answer = {"label": "corrected", "arguments": json.dumps(right), "note": "One cup.", "seen": 0}

    odd = mia.post(url, {**answer, "arguments": "{"})
    same = mia.post(url, {"label": "approved", "note": "It was right.", "seen": 0})
    assert [page.status_code for page in (odd, same)] == [422, 422]
    assert "One cup." in odd.content.decode()
    assert "That is the answer which stands." in same.content.decode()
    assert not LabelRevision.objects.exists()
    done = mia.post(url, {**answer, "reasons": [code]})
    stale = mia.post(url, {"label": "rejected", "note": "Late.", "seen": 0})

    assert done.status_code == 302
    assert stale.status_code == 422
    assert "Somebody has answered this case since you opened it." in stale.content.decode()
    revision = LabelRevision.objects.get(case=case)
    assert (revision.number, revision.kind, revision.label) == (1, "edit", "corrected")
    assert revision.reasons == [code]
    assert json.loads(bytes(revision.arguments_canonical or b"")) == right
    assert (found(label="corrected"), found(label="approved")) == ([case.public_id], [])
    assert found(standing="answered_again") == [case.public_id]
    assert "answered again" in mia.get("/cases/").content.decode()
    (told,) = entries("case.edited")
    assert (told["before"], told["after"]) == ({"label": "approved"}, {"label": "corrected"})


def test_the_list_does_with_the_chosen_cases_what_was_asked_and_goes_back(learners: Learners) -> None:
    case, other = make_case(learners), make_case(learners, subject="somebody")
    mia = as_(learners.mia)
    back = "/cases/?label=approved"

    done = mia.post(
        "/cases/curate/",
        {"act": "tag", "tag": "golden", "cases": [case.public_id, other.public_id], "back": back},
    )
    away = mia.post(
        "/cases/curate/", {"act": "tag", "tag": "x", "cases": [], "back": "//evil.example/cases/"}
    )
    nobody = mia.post("/cases/curate/", {"act": "leave_out", "cases": ["case_" + "0" * 32], "because": "x"})

    assert (done.status_code, done.headers["Location"]) == (302, back)
    assert away.headers["Location"] == "/cases/"
    page = mia.get("/cases/").content.decode()
    assert "2 cases tagged." in page
    assert "Choose at least one case." in page
    assert "There is no such case." in page
    assert nobody.status_code == 302
    assert entries("case.left_out") == []


def test_a_case_is_found_by_its_words_and_nearly_the_same_are_a_group(learners: Learners) -> None:
    long = "two blue cups broke " + "in the post " * 30
    said = [{"messages": [{"role": "user", "content": text}]} for text in (long, long, "Hola")]
    first, second, other = (
        make_case(learners, conversation_id=name, context=context)
        for name, context in zip("abc", said, strict=True)
    )

    assert case_index.index_cases(now=database_now()) == 3
    assert case_index.index_cases(now=database_now()) == 0

    groups = dict(CaseIndex.objects.values_list("case__public_id", "near_group"))
    assert groups == {
        first.public_id: first.public_id,
        second.public_id: first.public_id,
        other.public_id: "",
    }
    assert found(q="blue cups") == [second.public_id, first.public_id]
    assert found(q="hola") == [other.public_id]
    assert found(q="nothing of the kind") == []
    assert found(group=first.public_id) == [second.public_id, first.public_id]
    assert [each.public_id for each in cases.alike(first)] == [second.public_id]
    curating.edit_label(
        case_id=second.public_id, label=Label.REJECTED, arguments=None, note="No.", seen=0,
        by=learners.mia, now=database_now(),
    )  # fmt: skip
    assert "Answered otherwise" in as_(learners.vic).get(f"/cases/{first.public_id}/").content.decode()


def test_a_similarity_three_bits_away_is_near_and_four_is_not(learners: Learners) -> None:
    first, near, far = (make_case(learners, conversation_id=name) for name in "abc")
    start = similarity("a text", REFUND)
    assert start is not None
    # One bit in each of three blocks; then one in each of the four, which share no block either.
    three = _flipped(start, 0, 16, 32)
    four = _flipped(start, 1, 17, 33, 49)
    with connection.cursor() as cursor:
        for case, bits in ((first, start), (near, three), (far, four)):
            cursor.execute("ALTER TABLE datasets_labelledcase DISABLE TRIGGER USER")
            cursor.execute("UPDATE datasets_labelledcase SET similarity = %s WHERE id = %s", [bits, case.pk])
            cursor.execute("ALTER TABLE datasets_labelledcase ENABLE TRIGGER USER")

    case_index.index_cases(now=database_now())

    assert dict(CaseIndex.objects.values_list("case_id", "near_group")) == {
        first.pk: first.public_id,
        near.pk: first.public_id,
        far.pk: "",
    }


@pytest.mark.django_db(transaction=True)
def test_two_people_who_edit_a_label_at_once_leave_one_answer() -> None:
    learners = make_learners()
    case = make_case(learners)
    barrier, outcomes = Barrier(2), list[str]()

    def edit(amount: float) -> None:
        try:
            barrier.wait(10)
            curating.edit_label(
                case_id=case.public_id, label=Label.CORRECTED, arguments={**REFUND, "amount": amount},
                note="So.", seen=0, by=learners.mia, now=database_now() + timedelta(seconds=1),
            )  # fmt: skip
            outcomes.append("answered")
        except UnableToAnswer:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [Thread(target=edit, args=(amount,)) for amount in (1.5, 2.5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["answered", "refused"]
    assert LabelRevision.objects.filter(case=case).count() == 1
    assert len(entries("case.edited")) == 1


def _flipped(bits: int, *places: int) -> int:
    flipped = bits & (2**64 - 1)
    for place in places:
        flipped ^= 1 << place
    return flipped - 2**64 if flipped >> 63 else flipped

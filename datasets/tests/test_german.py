"""The pages of cases and datasets in German; what is stored of them, and what leaves, in English."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client
from django.utils import translation

from datasets.models import CaseCuration, Dataset, LabelledCase
from datasets.redaction import everything
from datasets.selectors import redaction
from datasets.selectors.selection import EndsTooSoon, Selection
from datasets.selectors.words import inside, of_code, why_disputed, why_it_waits
from datasets.services import freezing
from datasets.tests.base import Learners, decide, label, make_dataset
from hitl_site.lib.clock import database_now
from policies.choices import PolicyState
from policies.models import PolicyVersion
from reviews.choices import DecisionKind

pytestmark = pytest.mark.django_db

GERMAN: Final = {"accept-language": "de"}


def german(person: User) -> Client:
    client = Client(headers=GERMAN)
    client.force_login(person)
    return client


def shown(answer: object) -> str:
    assert isinstance(answer, HttpResponse)
    return answer.content.decode()


def test_the_list_and_the_page_of_a_case_are_german(learners: Learners) -> None:
    decide(
        learners.cast,
        DecisionKind.CORRECT,
        proposed={"order": "SO-48213", "amount": 184},
        arguments={"order": "SO-48213", "amount": 1},
    )
    label()
    client = german(learners.mia)
    cases = shown(client.get("/cases/"))
    assert "<h1>Fälle</h1>" in cases
    assert "Angehalten und entschieden" in cases
    assert "<span>Korrigiert</span>" in cases
    page = shown(client.get(f"/cases/{LabelledCase.objects.get().public_id}/"))
    assert "1 Feld korrigiert" in page
    assert "Der Agent schlug vor" in page
    assert "Falscher Wert" in page
    # What is exported stays as the machines know it.
    assert "&quot;label&quot;: &quot;corrected&quot;" in page


def test_curating_answers_in_german_and_the_ledger_in_codes(learners: Learners) -> None:
    decide(learners.cast)
    decide(learners.cast)
    label()
    client = german(learners.mia)
    cases = list(LabelledCase.objects.values_list("public_id", flat=True))
    told = client.post("/cases/curate/", {"act": "tag", "cases": cases, "tag": "gut"}, follow=True)
    assert "2 Fälle markiert." in shown(told)
    again = client.post("/cases/curate/", {"act": "tag", "cases": cases[:1], "tag": "neu"}, follow=True)
    assert "1 Fall markiert." in shown(again)
    refused = client.post("/cases/curate/", {"act": "tag", "cases": cases, "tag": ""}, follow=True)
    assert "Nennen Sie die Markierung." in shown(refused)
    assert sorted(map(len, CaseCuration.objects.values_list("tags", flat=True))) == [1, 2]


def test_a_dataset_says_in_german_what_it_takes_and_why_nothing_is_frozen(learners: Learners) -> None:
    dataset = make_dataset(labels=("corrected",), strengths=("strong",))
    client = german(learners.mia)
    assert '<b class="num">1</b> Datensatz' in shown(client.get("/datasets/"))
    page = shown(client.get(f"/datasets/{dataset.public_id}/"))
    assert "Was er aufnimmt" in page
    assert "<dt>Stärke</dt><dd>Stark</dd>" in page
    refused = client.post(f"/datasets/{dataset.public_id}/freeze/")
    assert refused.status_code == 409
    assert "Noch passt kein Fall zur Auswahl von &#x27;Refunds&#x27;." in shown(refused)
    assert not dataset.versions.exists()


def test_a_version_is_german(learners: Learners) -> None:
    decide(learners.cast)
    label()
    dataset = make_dataset()
    version = freezing.freeze(dataset_id=dataset.public_id, frozen_by=None, now=database_now()).version
    page = shown(german(learners.mia).get(f"/dataset-versions/{version.public_id}/"))
    assert '<b class="num">1</b> Fall' in page
    assert "1 freigegeben, 0 korrigiert, 0 abgelehnt" in page
    assert "Etiketten nach Aktionstyp" in page


def test_the_form_of_a_dataset_keeps_what_was_typed_and_stores_codes(learners: Learners) -> None:
    client = german(learners.mia)
    backwards = {"name": "Rückgaben", "since": "2026-03-02", "until": "2026-03-01"}
    refused = client.post("/datasets/", backwards)
    assert refused.status_code == 422
    assert "Das Ende der Zeit liegt nicht nach ihrem Anfang." in shown(refused)
    assert 'aria-describedby="id_until_helptext id_until_error"' in shown(refused)
    made = client.post("/datasets/", {"name": "Rückgaben", "labels": "corrected"}, follow=True)
    assert "Rückgaben angelegt." in shown(made)
    assert Dataset.objects.get().selection["labels"] == ["corrected"]


def test_a_rule_drafted_in_german_is_stored_in_english(learners: Learners) -> None:
    for amount in (150, 184):
        decide(
            learners.cast,
            DecisionKind.CORRECT,
            proposed={"order": "SO-48213", "amount": amount},
            arguments={"order": "SO-48213", "amount": 100},
            reasons=("wrong_arguments",),
        )
    label()
    client = german(learners.cast.olga)
    page = shown(client.get("/failures/"))
    assert '<b class="num">2</b> Korrekturen in den letzten 30 Tagen' in page
    assert "Falscher Wert" in page
    form = {"days": "30", "type": "refund.issue", "pointer": "/amount", "kind": "wrong_value"}
    client.post("/failures/draft/", {**form, "reason": "wrong_arguments"})
    draft = PolicyVersion.objects.get(state=PolicyState.DRAFT)
    (rule,) = draft.document["rules"]
    assert rule["title"] == "Often corrected: /amount (wrong value)"


def test_a_time_to_keep_is_refused_in_german(learners: Learners) -> None:
    client = german(learners.cast.olga)
    refused = client.post("/privacy/keeping/", {"kind": "arguments", "keep_days": "1"})
    assert refused.status_code == 422
    floor = settings.RETENTION_FLOOR_DAYS
    assert f"Das wird mindestens {floor} Tage aufbewahrt" in shown(refused)


@pytest.mark.parametrize(
    ("language", "codes", "split"), [("en", "strong", "training"), ("de", "stark", "Training")]
)
def test_a_code_and_a_label_are_said_in_the_language_of_the_reader(
    language: str, codes: str, split: str
) -> None:
    with translation.override(language):
        assert (of_code("strong"), of_code("of_tomorrow"), inside("Training")) == (
            codes,
            "of_tomorrow",
            split,
        )


def test_what_is_stored_in_english_is_read_back_for_the_page() -> None:
    because = "A second opinion says otherwise: corrected."
    assert (why_disputed(because), why_it_waits("")) == (because, "")
    with translation.override("de"):
        assert why_disputed(because) == "Eine Zweitmeinung sagt etwas anderes: korrigiert."
        assert why_disputed("She said so herself.") == "She said so herself."
        assert why_it_waits("act_1 is running; act_2 is held (hld_1); 3 more") == (
            "act_1 läuft gerade; act_2 ist gesperrt (hld_1); 3 weitere"
        )


def test_what_redaction_replaced_is_said_in_german() -> None:
    with translation.override("de"):
        counts = redaction.by_kind({"email": 3, "pseudonym": 2, "of_tomorrow": 1})
    assert counts == (("E-Mail-Adressen", 3), ("Feldregel: Pseudonym", 2), ("of_tomorrow", 1))
    assert everything().to_document()["detectors"]


@pytest.mark.parametrize(("english", "ours"), [("None", "Keine"), ("Save", "Speichern")])
def test_our_words_win_over_those_of_the_framework(english: str, ours: str) -> None:
    with translation.override("de"):
        assert translation.gettext(english) == ours


def test_an_end_before_the_beginning_is_told_apart() -> None:
    now = database_now()
    with translation.override("de"), pytest.raises(EndsTooSoon, match="Das Ende der Zeit"):
        Selection(since=now, until=now - timedelta(days=1))

"""Evals, graders, what was learned and exports in German; what is kept of them is English."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import translation

from datasets.choices import ExportFormat
from datasets.exporters import registry
from datasets.exporters.base import SKIP_REASONS
from datasets.models import EvalResult, EvalRun, ExportSchedule
from datasets.selectors import eval_comparison, learning
from datasets.selectors.grader_words import in_words
from datasets.services.evaluating import Sent
from datasets.services.option_words import SKIPPED, WORDS, chosen, said, skipped
from datasets.tests.base import Learners, make_dataset, make_learners
from datasets.tests.evals import Judged, begin, finished, make_judged, order, right, send
from policies.models import LedgerPayload

GERMAN = {"accept-language": "de"}


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


def page(user: User, address: str) -> str:
    answer = as_(user).get(address, headers=GERMAN)
    assert answer.status_code == 200, address
    return answer.content.decode()


def test_a_run_is_german_and_what_the_grader_kept_is_english(learners: Learners, judged: Judged) -> None:
    run = begin(judged)
    first, second = judged.corrected
    with translation.override("de"):
        send(run, Sent(case=first, acted=True, output={**order(1), "amount": 977}), right(second))
    shown = page(learners.mia, f"/evals/{run.public_id}/")
    for words in ("Korrekturen nicht bestanden", "2 von 5", "1 Stelle ist falsch.", "Es weicht ab."):
        assert words in shown, words
    kept = EvalResult.objects.get(case__public_id=first).detail
    assert kept["why"] == "1 place is wrong."


def test_the_other_pages_of_evals_are_german(learners: Learners, judged: Judged) -> None:
    before, now = finished(judged, failing=judged.all), finished(judged, failing=[], label="3")
    compared = page(learners.mia, f"/evals/{now.public_id}/compare/?with={before.public_id}")
    assert "Fehlerraten auf denselben Fällen" in compared
    assert "Eval-Läufe, neueste zuerst" in page(learners.mia, "/evals/")
    assert "Genau dieselben Argumente" in page(learners.mia, "/graders/")
    refused = as_(learners.mia).post("/graders/refund.issue/", {"document": "{"}, headers=GERMAN)
    assert refused.status_code == 422
    assert "Das ist kein Bewerter" in refused.content.decode()
    learnt = page(learners.mia, "/learning/")
    assert '<span class="num">5</span> Fälle, <span class="num">2</span> korrigiert' in learnt
    assert "Zu wenig für eine Aussage" in learnt


def test_what_was_learned_is_one_german_sentence() -> None:
    cases = [
        eval_comparison.ComparedCase(f"c{at}", "refund.issue", change, "", "")
        for change, number in (
            (eval_comparison.Change.FIXED, 10),
            (eval_comparison.Change.BROKEN, 1),
            (eval_comparison.Change.STILL_RIGHT, 89),
        )
        for at in range(number)
    ]
    run = EvalRun(agent_name="clerk", agent_version="3")
    progress = learning.Progress(
        before=run,
        now=run,
        compared=eval_comparison.counted("refund.issue", cases),
        corrections=0,
        first_correction=None,
        last_correction=None,
        trained_on=0,
    )
    learnt = learning.Learning(
        action_type="refund.issue", title="Refund", cases=100, corrected=10, progress=progress
    )
    with translation.override("de"):
        assert learnt.sentence == (
            "Version 3 von clerk senkte die Fehler bei „Refund“ von 10,0 % auf 1,0 % "
            "(100 Fälle, Bereich 2,6 bis 16,5 Punkte)."
        )


@pytest.mark.parametrize(
    ("kept", "shown"),
    [
        ("3 places are wrong.", "3 Stellen sind falsch."),
        ("It is off by 0.25; 0.1 is allowed.", "Abweichung 0,25; erlaubt ist 0,1."),
        ("Alike by 0.42; 0.9 is needed.", "Ähnlich mit 0,42; nötig ist 0,9."),
        ("1 missing, 2 too many.", "1 fehlen, 2 zu viel."),
        ("A runner's own words.", "A runner's own words."),
    ],
)
def test_what_a_grader_kept_is_read_back(kept: str, shown: str) -> None:
    assert in_words(kept) == kept
    with translation.override("de"):
        assert in_words(kept) == shown


@pytest.mark.parametrize("format", registry.formats())
def test_every_option_of_every_format_has_its_german_words(format: str) -> None:
    for option in registry.options_of(format):
        for words in (option.title, option.help, *(text for _, text in option.choices)):
            assert not words or words in WORDS or words == "Form", words
    with translation.override("de"):
        assert said("Plain text") == "Reiner Text"


def test_every_reason_for_no_row_has_its_german_words() -> None:
    assert set(SKIP_REASONS.values()) == SKIPPED
    with translation.override("de"):
        assert skipped(SKIP_REASONS["erased"]) == "der Vorschlag oder die richtige Antwort wurde gelöscht"


def test_a_text_that_somebody_typed_is_not_translated() -> None:
    with translation.override("de"):
        assert ("Titel", "Messages") in chosen(ExportFormat.HUGGING_FACE, {"title": "Messages"})


def test_a_schedule_is_german_and_what_went_wrong_is_kept_in_english(learners: Learners) -> None:
    dataset = make_dataset()
    address = reverse("datasets:schedules", args=[dataset.public_id])
    given = {"format": "jsonl", "cadence": "weekly", "weekday": "0", "hour": "3"}
    mia = as_(learners.mia)
    assert mia.post(address, {**given, "hour": "33"}, headers=GERMAN).status_code == 422
    assert not ExportSchedule.objects.exists()
    assert mia.post(address, given, headers=GERMAN).status_code == 302
    assert "Jeden Montag um 03:00 UTC" in page(learners.mia, address)
    schedule = ExportSchedule.objects.get()
    # No case fits the dataset yet, so there is nothing to freeze.
    assert (
        mia.post(reverse("datasets:schedule_run", args=[schedule.public_id]), headers=GERMAN).status_code
        == 302
    )
    schedule.refresh_from_db()
    assert schedule.last_error.startswith("No labelled case fits the selection of")
    (kept,) = LedgerPayload.objects.filter(entry__verb="export_schedule.failed")
    assert isinstance(kept.body, dict)
    assert kept.body["error"] == schedule.last_error

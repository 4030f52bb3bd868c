"""Autonomy, calibration and the editor of a policy in German; what is kept of them is English."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from django.urls import reverse
from django.utils import translation

from policies.choices import AutonomyLevel
from policies.engine.facts import Level
from policies.engine.ladder import Condition, Evals, Situation, next_rung, renewal
from policies.engine.ladder_settings import LadderSettings
from policies.models import ActionType, AgentVersion, AutonomyGrant, AutonomyProposal
from policies.selectors.fault_words import fault_in_words
from policies.selectors.ladder_words import time_to_go
from policies.selectors.rung_words import act_in_words, condition_in_words
from policies.tests.base import make_policy, make_refund_type, recorded
from policies.tests.people import browser_of, everything_stored, make_member, text_of
from policies.tests.test_ladder import QUICK, certified, earn
from policies.tests.track_record import Clock, Record

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.test import Client

GERMAN = {"accept-language": "de"}
NB = "\N{NO-BREAK SPACE}"

SITUATION = Situation(level=Level.REVIEW_ALL, cap=Level.AUTONOMOUS, days=3, comparisons=0, errors=0, upper=1)
SITUATIONS = (
    replace(SITUATION, level=Level.SHADOW, comparisons=1_234, upper=0.075),
    SITUATION,
    replace(SITUATION, labels_to_go=1_200, e=1.5, e_wanted=20.0, scored=False),
    replace(SITUATION, enough=True, e=1_840.0, threshold=0.86, share=0.305, labels_to_go=0),
    replace(SITUATION, level=Level.THRESHOLD, checks_alone=40, evals=Evals(required=True)),
    replace(SITUATION, evals=Evals(required=True, failed_corrections=3), alarm=True, overdue=4),
    replace(SITUATION, evals=Evals(required=True, failed_corrections=0), certificate_days=20.0),
    replace(SITUATION, catch_lower=0.62, agreement=0.5, psi=0.1, blind_share=0.079, blind_upper=0.12),
)


@pytest.fixture
def refund(db: None) -> ActionType:
    return make_refund_type(error_limit=0.3, ladder=QUICK)


@pytest.fixture
def record(clerk_v1: AgentVersion, refund: ActionType, alice: User) -> Record:
    make_policy(refund, alice, threshold=0.5, audit_rate=0.01)
    # Pages ask the database for the time.
    from hitl_site.lib.clock import database_now

    return Record(clerk_v1, Clock(database_now()))


@pytest.fixture
def manager(db: None) -> Client:
    return browser_of(make_member("manager"))


def cell(record: Record, name: str = "autonomy_cell") -> str:
    return reverse(f"policies:{name}", args=[record.version.public_id, "refund.issue"])


def conditions() -> Iterator[Condition]:
    for situation in SITUATIONS:
        for rung in (next_rung(situation, LadderSettings()), renewal(situation, LadderSettings())):
            assert rung is not None
            yield from (*rung.conditions, *rung.health)


def test_every_sentence_of_the_ladder_has_its_german_one() -> None:
    for condition in conditions():
        assert condition_in_words(condition) == condition
        with translation.override("de"):
            said = condition_in_words(condition)
        assert said.title != condition.title or said.title == "Evals"
        assert said.says != condition.says, condition.says
        assert replace(said, title=condition.title, says=condition.says) == condition


def test_its_numbers_are_written_as_germans_write_them() -> None:
    said = {}
    with translation.override("de"):
        for condition in conditions():
            said[condition.says] = condition_in_words(condition).says
    assert said["1,234 of 50."] == "1.234 von 50."
    assert said["7.9%, could be as high as 12%, at least 10% needed."] == (
        "7,9 %, könnte bis zu 12 % sein, mindestens 10 % nötig."
    )


@pytest.mark.parametrize(
    ("kept", "said"),
    [
        (
            "At least 1.5% of what runs alone is wrong, above the limit of 1%.",
            "Mindestens 1,5 % dessen, was allein läuft, ist falsch, über der Grenze von 1 %.",
        ),
        (
            "3 of 7 checks were wrong while it was being tried.",
            "3 von 7 Kontrollen waren während der Probe falsch.",
        ),
        ("A person wrote this.", "A person wrote this."),
    ],
)
def test_what_the_record_keeps_is_read_back_in_german(kept: str, said: str) -> None:
    assert act_in_words(kept) == kept
    with translation.override("de"):
        assert act_in_words(kept) == said


@pytest.mark.parametrize(
    ("days", "said"), [(0.4, "weniger als einen Tag"), (1.2, "etwa 1 Tag"), (45, "etwa 45 Tage")]
)
def test_a_time_to_go_has_its_singular(days: float, said: str) -> None:
    with translation.override("de"):
        assert time_to_go(days) == said


def test_a_fault_of_the_engine_is_said_in_german_and_one_of_cel_is_left_alone() -> None:
    with translation.override("de"):
        assert fault_in_words("a text of 1 to 200 characters") == "ein Text von 1 bis 200 Zeichen"
        assert fault_in_words("line 1, column 3: unexpected end") == "line 1, column 3: unexpected end"


def test_the_way_up_and_its_refusals_are_german(manager: Client, record: Record, refund: ActionType) -> None:
    record.reviewed(12, errors=1)
    record.settle()
    page = text_of(manager.get(cell(record), headers=GERMAN))
    for said in (
        "Der Weg zu „Schwelle“",
        "Nachweis 1,0 von nötigen 20.",
        f"1 von 12 geprüften Aktionen waren falsch: 8,3{NB}%",
        "Noch keine Übungen, also gleicht nichts die Fehler aus, die Prüfende übersehen.",
        "Nachweis, Etikett für Etikett",
    ):
        assert said in page, said
    assert "Alles prüfen" in text_of(manager.get(reverse("policies:autonomy"), headers=GERMAN))
    before = everything_stored()
    refused = manager.post(cell(record, "autonomy_propose"), {"propose-note": "bitte"}, headers=GERMAN)
    assert refused.status_code == 409
    assert "Nachweise: Nachweis 1,0 von nötigen 20." in text_of(refused)
    assert everything_stored() == before


def test_a_level_granted_in_german_is_kept_in_english(
    manager: Client, record: Record, refund: ActionType
) -> None:
    proposal = earn(record)
    assert "Vorgeschlagen: Schwelle" in text_of(manager.get(cell(record), headers=GERMAN))
    url = reverse("policies:autonomy_answer", args=[proposal.public_id])
    given = {"answer": "approve", "answer-reason": "gute Arbeit"}
    assert manager.post(url, given, headers=GERMAN).status_code == 302
    assert AutonomyGrant.objects.get().level == "threshold"
    assert recorded("autonomy.approved")[0]["to"] == "threshold"
    again = manager.post(url, given, headers=GERMAN)
    assert "Dieser Vorschlag ist abgeschlossen: freigegeben." in text_of(again)


def test_what_handrail_itself_does_in_german_is_kept_in_english_and_shown_in_german(
    manager: Client, record: Record, refund: ActionType, alice: User
) -> None:
    proposal = earn(record)
    with translation.override("de"):
        record.reviewed(30, errors=25)
        record.settle()
    proposal = AutonomyProposal.objects.get(pk=proposal.pk)
    assert (proposal.state, proposal.closed_because) == ("withdrawn", "The evidence no longer speaks for it.")
    page = text_of(manager.get(cell(record), headers=GERMAN))
    assert "Vorschlag zurückgezogen" in page
    assert "Die Nachweise sprechen nicht mehr dafür." in page


def test_a_minor_change_and_a_cap_are_refused_in_german(
    manager: Client, record: Record, refund: ActionType, alice: User
) -> None:
    certified(record, refund, alice, AutonomyLevel.THRESHOLD, threshold=0.7)
    refused = manager.post(cell(record, "autonomy_minor"), {"minor-reason": "Tippfehler"}, headers=GERMAN)
    assert refused.status_code == 409
    assert "Keine frühere Version dieses Agenten hat eine zertifizierte Stufe" in text_of(refused)
    assert "„Schwelle“ zurücknehmen …" in text_of(manager.get(cell(record), headers=GERMAN))


def test_the_editor_of_a_policy_is_german_with_its_faults(refund: ActionType, alice: User) -> None:
    make_policy(refund, alice, threshold=0.5)
    browser, url = (
        browser_of(make_member("ops_admin")),
        reverse("policies:policy_edit", args=["refund.issue"]),
    )
    page = text_of(browser.get(url, headers=GERMAN))
    for said in (
        "Wann angehalten wird",
        "Anhalten, wenn die Wahrscheinlichkeit, dass es stimmt, kleiner ist als",
        "In Prozent, mindestens 1: Ohne Kontrollen",
        "Regel hinzufügen",
    ):
        assert said in page, said
    before = everything_stored()
    given = {"save": "draft", "view": "json", "json": "[]", "seen": ""}
    refused = browser.post(url, given, headers=GERMAN)
    assert refused.status_code == 422
    assert "Eine Richtlinie ist ein Objekt, in { und }." in text_of(refused)
    assert everything_stored() == before


def test_the_calibration_is_german(manager: Client, refund: ActionType) -> None:
    page = text_of(manager.get(reverse("policies:calibration", args=["refund.issue"]), headers=GERMAN))
    assert "Noch trägt kein Etikett einen Wert" in page

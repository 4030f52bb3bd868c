"""Trust, team, quality, capacity and the what-if answers in German; what is kept or sent stays English."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import reverse
from django.utils import translation

from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry, TrustLink
from policies.services import trust_links
from reviews.choices import DecisionKind
from reviews.models import Shift, Skill
from reviews.selectors import independence
from reviews.services import deadlines
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import Cast, decide_as, held, make_person
from reviews.tests.test_what_if import some_past
from reviews.views.trust_links import VISITS

pytestmark = pytest.mark.django_db

GERMAN = {"accept-language": "de"}


def words_of(answer: HttpResponseBase) -> str:
    """Return what a page says, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text_of(answer))).split())


def release() -> None:
    deadlines.release_due(now=database_now() + timedelta(minutes=5))


def test_the_trust_page_counts_in_german(cast: Cast) -> None:
    browser = browser_of(cast.dan)
    item = held(cast)
    one = words_of(browser.get("/trust/", headers=GERMAN))
    assert "Agenten bearbeiteten in den letzten 30 Tagen 1 Aktion." in one
    assert "Nichts lief allein." in one
    assert "Was die Zahlen bedeuten" in one
    held(cast)
    decide_as(cast.bob, item, DecisionKind.REJECT)
    release()
    two = words_of(browser.get("/trust/", headers=GERMAN))
    assert "Agenten bearbeiteten in den letzten 30 Tagen 2 Aktionen." in two
    assert "Korrigiert oder abgelehnt wurden vom Angehaltenen 1" in two
    listed = words_of(browser.get("/trust/items/?deadline=kept", headers=GERMAN))
    assert "1 in den letzten 30 Tagen" in listed
    assert "Vor der Frist beantwortet" in listed


def test_a_version_of_the_trust_page_names_each_of_its_numbers(cast: Cast) -> None:
    held(cast)
    page = text_of(browser_of(cast.dan).get("/trust/", headers=GERMAN))
    line = page[page.index("trust-lines") :]
    line = line[line.index("<tbody>") : line.index("</tbody>")]
    assert len(re.findall(r"<td", line)) == len(re.findall(r'<td[^>]* data-l="[^"]+"', line)) == 16
    assert 'data-l="Angehalten: Risiko"' in line


def test_the_download_is_the_same_in_every_language(cast: Cast) -> None:
    decide_as(cast.bob, held(cast), DecisionKind.REJECT)
    release()
    browser = browser_of(cast.dan)
    english = browser.get("/trust/download/").content
    assert b"reasons" in english.splitlines()[0]
    assert browser.get("/trust/download/", headers=GERMAN).content == english


def test_a_shared_page_speaks_the_language_of_whoever_reads_it(cast: Cast) -> None:
    VISITS.forget()
    browser = browser_of(cast.dan)
    answer = browser.post("/trust/links/", {"for_whom": "Der Vorstand", "lasts": "7"}, headers=GERMAN)
    assert answer.status_code == 302
    link = TrustLink.objects.get()
    address = f"/shared/trust/{trust_links.address_of(link)}/"
    assert "Noch nichts zu messen" in text_of(Client().get(address, headers=GERMAN))
    assert "Nothing to measure yet" in text_of(Client().get(address))
    refused = browser.post("/trust/links/", {"for_whom": " \x00", "lasts": "7"}, headers=GERMAN)
    assert refused.status_code == 422
    assert TrustLink.objects.count() == 1
    browser.post(reverse("reviews:trust_link_revoke", args=[link.public_id]), headers=GERMAN)
    assert "Dieser Link zeigt nichts" in text_of(Client().get(address, headers=GERMAN))
    VISITS.forget()


def test_a_rota_is_refused_in_german_and_kept_in_english(cast: Cast) -> None:
    browser = browser_of(make_person("Lea", "lead"))
    page = reverse("reviews:team_person", args=["alice"])
    refused = browser.post(page, {"act": "shift", "starts": "09:00", "ends": "17:00"}, headers=GERMAN)
    assert refused.status_code == 422
    assert "Geben Sie einen Wochentag oder ein Datum an." in text_of(refused)
    assert not Shift.objects.exists()
    shift = {"act": "shift", "weekday": "0", "starts": "09:00", "ends": "17:00"}
    assert browser.post(page, shift, headers=GERMAN).status_code == 302
    shown = words_of(browser.get(page, headers=GERMAN))
    assert "Gespeichert." in shown
    assert "Montag 09:00 17:00" in shown
    assert "Jeden Montag" in shown
    kept = LedgerEntry.objects.get(verb="person.rota_changed").payload.body
    assert kept == {"person": "alice", "before": [], "after": ["0 09:00-17:00 UTC"]}
    unknown = browser.post(page, {"act": "skills", "skills": ["no.such"]}, headers=GERMAN)
    assert unknown.status_code == 422
    assert "Den Aktionstyp no.such gibt es nicht." in text_of(unknown)
    assert not Skill.objects.exists()
    team = words_of(browser.get(reverse("reviews:team"), headers=GERMAN))
    assert "Wer was entscheidet, wie viel jede Person hat und wer im Dienst ist." in team


def test_why_an_item_is_not_theirs_is_said_in_german(cast: Cast) -> None:
    item = held(cast)
    Skill.objects.create(user=cast.alice, action_type_name="note.add", added_at=database_now())
    with translation.override("de"):
        said = independence.why_not(item, cast.alice)
    assert said.startswith("Dieser Aktionstyp gehört nicht zu Ihren Fähigkeiten;")
    assert independence.why_not(item, cast.alice).startswith("Your skills do not include")


def test_reviewing_well_counts_decisions_in_german(cast: Cast) -> None:
    browser = browser_of(cast.alice)
    own = reverse("reviews:quality_of", args=["alice"])
    decide_as(cast.alice, held(cast))
    release()
    one = words_of(browser.get(own, headers=GERMAN))
    assert "Wie ich prüfe" in one
    assert "1 Entscheidung Was die Zahlen bedeuten" in one
    decide_as(cast.alice, held(cast))
    release()
    assert "2 Entscheidungen Was die Zahlen bedeuten" in words_of(browser.get(own, headers=GERMAN))
    everybody = words_of(
        browser_of(make_person("Lea", "lead")).get(reverse("reviews:quality"), headers=GERMAN)
    )
    assert "Die letzten 90 Tage, nach Namen" in everybody


def test_capacity_and_its_chart_speak_german(cast: Cast) -> None:
    held(cast)
    answer = browser_of(cast.dan).get(reverse("reviews:capacity"), headers=GERMAN)
    page = words_of(answer)
    assert "Zu wenig, um zu sagen, wie viele Personen es braucht" in page
    assert "1 warten" in page
    assert "Was warten wird" in page
    assert re.search(r"Stunde (Mo|Di|Mi|Do|Fr|Sa|So) \d\d:00: ", text_of(answer))


@pytest.mark.django_db(transaction=True)
def test_what_a_draft_would_change_is_said_in_german(cast: Cast) -> None:
    some_past(cast)
    address = reverse("reviews:what_if", args=["refund.issue"])
    page = words_of(browser_of(cast.olga).get(f"{address}?threshold=75", headers=GERMAN))
    assert "10 Aktionen" in page
    assert "−30 Punkte" in page
    assert "jetzt 50 %" in page
    assert "Ließe dieser Entwurf durch" in page
    assert "Frühere Aktionen: von diesem Entwurf durchgelassen, schlimmste zuerst" in page
    assert "zu wenige Stichproben" in page

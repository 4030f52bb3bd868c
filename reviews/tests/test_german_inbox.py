"""The inbox and a person's own pages in German; what is kept stays English, and mail speaks its reader's."""

from __future__ import annotations

import html
import re

import pytest
from django.core import mail
from django.http.response import HttpResponseBase
from django.test import Client, override_settings
from django.urls import reverse

from hitl_site.lib.clock import database_now
from policies.models import LedgerEntry
from reviews.choices import NoticeKind
from reviews.models import Notice, ReviewItem
from reviews.services import deliveries, notices, preferences
from reviews.tests.browsing import browser_of, text_of
from reviews.tests.cast import REFUND, Cast, held

pytestmark = pytest.mark.django_db

GERMAN = {"accept-language": "de-AT,de;q=0.9,en;q=0.5"}


def words_of(answer: HttpResponseBase) -> str:
    """Return what a page says, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text_of(answer))).split())


def test_the_inbox_counts_and_names_in_german(cast: Cast) -> None:
    browser = browser_of(cast.alice)
    held(cast)
    one = browser.get("/inbox/", headers=GERMAN)
    assert '<html lang="de"' in text_of(one)
    assert one.headers["Content-Language"] == "de"
    assert "Ich bin dran" in words_of(one)
    assert "1 warten" in words_of(one)
    assert "Message to customer: Sorry!" in words_of(one)  # the agent's own words
    assert "71\N{NO-BREAK SPACE}%, nötig sind 90\N{NO-BREAK SPACE}%" in text_of(one)
    none = words_of(browser.get("/inbox/?q=nowhere", headers=GERMAN))
    assert "1 wartet ohne diese Filter." in none
    held(cast, arguments={**REFUND, "order": "B"})
    assert "2 warten ohne diese Filter." in words_of(browser.get("/inbox/?q=nowhere", headers=GERMAN))


def test_a_word_that_stands_in_djangos_own_pages_too_is_ours(cast: Cast) -> None:
    page = words_of(browser_of(cast.alice).get(reverse("reviews:me"), headers=GERMAN))
    assert "Meine Einstellungen" in page
    assert "Speichern" in page
    assert "Sichern" not in page


def test_what_a_person_chose_is_spoken_whatever_the_browser_asks_for(cast: Cast) -> None:
    preferences.change(person=cast.alice, now=database_now(), language="en")
    assert "My turn" in words_of(browser_of(cast.alice).get("/inbox/", headers=GERMAN))
    preferences.change(person=cast.alice, now=database_now(), language="de")
    assert "Ich bin dran" in words_of(browser_of(cast.alice).get("/inbox/"))


def test_refusals_are_german_and_what_is_recorded_of_a_view_is_not(cast: Cast) -> None:
    browser = browser_of(cast.alice)
    refused = browser.post(reverse("reviews:views"), {"name": " ", "query": "risk=low"}, headers=GERMAN)
    assert refused.status_code == 422
    assert "Geben Sie der Ansicht einen Namen." in words_of(refused)
    browser.post(reverse("reviews:views"), {"name": "Kleines", "query": "risk=low"}, headers=GERMAN)
    told = LedgerEntry.objects.get(verb="view.saved").payload.body
    assert told is not None
    assert told["after"] == {
        "name": "Kleines",
        "order": "",
        "query": "risk=low",
        "shared": False,
    }
    twice = browser.post(reverse("reviews:keys"), {"key-a": "r"}, headers=GERMAN)
    assert "„R“ ist zweimal vergeben. Jedes braucht eine eigene Taste." in words_of(twice)


def test_several_that_cannot_go_together_are_told_why(cast: Cast) -> None:
    chosen = [held(cast, arguments={**REFUND, "order": order}) for order in ("A", "B")]
    address = reverse("reviews:several") + "?" + "&".join(f"items={item.public_id}" for item in chosen)
    page = words_of(browser_of(cast.alice).get(address, headers=GERMAN))
    assert "2 Vorgänge zusammen" in page
    assert "Refund 184 for A: Sein Risiko ist nicht gering." in page


def test_a_notice_is_a_kind_and_called_by_the_readers_word(cast: Cast) -> None:
    item = held(cast)
    notices.tell(user=cast.alice, kind=NoticeKind.ESCALATED, item=item, key="one", now=database_now())
    assert Notice.objects.get().kind == "escalated"
    page = words_of(browser_of(cast.alice).get(reverse("reviews:notices"), headers=GERMAN))
    assert "An Sie weitergeleitet" in page
    assert "1 neu" in page


@pytest.mark.parametrize(
    ("language", "subject", "last"),
    [
        ("de", "1 × Refund: weitergeleitet", "Der Link zeigt eine Seite; dort antworten Sie, angemeldet."),
        ("", "1 × Refund: passed on", "The link shows a page; you answer there, signed in."),
    ],
)
def test_mail_speaks_the_language_that_its_reader_chose(
    cast: Cast, language: str, subject: str, last: str
) -> None:
    cast.alice.email = "alice@example.com"
    cast.alice.save(update_fields=["email"])
    now = database_now()
    preferences.change(person=cast.alice, now=now, language=language)
    item = held(cast)
    notices.tell(user=cast.alice, kind=NoticeKind.ESCALATED, item=item, key="one", now=now, mail=True)
    with override_settings(MAIL_FROM="handrail@example.com"):
        assert deliveries.send_due(now=now) == 1
    (sent,) = mail.outbox
    assert sent.subject == subject
    assert str(sent.body).strip().endswith(last)


def test_a_stranger_is_asked_in_at_the_door_in_german(db: None) -> None:
    page = Client().get(reverse("login"), headers=GERMAN)
    assert "Bei Handrail anmelden" in words_of(page)
    missing = Client().get("/nowhere/", headers=GERMAN)
    assert (missing.status_code, "Hier ist nichts" in words_of(missing)) == (404, True)


def test_the_api_speaks_english_to_a_program_of_a_german(cast: Cast) -> None:
    answer = Client().get("/api/v1/actions/nothing", headers=GERMAN)
    assert answer.json()["title"] == "No valid key"
    assert ReviewItem.objects.count() == 0

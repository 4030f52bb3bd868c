"""The review page, the story of an action and the incidents in German; what is kept stays English."""

from __future__ import annotations

import html
import re
from typing import Any

from django.http.response import HttpResponseBase
from django.test import Client
from django.urls import reverse
from django.utils import translation

from hitl_site.lib.clock import database_now
from hitl_site.lib.strict_json import JsonValue
from policies.models import LedgerEntry
from reviews import schema_form
from reviews.choices import DecisionKind
from reviews.models import Decision
from reviews.schema_form import FieldError
from reviews.selectors.form_words import form_in_words, message_in_words
from reviews.selectors.reasons import ReasonCode
from reviews.services import cancellations, claims, permits
from reviews.tests.api_client import Api, read
from reviews.tests.browsing import HTMX, browser_of, name_of, open_form, text_of, url
from reviews.tests.cast import REFUND, Cast, decide_as, held, propose


def _german(person: Any) -> Client:
    client = browser_of(person)
    client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    return client


def _plain(response: HttpResponseBase) -> str:
    """Return what one reads, without markup."""
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text_of(response))))


def test_the_page_says_why_an_action_is_held_in_german(cast: Cast) -> None:
    page = text_of(_german(cast.alice).get(url("review", held(cast))))

    assert "Warum angehalten" in page
    assert "<b>Geringe Sicherheit</b>" in page
    assert "Die Wahrscheinlichkeit, dass es richtig ist, beträgt 71 %" in html.unescape(page)
    assert "Richtlinie refund.issue, Version 1" in page
    assert "Vorschlag des Agenten" in page
    assert "Falsche Person, falsches Konto oder Objekt" in page
    for verb in ("Weiterleiten", "Ablehnen", "Freigeben", "Korrigieren"):
        assert f"</svg>{verb} <kbd" in page
    for english in ("Escalate", "Approve", "Why it is held", "Low confidence", "Your version", "My turn"):
        assert english not in page


def test_how_many_fields_changed_is_counted_in_german(cast: Cast) -> None:
    item, client = held(cast), _german(cast.alice)
    fields = open_form(client, item)
    one = {**fields, name_of("amount"): "148"}
    two = {**one, name_of("message"): "Hallo"}

    assert "1 Feld geändert" in text_of(client.post(url("diff", item), one, headers=HTMX))
    assert "2 Felder geändert" in text_of(client.post(url("diff", item), two, headers=HTMX))
    refused = _plain(client.post(url("decide", item), {**two, "kind": "approve"}))
    assert "Sie haben 2 Felder geändert. Wählen Sie Korrigieren" in refused


def test_a_refusal_is_german_leads_to_its_place_and_decides_nothing(cast: Cast) -> None:
    item, client = held(cast), _german(cast.alice)
    answer = client.post(url("decide", item), {**open_form(client, item), "kind": "reject"})

    assert answer.status_code == 422
    page = text_of(answer)
    assert "Sagen Sie, warum: Wählen Sie mindestens einen Grund." in page
    assert 'href="#reasons"' in page
    assert not Decision.objects.exists()


def test_what_a_field_lacks_is_said_in_german(cast: Cast) -> None:
    item, client = held(cast), _german(cast.alice)
    fields = {**open_form(client, item), "reasons": ["wrong_arguments"], "kind": "correct"}

    assert "Muss mindestens 0 sein." in _plain(
        client.post(url("decide", item), {**fields, name_of("amount"): "-3"})
    )
    assert "Schreiben Sie die Zahl mit Punkt und ohne Trennzeichen" in _plain(
        client.post(url("decide", item), {**fields, name_of("amount"): "1,5"})
    )
    in_json = {**fields, "editor": "json", "json": "{,"}
    assert "Zeile 1, Spalte 2: Das ist kein gültiges JSON" in _plain(
        client.post(url("decide", item), in_json)
    )


def test_whoever_was_first_and_what_the_agent_took_back_are_told_in_german(cast: Cast) -> None:
    item, client = held(cast), _german(cast.alice)
    fields = open_form(client, item)
    decide_as(cast.bob, item, DecisionKind.REJECT, reasons=("not_needed",))
    late = client.post(url("decide", item), {**fields, "kind": "approve"})

    assert late.status_code == 409
    assert "Bob hat dies abgelehnt: " in _plain(late)
    assert "Ihre Antwort wurde nicht angenommen. Ihre Fassung steht unten" in _plain(late)
    assert "Gründe: Nicht nötig" in _plain(late)

    other = held(cast, arguments={**REFUND, "order": "SO-2"})
    cancellations.cancel(action_id=other.action.public_id, agent=cast.clerk, now=database_now())
    assert "Der Agent hat dies zurückgenommen" in _plain(client.get(url("review", other)))


def test_who_else_holds_it_is_told_in_german(cast: Cast) -> None:
    item = held(cast)
    claims.claim(item_id=item.public_id, reviewer=cast.bob, now=database_now())
    answer = _german(cast.alice).post(url("claim", item), headers={"accept": "application/json"})

    assert answer.json() == {"detail": "Bob arbeitet daran."}
    assert "Bob arbeitet daran" in _plain(_german(cast.alice).get(url("review", item)))


def test_an_answer_given_in_german_is_kept_in_english(cast: Cast) -> None:
    item, client = held(cast), _german(cast.alice)
    fields = {**open_form(client, item), "reasons": ["not_needed"], "kind": "reject"}
    answer = client.post(url("decide", item), fields, headers=HTMX)

    assert "Abgelehnt: „Refund 184 for SO-48213“." in _plain(answer)
    assert "Geht hinaus in" in _plain(answer)
    decision = Decision.objects.get()
    assert (decision.kind, decision.reasons) == ("reject", ["not_needed"])
    entry = LedgerEntry.objects.get(verb="decision.recorded")
    body = entry.payload.body
    assert isinstance(body, dict)
    assert (body["kind"], body["reasons"]) == ("reject", ["not_needed"])
    told = client.get(reverse("reviews:action", args=[item.action.public_id]))
    assert "Alice hat es abgelehnt" in _plain(told)
    assert "Das Gate hielt es für einen Menschen an" in _plain(told)


def test_reasons_are_stored_and_sent_to_agents_in_english(cast: Cast) -> None:
    with translation.override("de"):
        item = held(cast)
    assert item.action.gate_check.reasons[0]["title"] == "Low confidence"
    proposal = {
        "action_type": "refund.issue",
        "arguments": REFUND,
        "confidence": 0.71,
        "agent_version": "1",
    }
    sent = Api(cast.token).post("/actions", proposal, idempotency_key="german", accept_language="de")
    assert [reason["title"] for reason in read(sent)["reasons"]] == ["Low confidence"]


def test_a_permit_is_revoked_in_german(cast: Cast) -> None:
    action = propose(cast, action_type="note.add", arguments={"text": "Hi"}, confidence=0.99)
    permit = action.permits.get()
    page = _plain(_german(cast.olga).get(reverse("reviews:permit_revoke", args=[permit.public_id])))

    assert "Sobald Sie den Knopf drücken, kann diese Aktion nicht laufen" in page
    assert "Jetzt widerrufen" in page
    permits.revoke(permit_id=permit.public_id, reason="Test", actor=cast.olga, now=database_now())
    again = _plain(_german(cast.olga).get(reverse("reviews:permit_revoke", args=[permit.public_id])))
    assert "Sie wurde widerrufen:" in again


def test_incidents_are_listed_in_german(cast: Cast) -> None:
    page = _plain(_german(cast.alice).get(reverse("reviews:incidents")))

    assert "0 offen" in page
    assert "Kein offener Vorfall" in page


def test_the_words_of_a_team_stay_as_they_are() -> None:
    with translation.override("de"):
        assert ReasonCode("not_needed", "Not needed").words == "Nicht nötig"
        assert ReasonCode("ours", "Not needed").words == "Not needed"
        assert message_in_words("Whatever else {name}.") == "Whatever else {name}."


def test_the_forms_own_words_are_german_and_a_schemas_are_not() -> None:
    schema = {
        "type": "object",
        "properties": {
            "Yes": {"enum": ["Yes", "No"], "description": "Remove it. At least once."},
            "sure": {"type": "boolean"},
            "parts": {"type": "array", "items": {"type": "object"}, "minItems": 2},
            "share": {"type": "number", "description": "Of the whole.", "minimum": 0.5, "maximum": 1},
        },
    }
    form = schema_form.build(
        schema, {"Yes": "Yes", "sure": True, "parts": [{}]}, {"Yes": "Yes", "sure": True}
    )
    with translation.override("de"):
        rows = {row.pointer: row for row in form_in_words(form).rows}
    assert [choice.label for choice in rows["/sure"].choices if choice.value in {"true", "false"}] == [
        "Ja",
        "Nein",
    ]
    assert [choice.label for choice in rows["/Yes"].choices][-2:] == ["Yes", "No"]
    assert rows["/Yes"].help == "Remove it. At least once."
    assert rows["/share"].help == "Of the whole. Mindestens 0.5. Höchstens 1."
    with translation.override("en"):
        assert form_in_words(form) == form


def test_every_complaint_of_the_form_has_german_words() -> None:
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": ["integer", "null"], "minimum": 2},
            "s": {"type": "string", "maxLength": 1, "format": "date"},
            "e": {"enum": ["a"]},
            "l": {"type": "array", "uniqueItems": True, "maxItems": 1},
            "c": {"const": 4},
            "p": {"type": "string", "pattern": "^x"},
        },
        "required": ["r"],
        "additionalProperties": False,
    }
    value: JsonValue = {"n": "x", "s": "ab", "e": "b", "l": [1, 1], "c": 5, "p": "y", "q": 1}
    found = schema_form.validate(schema, value)
    assert len(found) == 10
    with translation.override("de"):
        assert [error for error in found if _is_english(error)] == []
        assert message_in_words("Must be a whole number or null.") == "Muss sein: eine ganze Zahl oder null."


def _is_english(error: FieldError) -> bool:
    return message_in_words(error.message) == error.message

"""Policies, agents, stops and the ledger in German; what is stored on the way is English all the same."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from policies.choices import PublicationState
from policies.models import ActionType, Agent, AgentVersion, KillSwitch, PolicyVersion, Publication
from policies.services import agents, gate, policies
from policies.tests.base import NOON, SYSTEM, make_proposal, recorded, trust
from policies.tests.people import Answer, browser_of, make_member, text_of
from policies.tests.test_action_type_pages import TYPED
from policies.tests.test_ledger_pages import write
from policies.tests.test_publications import draft, make_admin
from policies.tests.test_shadow import in_shadow

pytestmark = pytest.mark.django_db


class German:
    """A browser that asks for German."""

    def __init__(self, browser: Client) -> None:
        self._browser = browser

    def get(self, address: str) -> str:
        answer = self._browser.get(address, headers={"accept-language": "de"})
        assert answer.headers["Content-Language"] == "de"
        return text_of(answer)

    def download(self, address: str) -> str:
        answer = self._browser.get(address, headers={"accept-language": "de"})
        return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]  # it streams

    def post(self, address: str, form: dict[str, str], *, follow: bool = False) -> Answer:
        answer: Answer = self._browser.post(address, form, follow=follow, headers={"accept-language": "de"})
        return answer


@pytest.fixture
def olga(db: None) -> German:
    return German(browser_of(make_admin("olga")))


def test_a_policy_and_its_declaration_are_read_in_german(
    olga: German, refund: ActionType, refund_policy: PolicyVersion
) -> None:
    assert '<b class="num">1</b> Aktionstyp</span>' in olga.get("/policies/")
    page = olga.get("/policies/refund.issue/")
    assert '<h2 id="policy">Richtlinie in Kraft</h2>' in page
    assert '<dd class="num">20\u00a0% von dem, was allein läuft; nie unter 1 %</dd>' in page
    assert "<span>Mittleres Risiko</span>" in page
    assert "In Kraft" in page
    assert "Was Agenten senden, wie refund.issue." in olga.get("/action-types/new/")


def test_a_publication_is_asked_for_in_german_and_kept_in_english(
    olga: German, refund: ActionType, refund_policy: PolicyVersion
) -> None:
    from django.contrib.auth.models import User

    version = draft(refund, User.objects.get(username="olga"), threshold=0.7)
    page = olga.get("/policies/refund.issue/publish/")
    assert "Anhalten bei weniger als 80 % → 70 %." in page
    assert '<b class="num">2</b> verschiedene Personen sind nötig' in page
    assert 'Bisher ist es <b class="num">1</b>.' in page
    form = {"reason": "Es ist Zeit", "content_sha256": version.content_sha256, "when": "now"}
    answer = text_of(olga.post("/policies/refund.issue/publish/", form, follow=True))
    assert "Die Veröffentlichung von Version 2 von refund.issue wartet auf 1 weitere Person." in answer
    assert "schrieb ihn, bat darum" in answer
    assert "1 weitere Person muss zustimmen." in answer
    publication = Publication.objects.get()
    address = reverse("policies:publication_approve", args=[publication.public_id])
    refused = olga.post(address, {"content_sha256": version.content_sha256})
    assert "Sie zählen schon: Jemand anderes muss zustimmen." in text_of(refused)
    assert Publication.objects.get().state == PublicationState.OPEN
    policies.save_draft(
        action_type=refund,
        document={"threshold": 0.75},
        author=User.objects.get(username="olga"),
        now=NOON,
    )
    assert Publication.objects.get().closed_because == "The draft was changed."
    shown = olga.get(reverse("policies:publication", args=[publication.public_id]))
    assert "Der Entwurf wurde geändert." in shown
    assert [each["because"] for each in recorded("publication.withdrawn")] == ["The draft was changed."]


def test_what_loosens_stands_in_the_ledger_in_english(
    olga: German, refund: ActionType, refund_policy: PolicyVersion
) -> None:
    version = draft(refund, make_admin("carl"), threshold=0.7)
    form = {"reason": "Es ist Zeit", "content_sha256": version.content_sha256, "when": "now"}
    answer = olga.post("/policies/refund.issue/publish/", form, follow=True)
    assert "Version 2 von refund.issue ist veröffentlicht." in text_of(answer)
    (told,) = [each for each in recorded("policy.published") if "authority" in each][-1:]
    assert told["authority"]["loosening"] == ["Hold when the chance is under 80% → 70%."]
    assert [each["roles"] for each in told["authority"]["people"]] == [["wrote it"], ["asked"]]


def test_a_shadow_says_its_reasons_in_german(
    olga: German, clerk_v1: AgentVersion, refund: ActionType, refund_policy: PolicyVersion
) -> None:
    from django.contrib.auth.models import User

    someone = User.objects.get(username="olga")
    trust(clerk_v1, refund, someone)
    in_shadow(refund, someone, threshold=0.95)
    gate.check(proposal=make_proposal(clerk_v1, confidence=0.9), now=NOON)
    page = olga.get("/policies/refund.issue/v/2/shadow/")
    assert "Geringe Sicherheit" in page
    assert "Läuft allein" in page
    assert "<h1>Version 2 im Schattenbetrieb</h1>" in page
    assert 'Bei <b class="num">1</b> Aktion' in olga.get("/policies/refund.issue/")


def test_a_stop_is_german_on_every_page_and_english_in_the_ledger(olga: German, clerk: Agent) -> None:
    form = {"scope": "agent", "agent": clerk.public_id, "reason": "Er kreist"}
    asked = text_of(olga.post("/stop/", form))
    assert "Den Agenten clerk stoppen" in asked
    assert "führt dieser Agent nichts mehr aus" in asked
    assert "Das ist nicht das verlangte Wort." in text_of(olga.post("/stop/", {**form, "word": "all"}))
    assert not KillSwitch.objects.exists()
    olga.post("/stop/", {**form, "word": "clerk"})
    page = olga.get("/stop/")
    assert "Der Agent clerk ist gestoppt, durch olga: Er kreist" in page
    stop = KillSwitch.objects.get()
    lifted = olga.post(reverse("policies:lift", args=[stop.public_id]), {})
    assert "Nennen Sie den Grund für das Aufheben: Andere werden ihn lesen. Der Stopp gilt noch." in text_of(
        lifted
    )
    assert recorded("kill_switch.engaged")[0]["reason"] == "Er kreist"
    assert "Everything" not in page


def test_an_agent_and_its_keys_are_german(olga: German, clerk: Agent) -> None:
    page = olga.get("/agents/")
    assert '<b class="num">1</b> von 1 laufen' in page
    assert "<span>Läuft</span>" in page
    shown = olga.get(f"/agents/{clerk.public_id}/")
    assert "Noch kein Schlüssel: Der Agent kann sich nicht anmelden." in shown
    assert "Leer: 60.000, wie für jeden Agenten." in shown
    refused = olga.post(
        reverse("policies:key_new", args=[clerk.public_id]),
        {"key-scopes": "actions:create", "key-addresses": "nowhere"},
    )
    assert "'nowhere' ist kein Netz" in text_of(refused)
    assert not clerk.keys.exists()
    taken = text_of(olga.post("/agents/new/", {"name": "clerk"}))
    assert "Einen Agenten namens clerk gibt es schon." in taken


def test_the_ledger_is_read_in_german_and_says_what_was_recorded(db: None) -> None:
    write(2)
    german = German(browser_of(make_member("auditor")))
    page = german.get("/audit/")
    assert '<b class="num">2</b> Einträge in der Kette' in page
    assert "Diese Einträge sind unversehrt" in page
    assert "policy.published" in page
    assert "Diese Filter sind nicht lesbar" in german.get("/audit/?since=gestern")
    header = german.download("/audit/download.csv").splitlines()[0]
    assert "verb" in header
    assert "Wer" not in header


def test_a_declaration_that_cannot_stand_is_told_in_german(olga: German) -> None:
    form = {**TYPED, "title": "x" * 161, "reason_codes": "A b: c\nno label"}
    page = text_of(olga.post("/action-types/new/", form))
    assert "Zeile 2 hat nicht die Form code: Name." in page
    page = text_of(olga.post("/action-types/new/", {**form, "reason_codes": "A b: c"}))
    assert "1 bis 160 Zeichen." in page
    assert "Nummer 1: Ein Code beginnt mit einem Buchstaben und hat bis zu 64 Zeichen" in page
    assert not ActionType.objects.exists()


def test_a_retired_agent_refuses_in_german(olga: German, clerk: Agent) -> None:
    agents.retire_agent(agent=clerk, reason="over", actor=SYSTEM, now=NOON)
    answer = olga.post(reverse("policies:agent_pause", args=[clerk.public_id]), {"state-reason": "x"})
    assert "clerk ist stillgelegt." in text_of(answer)


def test_the_level_of_first_contact_is_called_what_every_level_is(olga: German, refund: ActionType) -> None:
    assert "<dt>Erstkontakt</dt><dd>Alles prüfen</dd>" in olga.get("/policies/refund.issue/")

"""The page of a case says in words what its document keeps as codes."""

from __future__ import annotations

import html
import re
from typing import cast

import pytest
from django.test import Client
from pytest_django import Settings

from datasets.models import LabelledCase
from datasets.selectors.case_words import Document, decision_words, gate_words, mode_words
from datasets.services import conversations
from datasets.services.conversations import Closing
from datasets.services.later import composed
from datasets.tests.base import Learners, decide, label
from hitl_site.lib.clock import database_now
from policies.models import GateCheck
from policies.services.agents import VersionClaim
from reviews.choices import DecisionKind

pytestmark = pytest.mark.django_db

# Codes of choices that no page should say: everything with an underscore that is no id.
CODE = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")


def page_of(people: Learners, case: LabelledCase) -> str:
    client = Client()
    client.force_login(people.vic)
    shown = client.get(f"/cases/{case.public_id}/")
    assert shown.status_code == 200
    return shown.content.decode()


def _omission(learners: Learners) -> None:
    """Let Alice find something missing in a conversation that is drawn."""
    talk = conversations.close(
        agent=learners.cast.clerk,
        closing=Closing(
            conversation_id="talk/1",
            messages=[{"role": "user", "content": "You promised me a refund"}],
            version=VersionClaim(label="1"),
            environment="production",
        ),
        now=database_now(),
    ).conversation
    conversations.find_missing(
        check_id=talk.audit.public_id,
        reviewer=learners.cast.alice,
        action_type=learners.cast.refund,
        arguments={"order": "SO-1", "amount": 7},
        note="It was promised",
        now=database_now(),
    )


def facts(page: str, title: str) -> dict[str, str]:
    """Return what a section's list of facts says, by its words."""
    section = page.split(f">{title}</h2>")[1].split("</section>")[0]
    found = re.findall(r"<dt>(.*?)</dt><dd[^>]*>(.*?)</dd>", section, re.S)
    bare = {name: html.unescape(re.sub(r"<[^>]+>", " ", text)) for name, text in found}
    return {name: " ".join(text.split()) for name, text in bare.items()}


def test_a_correction_is_told_in_words(learners: Learners) -> None:
    decision = decide(
        learners.cast,
        DecisionKind.CORRECT,
        arguments={"order": "SO-48213", "amount": 12.5, "message": "Sorry"},
        reasons=("wrong_arguments",),
    )
    label()
    case = LabelledCase.objects.get()
    document = composed(case)

    page = page_of(learners, case)
    decided, gate = facts(page, "Decision"), facts(page, "Gate")

    assert f"<h1 hx-ignore>{html.escape(decision.action.title)}</h1>" in page

    assert (decided["Kind"], decided["Reasons"]) == ("Corrected", "Right action, wrong details")
    assert decision_words(case, document).kind == decided["Kind"]
    assert gate["Verdict"] == "Held for a person: low confidence"
    check = GateCheck.objects.get(action_id=decision.action.public_id)
    assert gate["Reasons"] == " ".join(reason["title"] for reason in check.reasons)
    assert gate["Score"] == "71.0%, said by the agent itself, against a threshold of 90.0%"
    assert gate["Autonomy level"] == "Threshold"
    assert gate["Chance of a look"] == "100.0%, never under 1.0%"
    assert gate["Environment"] == "production. The agent waits"
    words = [*decided.values(), *(gate[name] for name in ("Verdict", "Reasons", "Score", "Autonomy level"))]
    assert [text for text in words if CODE.search(text)] == []


def test_the_list_names_each_case_by_what_was_proposed_and_finds_omissions(
    learners: Learners, settings: Settings
) -> None:
    decision = decide(learners.cast)
    settings.OMISSION_SHARE = 1.0
    _omission(learners)
    label()
    client = Client()
    client.force_login(learners.vic)

    everything = client.get("/cases/").content.decode()
    missing = client.get("/cases/?kind=omission").content.decode()

    assert everything.count(f">{decision.action.title}</a>") == 1
    assert everything.count(">Omission<") == missing.count(">Omission<") == 1
    assert decision.action.title not in missing
    assert ">refund.issue</a>" in missing


def test_a_text_is_shown_as_it_is_and_told_apart_from_a_number_of_its_digits(learners: Learners) -> None:
    was = {"order": "12", "amount": 12, "message": "Dear Jo,\nsorry <b>"}
    right = {"order": 12, "amount": 12, "message": "Dear Jo,\nthanks <b>"}
    decide(learners.cast, DecisionKind.CORRECT, action_type="never.declared", proposed=was, arguments=right)
    label()

    page = page_of(learners, LabelledCase.objects.get()).split("Curate")[0]

    assert "<del>&quot;12&quot;</del>" in page
    assert "<ins>12</ins>" in page
    # Of a text only the words that changed are marked.
    assert "Dear Jo,\n<del>sorry</del> &lt;b&gt;" in page
    assert "Dear Jo,\n<ins>thanks</ins> &lt;b&gt;" in page


def test_what_no_release_has_words_for_any_more_is_spelt_out(learners: Learners) -> None:
    decide(learners.cast)
    label()
    case = LabelledCase.objects.get()
    document = composed(case)
    action, gate = cast(Document, document["action"]), cast(Document, document["gate"])
    action["id"] = "act_gone"
    gate.update(
        trigger="of_old", reasons=["over_1000"], score_source="dice", threshold=None, audit_selected=True
    )

    words = gate_words(document)

    assert words is not None
    assert words.verdict == "Held for a person: of old"
    assert words.reasons == ("Over 1000",)
    assert words.score == "71.0%"
    assert words.look == "100.0%, never under 1.0%, and it was drawn at random"


def test_an_omission_has_a_page_that_says_the_gate_saw_nothing(
    learners: Learners, settings: Settings
) -> None:
    settings.OMISSION_SHARE = 1.0
    _omission(learners)
    label()
    case = LabelledCase.objects.get()

    page = page_of(learners, case)

    assert gate_words(composed(case)) is None
    assert mode_words(composed(case)) == ""
    gate, decided = facts(page, "Gate"), facts(page, "Decision")
    assert gate["Verdict"] == "None: the agent proposed nothing"
    assert (gate["Action"], gate["Environment"]) == ("None", "production")
    assert decided["Kind"] == "Found missing in the whole conversation"
    assert decided["Time on the item"] == "Not known"

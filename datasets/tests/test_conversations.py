"""Whole conversations: closed once, drawn with a probability that is kept, checked by one person."""

from __future__ import annotations

import json
import re
import threading
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings as site
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, example, given
from hypothesis import settings as settings_of_search
from hypothesis import strategies as st
from jsonschema_rs import validator_for
from pytest_django import Settings

from datasets.choices import CheckFinding
from datasets.exporters import registry
from datasets.exporters.base import RowExporter
from datasets.models import Conversation, ConversationCheck, LabelledCase, Omission
from datasets.selectors import omissions
from datasets.services import conversations, labelling
from datasets.services.conversations import Closing
from datasets.services.later import composed
from datasets.tests.base import label
from hitl_site.lib.clock import database_now
from policies.models import Agent, AgentVersion, LedgerEntry
from policies.services import agents
from policies.services.agents import VersionClaim
from policies.services.ledger import Actor
from reviews.tests.cast import Cast, cast, make_cast, propose

__all__ = ["cast"]

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Please refund one cup"}]}


@pytest.fixture
def _all_drawn(settings: Settings) -> None:
    settings.OMISSION_SHARE = 1.0


def post(cast: Cast, talk: str = "talk-1", body: object = HELLO, **headers: str) -> Any:
    return Client().post(
        f"/api/v1/conversations/{talk}/close",
        json.dumps(body),
        content_type="application/json",
        headers={"Authorization": f"Bearer {cast.token}", **headers},
    )


# Whatever an action may carry: characters that mean something in an address, or nothing on a screen.
ODD = st.text(
    st.one_of(
        st.sampled_from("/.%?#&;\\ \n\r\t\u2028\u202e\u200b"), st.characters(exclude_categories=["Cs"])
    ),
    min_size=1,
    max_size=200,
).filter(lambda talk: "\0" not in talk)


def drawn(cast: Cast, talk: str = "talk-1", version: str = "1") -> ConversationCheck:
    closing = Closing(talk, [{"role": "user", "content": "hello"}], VersionClaim(label=version), "production")
    found = conversations.close(agent=cast.clerk, closing=closing, now=database_now()).conversation
    return ConversationCheck.objects.get(conversation=found)


def missing(cast: Cast, check: ConversationCheck, **arguments: Any) -> Omission:
    return conversations.find_missing(
        check_id=check.public_id,
        reviewer=cast.alice,
        action_type=cast.refund,
        arguments={"order": "SO-1", "amount": 5, **arguments},
        note="They were promised it",
        now=database_now(),
    )


def test_the_same_report_again_answers_the_first_and_another_one_is_refused(cast: Cast) -> None:
    propose(cast, conversation_id="talk-1")
    first, again = post(cast), post(cast)
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert again["Idempotent-Replayed"] == "true"
    assert (first.json()["messages"], first.json()["actions"]) == (1, 1)
    other = post(cast, body={"messages": [{"role": "user", "content": "something else"}]})
    assert other.status_code == 409
    assert other.json()["type"].endswith("/conversation-closed/")
    assert Conversation.objects.get().messages == HELLO["messages"]
    assert LedgerEntry.objects.filter(verb="conversation.closed").count() == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"messages": []}, 422),
        ({"messages": ["text"]}, 422),
        ({"messages": [{}] * 1001}, 422),
        ({**HELLO, "surprise": 1}, 422),
        ({**HELLO, "subject": ""}, 422),
        ({**HELLO, "environment": "Nowhere!"}, 422),
        ([], 422),
        ({"messages": [{"content": "x" * 300_000}]}, 413),
    ],
)
def test_what_is_no_report_is_refused_and_nothing_is_kept(cast: Cast, body: object, status: int) -> None:
    assert post(cast, body=body).status_code == status
    assert not Conversation.objects.exists()


def test_who_may_close_what(cast: Cast) -> None:
    now, olga = database_now(), Actor.person(cast.olga)
    other = agents.create_agent(name="other", owner=None, actor=olga, now=now)
    _, token = agents.create_key(agent=other, scopes=["actions:create"], actor=olga, now=now)
    _, reader = agents.create_key(agent=other, scopes=["actions:read"], actor=olga, now=now)
    propose(cast, conversation_id="talk-1")
    assert post(cast, Authorization=f"Bearer {token}").status_code == 404
    assert post(cast, Authorization=f"Bearer {reader}").status_code == 403
    assert post(cast, Authorization="Bearer x").status_code == 401
    assert post(cast, talk="x" * 201).status_code == 404
    assert not Conversation.objects.exists()
    # In one that nobody proposed anything in, everything may have been left undone.
    assert post(cast, talk="quiet", Authorization=f"Bearer {token}").status_code == 201


@given(talk=ODD)
@example(talk="/")
@example(talk="a/close")
@example(talk="..")
@example(talk="../../stops")
@example(talk="//tenant//42/")
@example(talk="%2F")
@example(talk="\n")
@example(talk="x" * 200)
@settings_of_search(
    max_examples=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_conversation_is_closed_under_whatever_id_its_actions_carry(cast: Cast, talk: str) -> None:
    action = propose(cast, conversation_id=talk)
    answer = post(cast, talk=quote(talk, safe=""))
    assert answer.status_code in (200, 201), answer.content
    assert (answer.json()["conversation_id"], answer.json()["actions"]) == (talk, 1)
    kept = Conversation.objects.get(public_id=answer.json()["id"])
    assert kept.conversation_id == action.conversation_id == talk


@pytest.mark.parametrize("talk", ["", "x" * 201, "%00", "a%00b"])
def test_an_id_that_no_action_can_carry_is_not_there(cast: Cast, talk: str) -> None:
    assert post(cast, talk=talk).status_code == 404
    assert not Conversation.objects.exists()


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("2026-03-01T10:30:00Z", "1 Mar"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("2026-03-01T10:30:00", "2026-03-01T10:30:00"),
        ("soon", "soon"),
    ],
)
@pytest.mark.usefixtures("_all_drawn")
def test_a_time_that_a_message_gives_with_its_zone_is_a_time_and_anything_else_a_text(
    cast: Cast, said: str, shown: str
) -> None:
    body = {"messages": [{"role": "user", "content": "hello", "at": said}]}
    assert post(cast, body=body).status_code == 201
    client = Client()
    client.force_login(cast.alice)

    page = client.get(f"/conversations/{ConversationCheck.objects.get().public_id}/").content.decode()

    assert shown in page
    assert ('<span class="at">' in page) == shown.startswith("1 Mar")
    # As it came it stands in the JSON, whatever it is.
    assert f"&quot;at&quot;: &quot;{said}&quot;" in page


@pytest.mark.usefixtures("_all_drawn")
def test_calls_and_results_are_read_like_those_of_an_action_with_the_json_a_click_away(cast: Cast) -> None:
    hostile = "<script>alert(1)</script>\u202eorder"
    call = {"id": "c1", "name": "orders.get", "arguments": {"order_id": "SO-1", "token": "tok-8841-secret"}}
    answer = {"order_id": "SO-1", "note": hostile}
    said = [
        {"role": "user", "content": "Where is it?", "at": "2026-03-01T10:30:00Z"},
        {"role": "assistant", "content": None, "tool_calls": [call], "at": "2026-03-01T10:30:02Z"},
        {"role": "tool", "tool_call_id": "c1", "name": "orders.get", "content": answer},
        {"role": "assistant", "content": "On its way.", "thought": "Nothing to do"},
    ]
    assert post(cast, body={"messages": said}).status_code == 201
    client = Client()
    client.force_login(cast.alice)
    address = f"/conversations/{ConversationCheck.objects.get().public_id}/"

    page = client.get(address).content.decode()

    steps, _, rest = page.partition('<details class="twin">')
    told = re.findall(r'<b class="b" hx-ignore>([^<]*)</b>', steps)
    # A call and its answer are one step.
    assert told == ["The user wrote", "Called orders.get", "The agent noted", "The agent wrote"]
    assert re.findall(r'<div class="args" hx-ignore>([^<]*)</div>', steps) == [
        "token     ••••••\norder_id  SO-1"
    ]
    assert "note      &lt;script&gt;alert(1)&lt;/script&gt;" in steps
    assert "&quot;" not in steps[steps.index('<ol class="tl">') :]
    raw = rest.partition("</details>")[0]
    assert raw.startswith("<summary>As JSON, just as it came</summary>")
    assert "&quot;tool_call_id&quot;: &quot;c1&quot;" in raw
    assert "tok-8841-secret" in raw
    assert "tok-8841-secret" not in steps
    assert "<script>alert" not in page
    assert "\u202e" not in page
    german = client.get(address, headers={"accept-language": "de"}).content.decode()
    assert "<summary>Als JSON, genau wie es kam</summary>" in german


@pytest.mark.usefixtures("_all_drawn")
def test_a_conversation_of_an_odd_id_has_its_page(cast: Cast) -> None:
    talk = "tenant/42/../?a=1#<b>\u202e"
    assert post(cast, talk=quote(talk, safe="")).status_code == 201
    check = ConversationCheck.objects.get()
    client = Client()
    client.force_login(cast.alice)

    listed = client.get("/conversations/")
    shown = client.get(f"/conversations/{check.public_id}/")

    for page in (listed, shown):
        assert page.status_code == 200
        text = page.content.decode()
        assert "tenant/42/../?a=1#&lt;b&gt;" in text
        assert "\u202e" not in text


def test_the_draw_follows_the_share_of_the_agent_and_never_goes_under_the_floor(
    cast: Cast, settings: Settings
) -> None:
    settings.OMISSION_SHARE = 0.05
    assert conversations.share_of(cast.clerk) == 0.05
    conversations.set_share(agent=cast.clerk, share=0.5, by=cast.olga, now=database_now())
    for number in range(60):
        post(cast, talk=f"talk-{number}")
    talks = Conversation.objects.all()
    assert {talk.propensity for talk in talks} == {0.5}
    checks = ConversationCheck.objects.count()
    assert checks == talks.filter(drawn=True).count()
    assert 0 < checks < 60
    with pytest.raises(conversations.BadShare):
        conversations.set_share(agent=cast.clerk, share=0.0001, by=cast.olga, now=database_now())
    settings.OMISSION_FLOOR = 0.8
    assert conversations.share_of(cast.clerk) == 0.8


@pytest.mark.usefixtures("_all_drawn")
def test_what_was_missing_becomes_a_case_without_a_proposal_once(cast: Cast) -> None:
    check = drawn(cast)
    omission = missing(cast, check)
    assert missing(cast, check) == omission
    other = missing(cast, check, order="SO-2")
    label()
    cases = list(LabelledCase.objects.order_by("ledger_seq"))
    assert [case.decision_id for case in cases] == [omission.public_id, other.public_id]
    document = composed(cases[0])
    schema = json.loads((site.BASE_DIR / "docs" / "case.schema.json").read_text())
    validator_for(schema).validate(document)
    assert (document["kind"], document["proposal"], document["gate"]) == ("omission", None, None)
    assert document["truth"] == {"should_act": True, "arguments": {"order": "SO-1", "amount": 5}}
    labelling.label_cases(now=database_now())
    assert LabelledCase.objects.count() == 2


@pytest.mark.usefixtures("_all_drawn")
def test_exporters_know_an_omission(cast: Cast) -> None:
    missing(cast, drawn(cast))
    label()
    document = composed(LabelledCase.objects.get())
    rows = {}
    for name in ("jsonl", "chat", "dpo", "kto", "promptfoo", "inspect"):
        exporter = registry.exporter(name, {})
        assert isinstance(exporter, RowExporter)
        rows[name] = (len(list(exporter.rows(document))), exporter.skipped(document))
    assert rows["jsonl"] == rows["chat"] == (1, None)
    assert rows["dpo"] == rows["kto"] == (0, "omission")


@pytest.mark.usefixtures("_all_drawn")
def test_the_first_answer_counts_and_an_owner_gives_none(cast: Cast) -> None:
    check = drawn(cast)
    with pytest.raises(conversations.NotYours):
        conversations.find_complete(
            check_id=check.public_id, reviewer=cast.carol, note="", now=database_now()
        )
    assert [each.pk for each in omissions.waiting(cast.olga)] == [check.pk]
    Agent.objects.filter(pk=cast.clerk.pk).update(owner=cast.olga)
    # Nor does who owned it when the conversation ended.
    with pytest.raises(conversations.NotYours):
        conversations.find_complete(
            check_id=check.public_id, reviewer=cast.carol, note="", now=database_now()
        )
    assert not omissions.waiting(cast.carol).exists()
    with pytest.raises(conversations.WrongArguments):
        missing(cast, check, amount=-1)
    check.refresh_from_db()
    assert check.finding == ""
    for _ in range(2):
        conversations.find_complete(check_id=check.public_id, reviewer=cast.bob, note="", now=database_now())
    with pytest.raises(conversations.AlreadyChecked, match="Bob"):
        missing(cast, check)
    check.refresh_from_db()
    assert check.finding == CheckFinding.COMPLETE
    assert not Omission.objects.exists()


@pytest.mark.usefixtures("_all_drawn")
def test_the_omission_rate_weighs_by_the_draw_and_is_exact_where_all_weigh_the_same(cast: Cast) -> None:
    for number in range(4):
        check = drawn(cast, f"talk-{number}")
        if number == 0:
            missing(cast, check)
        else:
            conversations.find_complete(
                check_id=check.public_id, reviewer=cast.bob, note="", now=database_now()
            )
    version = AgentVersion.objects.get(agent=cast.clerk, label="1")
    (rate,) = omissions.rates(agent_version=version)
    assert (rate.closed, rate.checked, rate.missing, rate.rate) == (4, 4, 1, 0.25)
    # Clopper and Pearson for 1 in 4.
    assert rate.low == pytest.approx(0.00631, abs=1e-5)
    assert rate.high == pytest.approx(0.80588, abs=1e-5)


@pytest.mark.django_db(transaction=True)
def test_closed_twice_at_once_is_closed_once() -> None:
    people = make_cast()
    statuses: list[int] = []

    def close() -> None:
        try:
            statuses.append(post(people).status_code)
        finally:
            connection.close()

    both = [threading.Thread(target=close) for _ in range(4)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert sorted(statuses) == [200, 200, 200, 201]
    assert Conversation.objects.count() == 1

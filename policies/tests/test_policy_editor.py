"""The editor of a policy: every field in the form, the same document as JSON, faults at their place."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.http import QueryDict

from hitl_site.lib.json_places import place_of
from policies.engine.policy import PolicyDocument
from policies.forms.policy_editor import PolicyEditor
from policies.models import ActionType, PolicyVersion
from policies.tests.base import make_policy, make_user
from policies.tests.people import browser_of, make_member

EDIT = "/policies/refund.issue/edit/"
WHOLE: dict[str, Any] = {
    "threshold": 0.865,
    "score": "calibrated",
    "calibration": {"of": "lowest", "points": [[0.5, 0.2], [0.9, 0.725]]},
    "rules": [
        {
            "code": "much_today",
            "title": "Much money today",
            "when": "history.today > 500.0\n|| unseen(args.iban)",
            "then": "deny",
            "trigger": "high_risk",
        }
    ],
    "measures": [
        {
            "name": "today",
            "of": "subject",
            "function": "sum",
            "pointer": "/amount",
            "window_seconds": 86_400,
            "action_types": ["refund.issue", "voucher.issue"],
        },
        {
            "name": "to_account",
            "of": "/iban",
            "function": "count",
            "pointer": "",
            "window_seconds": 5_400,
            "action_types": [],
        },
    ],
    "agents": [{"name": "clerk", "versions": ["3.1", "3.2"]}, {"name": "helper", "versions": []}],
    "freeze_windows": [
        {
            "title": "Stocktaking",
            "from": "2026-12-24T18:00:00+01:00",
            "until": "2026-12-27T08:00:00+01:00",
            "then": "deny",
        },
        {
            "title": "Nights",
            "from": "18:00",
            "until": "08:00",
            "weekdays": ["mon", "fri"],
            "zone": "Europe/Berlin",
            "then": "review",
        },
    ],
    "denial_memory_seconds": 7_200,
    "audit_rate": 0.03,
    "deadline_seconds": 900,
    "undo_seconds": 10,
    "approvals_required": 2,
    "checklist": ["The order is the customer's", "No sign of fraud"],
    "small_screens": True,
    "permit_ttl_seconds": 7_200,
    "queue": "refunds",
    "reminder": False,
    "second_queue": "team-leads",
    "blind_share": 0.1,
}


def whole(**changes: Any) -> PolicyDocument:
    return PolicyDocument.from_document(WHOLE | changes)


def touched(editor: PolicyEditor, **fields: str | list[str]) -> QueryDict:
    """Return what a browser posts of an editor after some typing."""
    data = editor.data.copy()
    for name, text in fields.items():
        data.setlist(name.replace("__", "-"), [text] if isinstance(text, str) else text)
    return data


@pytest.mark.parametrize(
    "document",
    [
        whole(),
        PolicyDocument(),
        whole(agents=[]),
        whole(agents=None),
        whole(score="samples", calibration=None),
        whole(denial_memory_seconds=0),
        whole(denial_memory_seconds=61),
    ],
)
def test_the_form_gives_every_policy_back_as_it_was(document: PolicyDocument) -> None:
    editor = PolicyEditor.of_document(document)
    assert editor.view == "form"
    read = PolicyEditor.of_post(editor.data).document()
    assert read is not None
    assert PolicyDocument.from_document(read) == document


@pytest.mark.parametrize(
    "document",
    [
        whole(checklist=["Two\nlines"]),
        whole(threshold=0.123456789),
        whole(agents=[{"name": "clerk", "versions": [" 3.1"]}]),
    ],
)
def test_what_the_form_cannot_hold_is_shown_as_json_and_not_changed(document: PolicyDocument) -> None:
    editor = PolicyEditor.of_document(document)
    assert editor.view == "json"
    read = PolicyEditor.of_post(editor.data).document()
    assert read == document.to_document()


def test_the_two_views_are_one_document() -> None:
    form = PolicyEditor.of_document(whole(), reason="Why not")
    text = PolicyEditor.of_post(touched(form, show="json")).redrawn()
    assert text is not None
    assert (text.view, json.loads(text.json_text)) == ("json", whole().to_document())
    back = PolicyEditor.of_post(touched(text, show="form")).redrawn()
    assert back is not None
    assert back.view == "form"
    assert PolicyEditor.of_post(back.data).document() is not None
    assert back.data["reason"] == text.data["reason"] == "Why not"


def test_a_form_that_cannot_be_read_stays_a_form_with_all_that_was_typed() -> None:
    data = touched(PolicyEditor.of_document(whole()), show="json", threshold="much")
    shown = PolicyEditor.of_post(data).redrawn()
    assert shown is not None
    assert shown.view == "form"
    assert [fault.anchor for fault in shown.faults] == ["id_threshold"]
    assert shown.form["threshold"].value() == "much"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"threshold": }', "Expecting value at line 1, column 15."),
        ("[]", "A policy is one object, in { and }."),
        ("", "The body is empty."),
        ('{"threshold": 1, "threshold": 0}', "threshold"),
    ],
)
def test_json_that_cannot_be_read_says_where_and_stays(text: str, fault: str) -> None:
    data = touched(PolicyEditor.of_document(whole(checklist=["a\nb"])), json=text, show="form")
    shown = PolicyEditor.of_post(data).redrawn()
    assert shown is not None
    assert (shown.view, shown.json_text) == ("json", text)
    assert fault in shown.json_faults[0]


def test_json_that_is_no_policy_does_not_become_a_form() -> None:
    text = '{\n  "threshold": 7,\n  "rules": [\n    {"code": "X"}\n  ]\n}'
    data = touched(PolicyEditor.of_document(whole(checklist=["a\nb"])), json=text, show="form")
    shown = PolicyEditor.of_post(data).redrawn()
    assert shown is not None
    assert shown.view == "json"
    assert "Line 2, /threshold: A number from 0 to 1." in shown.json_faults
    assert any(fault.startswith("Line 4, /rules/0/code: ") for fault in shown.json_faults)


@pytest.mark.parametrize(
    ("group", "row"),
    [
        ("rules", "rule"),
        ("measures", "measure"),
        ("windows", "window"),
        ("agents", "agent"),
        ("points", "point"),
    ],
)
def test_rows_come_and_go_and_all_else_stays(group: str, row: str) -> None:
    start = PolicyEditor.of_document(whole())
    before = [each.row for each in start.groups[group].forms]
    more = PolicyEditor.of_post(touched(start, add=group, threshold="not yet")).redrawn()
    assert more is not None
    assert [each.row for each in more.groups[group].forms] == [*before, str(len(before))]
    assert more.faults == []
    assert more.form["threshold"].value() == "not yet"

    less = PolicyEditor.of_post(touched(more, remove=f"{group}:0")).redrawn()
    assert less is not None
    assert [each.row for each in less.groups[group].forms] == [*before[1:], str(len(before))]
    assert less.form["threshold"].value() == "not yet"


@pytest.mark.parametrize(
    ("fields", "anchor"),
    [
        ({"rule-0-when": "history.yesterday > 1.0"}, "id_rule-0-when"),
        ({"rule-0-code": "Not a code"}, "id_rule-0-code"),
        ({"measure-0-pointer": "amount"}, "id_measure-0-pointer"),
        ({"measure-1-of_pointer": "iban"}, "id_measure-1-of_pointer"),
        ({"measure-1-window": ""}, "id_measure-1-window"),
        ({"window-0-starts": "tomorrow"}, "id_window-0-starts"),
        ({"window-1-zone": "Europe/Atlantis"}, "id_window-1-zone"),
        ({"agent-1-name": "clerk"}, "id_agent-1-name"),
        ({"point-1-raw": "40"}, "id_point-1-raw"),
        ({"checklist": "Same\nSame"}, "id_checklist"),
        ({"second_queue": "No Such!"}, "id_second_queue"),
        ({"undo_seconds": "61"}, "id_undo_seconds"),
        ({"score": "agent"}, "points"),
        ({"agents_scope": "every"}, "id_agents_scope"),
        ({"denial_memory": "900"}, "id_denial_memory"),
    ],
)
@pytest.mark.django_db
def test_each_fault_stands_at_its_control(refund: ActionType, fields: dict[str, str], anchor: str) -> None:
    browser = browser_of(make_member("ops_admin"))
    data = touched(PolicyEditor.of_document(whole()), denial_memory_unit="days", denial_memory="1")
    for name, text in fields.items():
        data[name] = text
    answer = browser.post(EDIT, dict(data.lists()))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert f'<a href="#{anchor}">' in page
    assert f'id="{anchor}"' in page
    for text in fields.values():
        assert html.escape(text) in page
    assert not PolicyVersion.objects.exists()


@pytest.mark.django_db
def test_a_wrong_condition_is_marked_at_its_place(refund: ActionType) -> None:
    browser = browser_of(make_member("ops_admin"))
    data = touched(PolicyEditor.of_document(whole()), **{"rule-0-when": "args.amount > 1\r\n  && nosuch < 3"})
    page = browser.post(EDIT, dict(data.lists())).content.decode()
    assert "Line 2, column 6" in page
    assert re.search(r"</span>  &amp;&amp; <mark>n</mark>osuch &lt; 3</pre>", page)


@pytest.mark.django_db
def test_a_policy_is_saved_from_its_json_too(refund: ActionType) -> None:
    browser = browser_of(make_member("ops_admin"))
    text = json.dumps(WHOLE)
    answer = browser.post(EDIT, {"view": "json", "json": text, "reason": "By hand", "seen": ""})
    assert answer.status_code == 302
    draft = PolicyVersion.objects.get()
    assert (draft.document, draft.reason) == (whole().to_document(), "By hand")

    wrong = browser.post(
        EDIT,
        {"view": "json", "json": '{"audit_rate": 0}', "reason": "", "seen": draft.content_sha256},
    )
    assert wrong.status_code == 422
    assert "Line 1, /audit_rate: A number from 0.01 to 1." in wrong.content.decode()
    assert "{&quot;audit_rate&quot;: 0}" in wrong.content.decode()
    assert PolicyVersion.objects.get().document == draft.document


@pytest.mark.django_db
def test_the_page_shows_every_field_of_the_policy_in_force(refund: ActionType) -> None:
    make_policy(refund, make_user("somebody"), **WHOLE)
    page = browser_of(make_member("ops_admin")).get(EDIT).content.decode()
    for words in (
        "Much money today",
        "Stocktaking",
        "team-leads",
        "helper",
        "/iban",
        "72.5",
        "No sign of fraud",
    ):
        assert words in page
    assert 'value="mon" checked' in re.sub(r"\s+", " ", page) or re.search(
        r'<input[^>]*value="mon"[^>]*checked', page
    )


def test_a_local_time_of_a_zone_becomes_an_instant() -> None:
    data = touched(
        PolicyEditor.of_document(whole()),
        **{
            "window-0-starts": "2026-12-24 18:00",
            "window-0-ends": "2026-07-01 08:00",
            "window-0-zone": "Europe/Berlin",
        },
    )
    read = PolicyEditor.of_post(data).document()
    assert read is not None
    window = read["freeze_windows"][0]  # type: ignore[index]  # a list in the document
    assert (window["from"], window["until"]) == ("2026-12-24T18:00:00+01:00", "2026-07-01T08:00:00+02:00")


@pytest.mark.parametrize(
    ("pointer", "place"),
    [
        ("", (1, 1)),
        ("/a", (2, 8)),
        ("/a/1/b~1c", (4, 14)),
        ("/a/1/b~1c/7", (4, 14)),
        ("/a/9", (2, 8)),
        ("/d", (6, 8)),
    ],
)
def test_a_pointer_leads_to_its_line_and_column(pointer: str, place: tuple[int, int]) -> None:
    text = '{\n  "a": [\n    "x,]\\"",\n    { "b/c": 3 }\n  ],\n  "d": [], "e": {"d": 1}\n}'
    assert place_of(text, pointer) == place


@pytest.mark.django_db
def test_the_page_of_a_policy_says_every_field_in_words(refund: ActionType) -> None:
    make_policy(refund, make_user("somebody"), **WHOLE)
    page = browser_of(make_member("ops_admin")).get("/policies/refund.issue/").content.decode()
    text = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", "", page)))
    for words in (
        "Calibrated from: The lowest of those given. 50% counts as 20%, 90% counts as 72.5%",
        "Only clerk (3.1, 3.2), helper (every version); the others are held",
        "is held when proposed again within 2 h",
        "2 different people, never the agent’s owner",
        "Nobody is reminded",
        "history.today: the sum of /amount by the same subject over 1 day, of refund.issue, voucher.issue",
        "history.to_account: the number by the same value at /iban over 1 hour 30 minutes",
        "Nights: held on Mondays, Fridays from 18:00 until 08:00, Europe/Berlin",
        "Stocktaking: denied from 2026-12-24T18:00:00+01:00 until 2026-12-27T08:00:00+01:00",
        "No sign of fraud",
    ):
        assert words in text

"""Reading recordings, and the pure parts of the replay: its judge, its forms, its table."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.replay import html_forms, plan, recording, report
from datasets.replay.ground_truth import judge, same
from datasets.replay.omissions import missing_writes
from datasets.replay.reconciliation import Line
from datasets.replay.recording import Ending, InvalidRecording, Record
from reviews.choices import DecisionKind
from reviews.schema_form import infer, validate

WRITE: dict[str, Any] = {
    "event_id": "run:1:0:0",
    "agent": "shop-1/tool-calling",
    "model": "model-1",
    "run": "run",
    "task_id": "1",
    "trial": 0,
    "domain": "shop",
    "action_type": "cancel_order",
    "arguments": {"order_id": "W1", "reason": "too late"},
    "context": [{"role": "user", "content": "Cancel W1, please."}],
    "customer": "ana",
    "confidence": 0.5,
    "confidence_model": None,
    "correct": False,
    "error_class": "wrong_arguments",
    "expected": {"order_id": "W2", "reason": "too late"},
    "acceptable": [{"order_id": "W2", "reason": "too late"}],
    "policy_violations": [],
    "amount_usd": 12.5,
    "a_field_of_another_day": {"is": "left alone"},
}


def write(folder: Path, *records: dict[str, Any] | str, packed: bool = False) -> Path:
    lines = [each if isinstance(each, str) else json.dumps(each) for each in records]
    content = "".join(f"{line}\n" for line in lines).encode()
    path = folder / ("events.jsonl.gz" if packed else "events.jsonl")
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


def record(tmp_path: Path, **changes: Any) -> Record:
    (found,) = recording.read(write(tmp_path, {**WRITE, **changes}))
    return found


@pytest.mark.parametrize("packed", [False, True])
def test_a_record_is_read_from_plain_and_from_packed_files(tmp_path: Path, packed: bool) -> None:
    (found,) = recording.read(write(tmp_path, WRITE, "", packed=packed))

    assert (found.line, found.event_id, found.action_type) == (1, "run:1:0:0", "shop.cancel_order")
    assert (found.agent, found.model, found.customer) == ("shop-1/tool-calling", "model-1", "ana")
    assert (found.judge_score, found.own_score, found.amount_usd) == (0.5, None, 12.5)
    assert found.conversation_id == "run:1:0"
    assert found.expected == {"order_id": "W2", "reason": "too late"}


def test_only_as_many_records_are_read_as_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, WRITE, {**WRITE, "event_id": "b"}, "this line is never looked at")

    assert [each.event_id for each in recording.read(path, limit=2)] == ["run:1:0:0", "b"]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{not json", "line 2: "),
        ("[]", "line 2: a record is a JSON object"),
        (json.dumps({**WRITE, "event_id": "ä"}), "line 2: /event_id: it is visible ASCII"),
        (json.dumps(WRITE), "line 2: /event_id: run:1:0:0 was on line 1 already"),
        (json.dumps({**WRITE, "event_id": "b", "arguments": [1]}), "line 2: /arguments: it is an object"),
        (json.dumps({**WRITE, "event_id": "b", "context": None}), "line 2: /context: it is a list"),
        (
            json.dumps({**WRITE, "event_id": "b", "confidence": 1.2}),
            "line 2: /confidence: it is a number from",
        ),
        (
            json.dumps({**WRITE, "event_id": "b", "correct": "yes"}),
            "line 2: /correct: it is true, false or null",
        ),
        (json.dumps({**WRITE, "event_id": "b", "agent": ""}), "line 2: /agent: it is missing"),
        (
            json.dumps({**WRITE, "event_id": "b", "action_type": "a b"}),
            "line 2: /action_type: 'shop.a b' cannot",
        ),
        (json.dumps({**WRITE, "event_id": "b", "arguments": {"n": 2**60}}), "line 2: /arguments/n: "),
        ('{"event_id": "b", "event_id": "c"}', "line 2: /event_id: "),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_its_line(tmp_path: Path, line: str, complaint: str) -> None:
    with pytest.raises(InvalidRecording) as refusal:
        list(recording.read(write(tmp_path, WRITE, line)))

    assert f"events.jsonl, {complaint}" in str(refusal.value)


def test_a_packed_file_that_ends_early_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, WRITE, {**WRITE, "event_id": "b"}, packed=True)
    path.write_bytes(path.read_bytes()[:-12])

    with pytest.raises(InvalidRecording, match="end or break after line"):
        list(recording.read(path))


def test_an_empty_file_and_a_missing_one_are_no_recordings(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecording, match="holds no records"):
        list(recording.read(write(tmp_path)))
    with pytest.raises(InvalidRecording, match="No such file"):
        list(recording.read(tmp_path / "nowhere.jsonl"))


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("any") / "events.jsonl"
    path.write_bytes(content)

    with pytest.raises(InvalidRecording):
        list(recording.read(path))


@pytest.mark.parametrize(
    ("changes", "kind", "reason"),
    [
        ({}, DecisionKind.CORRECT, "wrong_arguments"),
        ({"expected": None}, DecisionKind.REJECT, "wrong_arguments"),
        ({"expected": None, "error_class": "duplicate"}, DecisionKind.REJECT, "not_needed"),
        ({"expected": WRITE["arguments"], "error_class": None}, DecisionKind.REJECT, "other"),
        ({"correct": True, "error_class": None}, DecisionKind.APPROVE, ""),
        ({"correct": None, "expected": None, "kind": "handoff"}, DecisionKind.APPROVE, ""),
    ],
)
def test_a_reviewer_who_knows_the_truth_answers(
    tmp_path: Path, changes: dict[str, Any], kind: DecisionKind, reason: str
) -> None:
    found = record(tmp_path, **changes)
    judgement = judge(found)

    assert (judgement.kind, judgement.reason) == (kind, reason)
    assert (
        judgement.runs
        == {
            DecisionKind.APPROVE: found.arguments,
            DecisionKind.CORRECT: found.expected,
            DecisionKind.REJECT: None,
        }[kind]
    )


def test_arguments_are_compared_by_what_they_mean() -> None:
    assert same({"a": 1, "b": [1.5]}, {"b": [1.5], "a": 1.0})
    assert not same({"a": 1}, {"a": "1"})
    assert not same({}, None)
    assert same(None, None)


def test_everything_acceptable_fits_the_declared_schema(tmp_path: Path) -> None:
    other = {**WRITE, "event_id": "b", "agent": "shop-2", "acceptable": [{"order_id": "W3", "urgent": True}]}
    found = plan.survey(recording.read(write(tmp_path, WRITE, other)))

    assert found.entries == [
        ("shop-1/tool-calling", "model-1", "shop.cancel_order"),
        ("shop-2", "model-1", "shop.cancel_order"),
    ]
    schema = infer(found.examples["shop.cancel_order"])
    for arguments in found.examples["shop.cancel_order"]:
        assert validate(schema, arguments) == ()
    assert validate(schema, {"order_id": 3}) != ()


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    found = plan.Survey({}, [("a", "1", "t")] * 50)

    assert found.choose(limit=None, seed=3) == frozenset(range(50))
    assert found.choose(limit=4, seed=None) == frozenset(range(4))
    assert found.choose(limit=4, seed=3) == found.choose(limit=4, seed=3)
    assert len(found.choose(limit=4, seed=3)) == 4


PAGE = """
<body><a id="own-story" href="/actions/act_1/">Story</a>
<form id="review-form" method="post" action="/review/itm_1/decide/">
<input type="hidden" name="csrfmiddlewaretoken" value="abc">
<button type="submit" disabled name="no" value="1">
<input name="to" value="Ana
&lt;script&gt;"><textarea name="json">
first
second</textarea><input type="checkbox" name="reasons" value="tone">
<input type="checkbox" name="checks" value="0" checked>
<select name="s"><option value="x">X</option><option value="y" selected>Y</option></select>
<button name="kind" value="approve">Approve</button>
<button name="kind" value="reject" disabled>Reject</button>
</form><button form="review-form" name="kind" value="correct">Correct</button></body>
"""


def test_a_form_is_sent_as_a_browser_without_scripts_sends_it() -> None:
    page = html_forms.read(PAGE)
    form = page.form(id="review-form")
    form.tick("reasons", "tone")

    assert form.sent(form.button("kind", "correct")) == [
        ("csrfmiddlewaretoken", "abc"),
        ("to", "Ana<script>"),
        ("json", "first\r\nsecond"),
        ("reasons", "tone"),
        ("checks", "0"),
        ("s", "y"),
        ("kind", "correct"),
    ]
    assert page.links == {"own-story": "/actions/act_1/"}
    assert page.intruders == []


def test_a_disabled_button_sends_nothing_and_a_missing_one_is_an_error() -> None:
    form = html_forms.read(PAGE).form(action="/review/itm_1/decide/")

    assert ("kind", "reject") not in form.sent(form.button("kind", "reject"))
    with pytest.raises(html_forms.NoSuchControl):
        form.button("kind", "escalate")
    with pytest.raises(html_forms.NoSuchControl):
        form.tick("reasons", "nothing like it")


@pytest.mark.parametrize(
    "markup",
    [
        "<script>alert(1)</script>",
        '<b onclick="x()">',
        '<p style="color: red">',
        '<a href=" javascript:x()">',
        "<textarea name=t><b></textarea>",
    ],
)
def test_markup_that_is_not_ours_is_noticed(markup: str) -> None:
    assert len(html_forms.read(f"<form>{markup}</form>").intruders) == 1


def test_the_table_adds_up() -> None:
    one = Line(proposed=3, allowed=1, approved=1, rejected=1, wrong_stopped=1, cases=2)
    one.held["low_confidence"] = 2
    two = Line(proposed=1, allowed=1, wrong_unseen=1)
    figures = report.Figures(
        decisions=2, reviewing_seconds=30.0, reviewers=1, gate_ms=[4, 1, 3, 2], audits=0, seconds=31
    )
    text = report.table({"shop.b": two, "shop.a": one}, figures).splitlines()

    assert [line.split() for line in text[3:7]] == [
        ["shop.a", "3", "1", "0", "2", "0", "1", "0", "1", "0", "0", "1", "2"],
        ["shop.b", "1", "1", "0", "0", "0", "0", "0", "0", "1", "0", "0", "0"],
        text[2].split(),
        ["all", "4", "2", "0", "2", "0", "1", "0", "1", "1", "0", "1", "2"],
    ]
    assert "2 by 1 reviewers, 4 a minute" in text[8]
    assert "p50 2 ms, p95 4 ms" in text[9]


TALK: dict[str, Any] = {
    "run": "run",
    "task_id": "1",
    "trial": 0,
    "agent": "shop-1/tool-calling",
    "model": "model-1",
    "domain": "shop",
    "customer": "ana",
    "instruction": "Cancel W2, and send W3 to my new address.",
    "missing_writes": 1,
    "task_expected": [
        {"action_type": "cancel_order", "arguments": {"order_id": "W2", "reason": "too late"}},
        {"action_type": "change_address", "arguments": {"order_id": "W3", "street": "New Road 1"}},
    ],
    "reward": 0.0,
}


def ending(tmp_path: Path, **changes: Any) -> Ending:
    (found,) = recording.read_endings(write(tmp_path, {**TALK, **changes}))
    return found


@pytest.mark.parametrize("packed", [False, True])
def test_a_conversation_is_read_under_the_id_that_its_actions_carry(tmp_path: Path, packed: bool) -> None:
    (found,) = recording.read_endings(write(tmp_path, TALK, packed=packed))

    assert found.conversation_id == record(tmp_path).conversation_id == "run:1:0"
    assert (found.agent, found.model, found.customer) == ("shop-1/tool-calling", "model-1", "ana")
    assert (found.instruction, found.missing) == (TALK["instruction"], 1)
    assert [write.action_type for write in found.expected] == ["shop.cancel_order", "shop.change_address"]
    assert found.expected[1].arguments == {"order_id": "W3", "street": "New Road 1"}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"trial": None}, "/task_id: run, task_id and trial name a conversation"),
        ({"missing_writes": 3}, "/missing_writes: it counts some of those in task_expected"),
        ({"missing_writes": True}, "/missing_writes"),
        ({"missing_writes": -1}, "/missing_writes"),
        ({"instruction": " "}, "/instruction: it is missing"),
        ({"task_expected": [{"action_type": "x", "arguments": []}]}, "/task_expected: it is an object"),
        ({"task_expected": ["x"]}, "/task_expected"),
        ({"task_expected": [{"action_type": "§", "arguments": {}}]}, "/action_type: 'shop.§' cannot name"),
    ],
)
def test_what_is_no_conversation_is_refused_with_its_line(
    tmp_path: Path, changes: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InvalidRecording, match=r"events\.jsonl, line 1: ") as refused:
        ending(tmp_path, **changes)
    assert complaint in str(refused.value)


def test_a_conversation_is_recorded_once(tmp_path: Path) -> None:
    with pytest.raises(InvalidRecording, match="line 2: /task_id: run:1:0 was on line 1 already"):
        list(recording.read_endings(write(tmp_path, TALK, TALK)))


def test_missing_is_what_no_right_proposal_was(tmp_path: Path) -> None:
    cancel, move = ending(tmp_path).expected
    right = record(tmp_path, correct=True, arguments=cancel.arguments)
    also_right = record(tmp_path, correct=True, acceptable=[cancel.arguments])
    wrong = record(tmp_path, correct=False, arguments=cancel.arguments)
    one = ending(tmp_path)

    assert missing_writes(one, [right]) == (move,)
    assert missing_writes(one, [also_right]) == (move,)
    assert missing_writes(ending(tmp_path, missing_writes=2), [wrong]) == (cancel, move)
    assert missing_writes(ending(tmp_path, missing_writes=0), []) == ()
    # A hand-off is expected too, and nobody grades it.
    assert missing_writes(one, [], handoffs={"shop.change_address"}) == (cancel,)


def test_where_two_recordings_differ_the_conversation_says_how_many_are_missing(tmp_path: Path) -> None:
    cancel, move = ending(tmp_path).expected
    right = record(tmp_path, correct=True, arguments=cancel.arguments)

    assert missing_writes(ending(tmp_path, missing_writes=2), [right]) == (cancel, move)
    assert missing_writes(ending(tmp_path), []) == (move,)


def test_what_conversations_should_have_held_is_declared_and_fits(tmp_path: Path) -> None:
    survey = plan.survey([record(tmp_path)], [ending(tmp_path, agent="another")])

    assert survey.closing == {"another"}
    assert survey.expected == {"shop.cancel_order", "shop.change_address"}
    for write in ending(tmp_path).expected:
        assert not validate(infer(survey.examples[write.action_type]), write.arguments)

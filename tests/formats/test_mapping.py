"""Which case becomes which row: the rules that keep training data from being poisoned."""

from __future__ import annotations

import json
from typing import Any

import pytest

from datasets.exporters import registry
from datasets.exporters.base import Document, RowExporter
from datasets.exporters.options import InvalidOptions
from datasets.exporters.prompts import hosted_name, message, turns
from datasets.exporters.reading import read
from datasets.exporters.tools import Tool
from hitl_site.lib.strict_json import JsonValue
from tests.formats.cases import case

ASKED: Document = {"messages": [{"role": "user", "content": "Refund me."}]}
WITH_ANSWERS = [
    name for name in registry.formats() if name not in {"jsonl", "csv", "parquet", "hugging_face"}
]
WRONG: Document = {"amount": 42}
RIGHT: Document = {"amount": 12}


def rows(format: str, one: Document, options: Document | None = None) -> list[Any]:
    exporter = registry.exporter(format, options or {})
    assert isinstance(exporter, RowExporter)
    return [json.loads(row) for row in exporter.rows(one, "train")]


def why(format: str, one: Document, options: Document | None = None) -> str | None:
    return registry.exporter(format, options or {}).skipped(one)


def one(label: str, **changes: Any) -> Document:
    truth = {"approved": WRONG, "corrected": RIGHT, "rejected": None}[label]
    given: dict[str, Any] = {"label": label, "proposed": WRONG, "truth": truth, "context": ASKED, **changes}
    return case(1, **given)


def called(messages: list[Any]) -> Any:
    return messages[-1]["tool_calls"][0]["function"]["arguments"]


def test_a_correction_is_a_pair_of_the_right_call_and_the_proposed_one() -> None:
    [row] = rows("dpo", one("corrected"))
    assert called(row["chosen"]) == RIGHT
    assert called(row["rejected"]) == WRONG


@pytest.mark.parametrize("label", ["approved", "rejected"])
def test_an_approval_is_no_pair_and_a_rejection_neither(label: str) -> None:
    assert rows("dpo", one(label)) == []
    assert why("dpo", one(label)) == label


def test_an_approval_is_good_and_a_rejection_is_bad() -> None:
    [good] = rows("kto", one("approved"))
    [bad] = rows("kto", one("rejected"))
    assert (called(good["completion"]), good["label"]) == (WRONG, True)
    assert (called(bad["completion"]), bad["label"]) == (WRONG, False)


def test_a_correction_says_both_or_is_left_to_the_pairs() -> None:
    found = [(called(row["completion"]), row["label"]) for row in rows("kto", one("corrected"))]
    assert found == [(RIGHT, True), (WRONG, False)]
    assert why("kto", one("corrected"), {"corrections": "leave_out"}) == "corrected"


def test_an_omission_is_imitated_and_compared_with_nothing() -> None:
    missed = one("corrected", proposed=None)
    [row] = rows("chat", missed)
    assert called(row["messages"]) == RIGHT
    assert why("dpo", missed) == why("kto", missed) == "omission"


@pytest.mark.parametrize("format", WITH_ANSWERS)
@pytest.mark.parametrize("taken", ["truth", "proposal"])
def test_an_erased_answer_never_passes_for_one_that_says_to_do_nothing(format: str, taken: str) -> None:
    whole = one("corrected")
    part = whole[taken]
    assert isinstance(part, dict)
    erased: Document = {**whole, taken: {**part, "arguments": None}}
    assert rows(format, erased) == []
    assert why(format, erased) == "erased"


def test_a_rejection_has_no_call_to_imitate_and_an_evaluation_that_wants_none() -> None:
    assert why("chat", one("rejected")) == "rejected"
    assert rows("inspect", one("rejected"))[0]["target"] == "null"
    assert rows("openai_evals", one("rejected"))[0]["ideal"] == "null"
    assert rows("promptfoo", one("rejected"))[0]["assert"] == [
        {"type": "is-json", "metric": "nothing is done", "value": {"type": "null"}}
    ]


@pytest.mark.parametrize("format", ["chat", "kto", "inspect", "promptfoo", "openai_evals"])
@pytest.mark.parametrize("context", [None, {}, "", []])
def test_without_any_context_there_is_no_prompt(format: str, context: JsonValue) -> None:
    assert why(format, one("approved", context=context)) == "no_context"
    assert rows("langfuse", one("approved", context=context)) != []


def test_a_later_answer_counts_and_the_first_one_does_not() -> None:
    later: Document = {
        "revisions": [
            {
                "number": 1,
                "kind": "edit",
                "label": "approved",
                "arguments": WRONG,
                "reasons": [],
                "note": "",
                "author": None,
                "at": "2026-03-02T10:00:00Z",
            }
        ]
    }
    edited = one("corrected", later=later)
    assert why("dpo", edited) == "approved"
    assert [row["label"] for row in rows("kto", edited)] == [True]


def test_promptfoo_asserts_what_the_person_touched_and_types_of_the_rest() -> None:
    changed = one("corrected", proposed={"a": {"b": [1, 2]}, "c": 1}, truth={"a": {"b": [1, 3]}, "c": 1})
    touched, rest = rows("promptfoo", changed)[0]["assert"]
    assert touched["metric"] == "/a/b/1"
    assert touched["value"]["properties"]["a"]["properties"]["b"]["items"] == [{}, {"const": 3}]
    assert rest["value"]["properties"] == {"a": {"type": "object"}, "c": {"type": "number"}}


def test_no_format_asks_for_javascript() -> None:
    for label in ("approved", "corrected", "rejected"):
        assert {each["type"] for each in rows("promptfoo", one(label))[0]["assert"]} == {"is-json"}


def test_a_chat_tells_of_every_tool_of_the_version_or_of_its_own() -> None:
    tools = {
        "mail.send": Tool("Send"),
        "refund.issue": Tool("Refund", {"type": "object", "required": ["amount"]}),
    }
    for chosen, names in (("every", ["mail_send", "refund_issue"]), ("own", ["refund_issue"])):
        exporter = registry.exporter("chat", {"arguments": "string", "tools": chosen}, tools=tools)
        assert isinstance(exporter, RowExporter)
        [row] = [json.loads(row) for row in exporter.rows(one("approved"))]
        assert [tool["function"]["name"] for tool in row["tools"]] == names
        assert row["tools"][-1]["function"]["parameters"] == {"type": "object", "required": ["amount"]}


def test_calls_of_the_history_are_tied_to_their_results_and_loose_ends_become_text() -> None:
    history: list[JsonValue] = [
        {"role": "tool", "content": "from before"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "x", "type": "function", "function": {"name": "a", "arguments": '{"n": 1}'}},
                {"id": "y", "type": "function", "function": {"name": "b", "arguments": "not json"}},
                {"name": "c", "arguments": {}},
            ],
        },
        {"role": "tool", "tool_call_id": "y", "content": "of b"},
        {"role": "tool", "content": "of a"},
        {"role": "assistant", "content": [{"type": "text", "text": "Done."}]},
        "a bare text",
    ]
    found = turns(read(one("approved", context={"messages": history})))
    assert [turn.role for turn in found] == ["user", "assistant", "tool", "tool", "assistant", "user"]
    asked = message(found[1], "string")
    assert asked["content"] == '{"arguments":{},"name":"c"}'
    assert [(turn.content, turn.answers, turn.name) for turn in found[2:4]] == [
        ("of b", "call_1_1", "b"),
        ("of a", "call_1_0", "a"),
    ]
    assert found[1].calls[1].arguments == {"text": "not json"}
    assert found[4].content == "Done."


def test_a_result_without_a_word_still_answers_its_call() -> None:
    history: list[JsonValue] = [
        {"role": "assistant", "content": None, "tool_calls": [{"name": "a", "arguments": {}}]},
        {"role": "tool", "content": ""},
        {"role": "user", "content": ""},
    ]
    found = turns(read(one("approved", context={"messages": history})))
    assert [(turn.role, turn.answers) for turn in found] == [("assistant", ""), ("tool", "call_0_0")]


def test_the_whole_context_follows_when_it_is_asked_for() -> None:
    context: Document = {**ASKED, "facts": {"paid": 42}}
    [row] = rows("chat", one("approved", context=context), {"whole_context": True})
    assert row["messages"][1] == {"role": "user", "content": '{"facts":{"paid":42}}'}


def test_hosted_names_are_short_and_of_few_letters() -> None:
    assert hosted_name("refund.issue") == "refund_issue"
    long = hosted_name("a" * 80)
    assert len(long) == 64
    assert long != hosted_name("a" * 81)


@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("chat", {"arguments": "xml"}),
        ("chat", {"argument": "object"}),
        ("csv", {"neutralise_formulas": "no"}),
        ("langfuse", {"dataset": "x" * 201}),
        ("yaml", {}),
    ],
)
def test_an_option_that_does_not_exist_is_refused(format: str, options: Document) -> None:
    with pytest.raises(InvalidOptions):
        registry.exporter(format, options)


@pytest.mark.parametrize("format", registry.formats())
def test_options_have_a_json_form_with_every_default(format: str) -> None:
    whole = registry.complete_options(format, {})
    assert registry.complete_options(format, whole) == whole
    assert [option.name for option in registry.options_of(format)] == [*whole]
    assert all(option.title for option in registry.options_of(format))

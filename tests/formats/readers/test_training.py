"""Hugging Face datasets, TRL and the OpenAI client read what models are trained on."""

from __future__ import annotations

import json
from typing import Any

import pytest
from datasets import Json, List, Value, load_dataset
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam
from pydantic import TypeAdapter
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast
from trl.data_utils import apply_chat_template, is_conversational, maybe_unpair_preference_dataset

from conftest import Written, proposed, right

# A template as models have it: turns, calls with their arguments as JSON, tools by name.
TEMPLATE = (
    "{% for tool in tools or [] %}[tool {{ tool.function.name }}]{% endfor %}"
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}"
    "{% for c in m.tool_calls or [] %}"
    "[call {{ c.function.name }} {{ c.function.arguments | tojson }}]{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}"
)


def load(written: Written, name: str) -> Any:
    return load_dataset("json", data_files=str(written.path(name)), split="train")


def call_of(messages: list[dict[str, Any]]) -> Any:
    return messages[-1]["tool_calls"][0]["function"]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    inner = Tokenizer(models.WordLevel({"[unk]": 0}, unk_token="[unk]"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    made = PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[unk]", eos_token="[unk]")
    made.chat_template = TEMPLATE
    return made


def test_datasets_finds_every_canonical_case(written: Written) -> None:
    rows = load(written, "cases.jsonl")
    assert [row["id"] for row in rows] == written.made["cases.jsonl"]
    assert [row["truth"]["arguments"] for row in rows] == [right(case) for case in written.of("cases.jsonl")]
    assert [(row["proposal"] or {}).get("arguments") for row in rows] == [
        *map(proposed, written.cases.values())
    ]


def test_datasets_finds_every_chat_and_no_argument_is_filled_up(written: Written) -> None:
    rows = load(written, "chat.jsonl")
    cases = written.of("chat.jsonl")
    assert len(rows) == len(cases) == 5
    for row, case in zip(rows, cases, strict=True):
        assert call_of(row["messages"]) == {"name": case["action"]["type"], "arguments": right(case)}
        assert [tool["function"]["name"] for tool in row["tools"]] == [case["action"]["type"]]


def test_trl_renders_a_chat_with_its_tools(written: Written, tokenizer: PreTrainedTokenizerFast) -> None:
    for row, case in zip(load(written, "chat.jsonl"), written.of("chat.jsonl"), strict=True):
        example = {"messages": row["messages"], "tools": row["tools"]}
        assert is_conversational(example)
        text = apply_chat_template(example, tokenizer, tools=row["tools"])["text"]
        called = f"[call {case['action']['type']} {tokenizer_json(tokenizer, by_name(right(case)))}]"
        assert called in text
        assert text.startswith(f"[tool {case['action']['type']}]")


def by_name(value: Any) -> Any:
    """Return a value as the file has it: names in order."""
    return json.loads(json.dumps(value, sort_keys=True))


def tokenizer_json(tokenizer: PreTrainedTokenizerFast, value: Any) -> str:
    message = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"function": {"name": "x", "arguments": value}}],
    }
    text = tokenizer.apply_chat_template([message], tokenize=False)
    return text.removeprefix("[assistant][call x ").removesuffix("]")


def test_trl_reads_corrections_as_pairs(written: Written, tokenizer: PreTrainedTokenizerFast) -> None:
    rows = load(written, "dpo.jsonl")
    cases = written.of("dpo.jsonl")
    assert [case["label"] for case in cases] == ["corrected"] * 3
    assert len(rows) == 3
    assert set(rows.column_names) == {"prompt", "chosen", "rejected", "tools"}
    for row, case in zip(rows, cases, strict=True):
        assert is_conversational({name: row[name] for name in ("prompt", "chosen", "rejected")})
        assert call_of(row["chosen"])["arguments"] == right(case)
        assert call_of(row["rejected"])["arguments"] == proposed(case)
        texts = apply_chat_template(row, tokenizer, tools=row["tools"])
        assert texts["chosen"] != texts["rejected"]
        assert texts["prompt"].endswith("[assistant]")


def test_trl_makes_two_answers_of_a_pair_as_we_do(written: Written) -> None:
    pairs = load(written, "dpo_text.jsonl")
    assert (
        pairs.features["prompt"] == pairs.features["chosen"] == pairs.features["rejected"] == Value("string")
    )
    unpaired = maybe_unpair_preference_dataset(pairs)
    theirs = {(row["prompt"], row["completion"], row["label"]) for row in unpaired}
    ours = {(row["prompt"], row["completion"], row["label"]) for row in load(written, "kto_text.jsonl")}
    assert len(theirs) == 6
    assert theirs < ours


def test_trl_reads_approvals_as_good_and_rejections_as_bad(written: Written) -> None:
    rows = load(written, "kto.jsonl")
    assert rows.features["label"] == Value("bool")
    wanted = []
    for case in written.of("kto.jsonl"):
        if case["label"] != "rejected":
            wanted.append((right(case), True))
        if case["label"] != "approved":
            wanted.append((proposed(case), False))
    assert [(call_of(row["completion"])["arguments"], row["label"]) for row in rows] == wanted
    assert all(is_conversational({"prompt": row["prompt"], "completion": row["completion"]}) for row in rows)


def test_the_openai_client_knows_every_message_and_tool(written: Written) -> None:
    messages = TypeAdapter(list[ChatCompletionMessageParam])
    tools = TypeAdapter(list[ChatCompletionFunctionToolParam])
    rows = written.lines("chat_hosted.jsonl")
    assert len(rows) == 5
    for row, case in zip(rows, written.of("chat_hosted.jsonl"), strict=True):
        assert set(row) == {"messages", "tools", "parallel_tool_calls"}
        messages.validate_python(row["messages"], strict=True)
        tools.validate_python(row["tools"], strict=True)
        assert json.loads(call_of(row["messages"])["arguments"]) == right(case)
        assert call_of(row["messages"])["name"] in [tool["function"]["name"] for tool in row["tools"]]
        waiting: set[str] = set()
        for message in row["messages"][:-1]:
            if message["role"] == "tool":
                waiting.remove(message["tool_call_id"])
            else:
                assert not waiting, "a call without its result is refused"
                waiting |= {call["id"] for call in message.get("tool_calls", [])}
        assert not waiting


def test_arguments_of_different_types_need_the_json_type(written: Written) -> None:
    features = load(written, "dpo.jsonl").features
    assert isinstance(features["chosen"], List)
    assert features["chosen"].feature["tool_calls"].feature["function"]["arguments"] == Json()

"""Inspect AI, promptfoo, OpenAI, Langfuse, LangSmith and Argilla read what models are tested with."""

from __future__ import annotations

import json
import os
import subprocess
import warnings
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock
from uuid import UUID

import argilla as rg
import jsonschema
import pytest
from argilla.records._mapping import IngestedRecordMapper
from inspect_ai.dataset import json_dataset
from inspect_ai.model import ChatMessageAssistant, ChatMessageTool
from langfuse.api import CreateDatasetItemRequest
from langfuse.api.core.pydantic_utilities import parse_obj_as
from langsmith.schemas import ExampleCreate
from openai.types.chat import ChatCompletionMessageParam
from openai.types.evals.create_eval_jsonl_run_data_source_param import SourceFileContentContent
from pydantic import TypeAdapter

from conftest import Written, proposed, right

PROMPTFOO = Path("node/node_modules/promptfoo/dist/src/main.js")


def canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_inspect_reads_every_sample(written: Written) -> None:
    samples = json_dataset(str(written.path("inspect.jsonl")))
    cases = written.of("inspect.jsonl")
    assert len(samples) == len(cases) == 6
    for sample, case in zip(samples, cases, strict=True):
        assert sample.id == case["id"]
        assert sample.target == canonical(right(case))
        assert sample.metadata is not None
        assert sample.metadata["changed_fields"] == case["changed_fields"]
        assert sample.metadata["split"] == written.splits[case["id"]]
        assert sample.input[0].role == "system"
    messages = samples[0].input
    asked = next(each for each in messages if isinstance(each, ChatMessageAssistant) and each.tool_calls)
    told = next(each for each in messages if isinstance(each, ChatMessageTool))
    assert asked.tool_calls is not None
    assert (asked.tool_calls[0].function, asked.tool_calls[0].arguments) == (
        "order_read",
        {"order_id": "A-77"},
    )
    assert (told.tool_call_id, told.text) == (asked.tool_calls[0].id, '{"total_minor": 4200}')


def test_inspect_reads_plain_samples(written: Written) -> None:
    samples = json_dataset(str(written.path("inspect_text.jsonl")))
    assert [sample.id for sample in samples] == written.made["inspect_text.jsonl"]
    assert all(isinstance(sample.input, str) for sample in samples)


@pytest.fixture(scope="module")
def evaluated(written: Written, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Run promptfoo over our tests: what arrives, what the right answers get, what the agent's own get."""
    if not PROMPTFOO.exists():
        pytest.skip("promptfoo is not installed: its checks of our tests DID NOT RUN")
    folder = tmp_path_factory.mktemp("promptfoo")
    answers = {
        "right": {case_id: canonical(right(case)) for case_id, case in written.cases.items()},
        "agent": {case_id: canonical(proposed(case)) for case_id, case in written.cases.items()},
    }
    (folder / "answers.json").write_text(json.dumps(answers))
    (folder / "answer.mjs").write_text(
        "import fs from 'node:fs';\n"
        "const answers = JSON.parse(fs.readFileSync(new URL('answers.json', import.meta.url)));\n"
        "export default class {\n"
        "  constructor(options) { this.of = options.config.of; }\n"
        "  id() { return this.of; }\n"
        "  async callApi(prompt, context) {\n"
        "    return { output: answers[this.of][context.test.metadata.case_id] };\n"
        "  }\n"
        "}\n"
    )
    config = {
        "prompts": ["{{messages}}"],
        "providers": [
            "echo",
            {"id": "file://answer.mjs", "label": "right", "config": {"of": "right"}},
            {"id": "file://answer.mjs", "label": "agent", "config": {"of": "agent"}},
        ],
        "tests": f"file://{written.path('promptfoo.jsonl')}",
    }
    (folder / "promptfooconfig.json").write_text(json.dumps(config))
    run = subprocess.run(
        [
            str(Path("bin/node").resolve()),
            str(PROMPTFOO.resolve()),
            *("eval", "-c", "promptfooconfig.json", "--no-cache", "--no-write", "--no-table"),
            *("--no-progress-bar", "-o", "out.json"),
        ],
        cwd=folder,
        env={
            **os.environ,
            "PATH": f"{Path('bin').resolve()}:{os.environ['PATH']}",
            "HOME": str(folder),
            "PROMPTFOO_CONFIG_DIR": str(folder / "state"),
            "PROMPTFOO_DISABLE_TELEMETRY": "1",
            "PROMPTFOO_DISABLE_UPDATE": "1",
            "PROMPTFOO_DISABLE_REMOTE_GENERATION": "true",
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    out = folder / "out.json"
    assert out.exists(), run.stdout + run.stderr
    found: list[dict[str, Any]] = json.loads(out.read_text())["results"]["results"]
    return found


def by(evaluated: list[dict[str, Any]], provider: str) -> dict[str, dict[str, Any]]:
    return {
        each["testCase"]["metadata"]["case_id"]: each
        for each in evaluated
        if (each["provider"].get("label") or each["provider"]["id"]) == provider
    }


def test_promptfoo_hands_on_every_question_as_it_was_said(
    written: Written, evaluated: list[dict[str, Any]]
) -> None:
    echoed = by(evaluated, "echo")
    assert sorted(echoed) == sorted(written.made["promptfoo.jsonl"])
    for row in written.lines("evals.jsonl"):
        result = echoed[row["metadata"]["case_id"]]
        assert json.loads(result["response"]["output"]) == row["input"]


def test_promptfoo_passes_the_right_answers(written: Written, evaluated: list[dict[str, Any]]) -> None:
    results = by(evaluated, "right")
    assert sorted(results) == sorted(written.made["promptfoo.jsonl"])
    assert {
        case_id: result.get("error") for case_id, result in results.items() if not result["success"]
    } == {}


def test_promptfoo_fails_what_people_corrected_where_they_touched_it(
    written: Written, evaluated: list[dict[str, Any]]
) -> None:
    results = by(evaluated, "agent")
    for case in written.of("promptfoo.jsonl"):
        assert results[case["id"]]["success"] is (case["label"] == "approved")
    first = results[written.made["promptfoo.jsonl"][0]]
    failed = {
        each["assertion"]["metric"] for each in first["gradingResult"]["componentResults"] if not each["pass"]
    }
    assert failed == {"/amount_minor", "/note", "/gift", "the rest"}


def test_openai_evals_lines_are_messages_and_an_ideal(written: Written) -> None:
    messages = TypeAdapter(list[ChatCompletionMessageParam])
    rows = written.lines("evals.jsonl")
    assert len(rows) == 6
    for row, case in zip(rows, written.of("evals.jsonl"), strict=True):
        messages.validate_python(row["input"], strict=True)
        assert row["ideal"] == canonical(right(case))


def test_the_openai_client_knows_the_hosted_items(written: Written) -> None:
    item = TypeAdapter(SourceFileContentContent)
    schema = {
        "type": "object",
        "required": ["case_id", "action_type", "label", "messages", "expected", "metadata"],
        "properties": {"expected": {"type": "string"}, "messages": {"type": "array"}},
    }
    rows = written.lines("evals_hosted.jsonl")
    for row, case in zip(rows, written.of("evals_hosted.jsonl"), strict=True):
        item.validate_python(row, strict=True)
        jsonschema.validate(row["item"], schema)
        assert json.loads(row["item"]["expected"]) == right(case)


def test_langfuse_knows_every_item(written: Written) -> None:
    items = [parse_obj_as(CreateDatasetItemRequest, row) for row in written.lines("langfuse.jsonl")]
    assert [item.id for item in items] == [*written.cases]
    for item, case in zip(items, written.cases.values(), strict=True):
        assert item.dataset_name == "refunds"
        assert item.status == "ACTIVE"
        assert item.input["context"] == case["input"]["context"]
        assert (item.expected_output or {"args": None})["args"] == right(case)
        assert (item.metadata["agent_output"] or {"args": None})["args"] == proposed(case)
        assert not item.model_extra


def test_langsmith_knows_every_example(written: Written) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        examples = [ExampleCreate(**row) for row in written.lines("langsmith.jsonl")]
    for example, case in zip(examples, written.cases.values(), strict=True):
        assert example.id == UUID(case["id"].removeprefix("case_"))
        assert example.split == written.splits[case["id"]]
        assert example.inputs == {"action_type": case["action"]["type"], "context": case["input"]["context"]}
        assert example.reference_outputs is not None
        assert (example.reference_outputs["call"] or {"args": None})["args"] == right(case)


def test_argilla_knows_every_record(written: Written) -> None:
    records = [rg.Record.from_dict(row) for row in written.lines("argilla.jsonl")]
    assert [record.id for record in records] == [*written.cases]
    for record, case in zip(records, written.cases.values(), strict=True):
        assert record.fields["proposed"] == canonical(proposed(case))
        assert record.suggestions["corrected_arguments"].agent == "refund-bot@2026.09"
        answer = record.responses["corrected_arguments"][0]
        assert answer.value == canonical(right(case))
        assert UUID(str(answer.user_id))
        assert record.responses["label"][0].value == case["label"]
        assert record.metadata["split"] == written.splits[case["id"]]


def test_argilla_maps_the_flat_rows(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    # Settings want a client, and a client wants its server. Mapping asks neither for anything.
    monkeypatch.setattr(rg.Argilla, "_get_default", classmethod(lambda _class: MagicMock()))
    metadata = ("action_type", "agent", "agent_version", "label_source", "label_strength", "split")
    settings = rg.Settings(
        fields=[rg.TextField(name="context"), rg.TextField(name="proposed")],
        questions=[
            rg.LabelQuestion(name="label", labels=["approved", "corrected", "rejected"]),
            rg.TextQuestion(name="corrected_arguments"),
        ],
        metadata=[rg.TermsMetadataProperty(name=name) for name in metadata],
    )
    dataset = type(
        "Described", (), {"settings": settings, "schema": settings.schema, "questions": settings.questions}
    )
    rows = written.lines("argilla_flat.jsonl")
    dotted = {name: name for row in rows for name in row if "." in name}
    user = UUID(int=1)
    mapper = IngestedRecordMapper(dataset=dataset, user_id=user, mapping=dotted)
    with warnings.catch_warnings():
        # It warns of every name with a dot, and maps it all the same.
        warnings.simplefilter("ignore")
        records = [mapper(row) for row in rows]
    for record, case in zip(records, written.cases.values(), strict=True):
        assert record.id == case["id"]
        assert record.suggestions["corrected_arguments"].value == canonical(proposed(case))
        assert record.responses["label"][0].value == case["label"]
        assert record.responses["corrected_arguments"][0].user_id == user

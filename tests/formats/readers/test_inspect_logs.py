"""Logs that Inspect AI itself writes, read back by Handrail's client as results of an eval."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import json_dataset
from inspect_ai.model import ModelOutput
from inspect_ai.scorer import exact
from inspect_ai.solver import Generate, Solver, TaskState, solver

sys.path.insert(0, str(Path(__file__).parents[3] / "sdk" / "python" / "src"))

from handrail import inspect_logs
from handrail.evals import CaseResult

from conftest import Written


@solver
def agent(answers: dict[str, ModelOutput]) -> Solver:
    """An agent with its answers ready: a model would ask the network how to count its tokens."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state.output = answers[str(state.sample_id)]
        return state

    return solve


@pytest.mark.parametrize("log_format", ["eval", "json"])
def test_each_sample_of_a_log_is_the_result_of_its_case(
    written: Written, tmp_path: Path, log_format: Any
) -> None:
    dataset = json_dataset(str(written.path("inspect.jsonl")))
    first, second, third = written.of("inspect.jsonl")[:3]
    right: dict[str, Any] = {"order_id": "SO-1", "amount": 12.5}
    function = first["action"]["type"].replace(".", "_")
    answers = {
        first["id"]: ModelOutput.for_tool_call("agent", function, right),
        second["id"]: ModelOutput.from_content("agent", "null"),
        third["id"]: ModelOutput.from_content("agent", "I would rather not say."),
    }
    (log,) = eval(
        Task(dataset=dataset[:3], solver=agent(answers), scorer=exact()),
        model="mockllm/model",
        log_dir=str(tmp_path),
        log_format=log_format,
        max_samples=1,
        display="none",
    )
    assert log.status == "success", log.error

    results = list(inspect_logs.results(Path(log.location.removeprefix("file://"))))

    assert results == [
        CaseResult(case=first["id"], acted=True, action_type=first["action"]["type"], output=right),
        CaseResult(case=second["id"], acted=False),
        CaseResult(case=third["id"], acted=False, error="no answer: ProtocolError"),
    ]
    assert json.dumps(results[0].document()["output"]) == json.dumps(right)

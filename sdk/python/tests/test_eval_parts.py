"""The parts of ``handrail eval`` that need no server: cases, answers, batches, table, Inspect samples."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from pathlib import Path
from types import SimpleNamespace as Made
from typing import Any

import agents_under_test
import pytest

from handrail.command import Unusable, agent_under_test, main
from handrail.errors import ProtocolError
from handrail.eval_cases import EvalCase, from_file, read_case
from handrail.eval_progress import Progress, table
from handrail.evals import CaseResult, Kept
from handrail.evaluation import BATCH, batched, read_answer, results, run_case
from handrail.inspect_logs import result_of


def document(number: int) -> dict[str, Any]:
    return {
        "format": "handrail.case/2",
        "id": f"case_{number}",
        "action": {"type": "refund.issue", "subject": "Ada"},
        "input": {"context": {"n": number}, "reason": "the agent's own", "samples": [1], "judge": {}},
        "proposal": {"arguments": {"amount": 1}},
        "truth": {"should_act": True, "arguments": {"amount": 2}},
    }


def case(number: int = 1) -> EvalCase:
    return read_case(document(number))


def test_the_agent_sees_nothing_that_gives_the_answer_away() -> None:
    assert case().input == {
        "case": "case_1",
        "context": {"n": 1},
        "subject": "Ada",
        "conversation_id": None,
        "environment": None,
        "created_at": None,
    }


@pytest.mark.parametrize(
    "wrong", [None, [], {}, {"format": "handrail.case/9", "id": "x"}, {"format": "handrail.case/2"}]
)
def test_what_is_no_case_is_refused(wrong: object) -> None:
    with pytest.raises(ProtocolError):
        read_case(wrong)


def test_cases_come_from_a_file_plain_or_zipped(tmp_path: Path) -> None:
    text = "".join(json.dumps(document(number)) + "\n" for number in range(3)).encode()
    plain, zipped = tmp_path / "cases.jsonl", tmp_path / "cases.jsonl.gz"
    plain.write_bytes(text)
    zipped.write_bytes(gzip.compress(text))
    assert [each.id for each in from_file(plain)] == ["case_0", "case_1", "case_2"]
    assert list(from_file(zipped)) == list(from_file(plain))


def test_an_answer_is_nothing_or_an_action() -> None:
    assert read_answer("c", None) == CaseResult(case="c", acted=False)
    assert read_answer("c", {"action_type": "a", "arguments": {"n": 1}}) == CaseResult(
        case="c", acted=True, action_type="a", output={"n": 1}
    )
    assert run_case(agents_under_test.as_told_later, case()) == CaseResult(case="case_1", acted=False)


@pytest.mark.parametrize(
    ("agent", "error"),
    [
        (agents_under_test.breaks_down, "ValueError"),
        (agents_under_test.no_answer, "TypeError"),
        (agents_under_test.not_json, "TypeError"),
    ],
)
def test_a_breakdown_is_a_result_without_the_message(
    agent: Any, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = run_case(agent, case())
    assert found == CaseResult(case="case_1", acted=False, error=error)
    assert error in capsys.readouterr().err


def test_every_case_is_asked_once_by_several_workers() -> None:
    found = list(results(lambda shown: {"arguments": shown["context"]}, map(case, range(40)), workers=4))
    assert sorted(result.case for result in found) == sorted(f"case_{number}" for number in range(40))
    assert all(result.output == {"n": int(result.case[5:])} for result in found)


def test_an_interruption_leaves_what_is_done() -> None:
    def interrupted() -> Any:
        yield CaseResult(case="a", acted=False)
        raise KeyboardInterrupt

    got: list[list[CaseResult]] = []
    with pytest.raises(KeyboardInterrupt):
        got.extend(batched(interrupted()))
    assert got == [[CaseResult(case="a", acted=False)]]
    many = (CaseResult(case=str(number), acted=False) for number in range(2 * BATCH + 1))
    assert sum(len(batch) for batch in batched(many)) == 2 * BATCH + 1


def test_the_table_counts_by_action_type() -> None:
    kept = [
        Kept("1", "b.b", True, ""),
        Kept("2", "a.a", False, ""),
        Kept("3", "a.a", True, ""),
        Kept("4", "a.a", None, ""),
    ]
    assert table(kept).splitlines() == [
        "action type  right  wrong  not graded  error rate",
        "a.a              1      1           1       50.0%",
        "b.b              1      0           0        0.0%",
        "all              2      1           1       33.3%",
    ]
    assert table([]).splitlines() == ["action type  right  wrong  not graded  error rate"]


def test_progress_is_a_line_every_tenth_where_nobody_sees_a_bar() -> None:
    out = io.StringIO()
    progress = Progress(total=100, out=out)
    for _ in range(100):
        progress.advance(done=1, wrong=0)
    lines = out.getvalue().splitlines()
    assert len(lines) == 11
    assert lines[-1].startswith(f"[{'#' * 24}] 100 of 100 cases, 100%, 0 not right")


def sample(completion: str = "", calls: list[Any] | None = None, error: object = None) -> Any:
    message = Made(tool_calls=calls)
    return Made(error=error, output=Made(choices=[1], message=message, completion=completion))


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (sample('{"amount": 2}'), CaseResult(case="c", acted=True, output={"amount": 2})),
        (sample(" null\n"), CaseResult(case="c", acted=False)),
        (sample("I would refund."), CaseResult(case="c", acted=False, error="no answer: ProtocolError")),
        (sample("[1]"), CaseResult(case="c", acted=False, error="no answer: TypeError")),
        (sample(error="boom"), CaseResult(case="c", acted=False, error="the sample broke down")),
        (
            sample(calls=[Made(function="refund_issue", arguments={"amount": 2})]),
            CaseResult(case="c", acted=True, action_type="refund.issue", output={"amount": 2}),
        ),
        (
            sample(calls=[Made(function="note_add", arguments={})]),
            CaseResult(case="c", acted=True, action_type="note_add", output={}),
        ),
    ],
)
def test_an_inspect_sample_is_an_action_nothing_or_a_breakdown(given: Any, result: CaseResult) -> None:
    assert result_of("c", given, metadata={"action_type": "refund.issue"}) == result


@pytest.mark.parametrize("target", ["agents_under_test", "no_such_module:x", "agents_under_test:none", ":x"])
def test_what_names_no_agent_is_told(target: str) -> None:
    with pytest.raises(Unusable):
        agent_under_test(target)


def test_without_address_and_key_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HANDRAIL_URL", raising=False)
    monkeypatch.delenv("HANDRAIL_KEY", raising=False)
    assert main(["eval", "--version", "dsv_1", "--agent-version", "2", "agents_under_test:nothing"]) == 2
    assert "set HANDRAIL_URL and HANDRAIL_KEY" in capsys.readouterr().err


def test_a_coroutine_runs_to_its_end() -> None:
    async def agent(shown: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"arguments": shown["context"]}

    assert run_case(agent, case()).output == {"n": 1}

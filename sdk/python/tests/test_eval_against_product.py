"""``handrail eval`` against the real product: decisions become cases, cases test an agent, a gate holds.

Needs the fixture ``product`` of the repository's top-level ``conftest.py``.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import agents_under_test
import pytest

from handrail import Client, NotAuthorised
from handrail.command import main

pytestmark = pytest.mark.stack


class Product(Protocol):
    """The whole stack, seen from outside."""

    url: str

    def create_agent(self, name: str) -> str: ...

    def create_key(self, agent: str, *, scopes: list[str]) -> str: ...

    def declare(self, action_type: str, *, runs_alone: bool) -> None: ...

    def decide(
        self, action_id: str, kind: Literal["approve", "correct", "reject"], *, arguments: Any = None
    ) -> None: ...

    def freeze(self, action_type: str, *, cases: int) -> tuple[str, list[dict[str, Any]]]: ...


@dataclass
class Frozen:
    """A version of three cases, corrected, approved and rejected, whose context says what would be right."""

    key: str
    version: str
    cases: Path
    client: Client


@pytest.fixture
def frozen(product: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Frozen:
    name = f"refund.eval_{uuid.uuid4().hex[:8]}"
    product.declare(name, runs_alone=False)
    agent = f"eval-{uuid.uuid4().hex[:8]}"
    client = Client(product.url, product.create_agent(agent), timeout=30)
    # Who acts with a key does not say with it how well it acts.
    key = product.create_key(agent, scopes=["evals:write", "datasets:read"])
    rights: list[tuple[Literal["approve", "correct", "reject"], Any]] = [
        ("correct", {"amount": "4.00"}),
        ("approve", {"amount": "40.00"}),
        ("reject", None),
    ]
    for at, (kind, right) in enumerate(rights):
        # Each another subject, so that no answer to one says anything of the next.
        answer = client.submit(name, {"amount": "40.00"}, context={"right": right}, subject=f"customer-{at}")
        product.decide(answer.id, kind, **({"arguments": right} if kind == "correct" else {}))
    version, documents = product.freeze(name, cases=3)
    cases = tmp_path / "cases.jsonl"
    cases.write_text("".join(json.dumps(document) + "\n" for document in documents), encoding="utf-8")
    monkeypatch.setenv("HANDRAIL_URL", product.url)
    monkeypatch.setenv("HANDRAIL_KEY", key)
    agents_under_test.ASKED.clear()
    return Frozen(key, version, cases, Client(product.url, key, timeout=30))


def run(frozen: Frozen, agent: str, *more: str) -> int:
    return main(
        [
            "eval",
            *("--version", frozen.version),
            *("--agent-version", "2"),
            *("--cases", str(frozen.cases)),
            *more,
            f"agents_under_test:{agent}",
        ]
    )


def test_an_agent_that_has_learned_passes_and_one_that_has_not_is_held(
    frozen: Frozen, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(frozen, "as_told_later", "--fail-under", "1", "--workers", "3") == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1].split()[1:] == ["3", "0", "0", "0.0%"]
    assert "3 of 3 cases, 100%" in shown.err
    assert all("truth" not in asked and "proposal" not in asked for asked in agents_under_test.ASKED)

    # Doing nothing is right once in three.
    assert run(frozen, "nothing", "--fail-under", "0.5") == 1
    assert "33.3% of all cases are right; 50.0% are asked." in capsys.readouterr().err
    assert run(frozen, "breaks_down", "--fail-under", "0.1") == 1
    shown = capsys.readouterr()
    assert shown.out.splitlines()[1].split()[1:] == ["0", "3", "0", "100.0%"]


def test_the_cases_come_from_the_server_too(frozen: Frozen) -> None:
    given = ["eval", "--version", frozen.version, "--agent-version", "3", "--fail-under", "1"]
    assert main([*given, "agents_under_test:as_told"]) == 0
    assert len(agents_under_test.ASKED) == 3
    assert {case.id for case in frozen.client.eval_cases(frozen.version)} == {
        asked["case"] for asked in agents_under_test.ASKED
    }


def test_an_interrupted_run_goes_on_where_it_stopped(
    frozen: Frozen, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(frozen, "stops_after_two", "--key", "nightly", "--fail-under", "1") == 130
    assert "2 of 3 cases have a result" in capsys.readouterr().err
    assert len(agents_under_test.ASKED) == 2
    assert run(frozen, "as_told", "--key", "nightly", "--fail-under", "1") == 0
    assert len(agents_under_test.ASKED) == 3
    assert len({asked["case"] for asked in agents_under_test.ASKED}) == 3


def test_a_key_without_the_scope_posts_nothing(
    product: Product, frozen: Frozen, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    key = product.create_agent(f"plain-{uuid.uuid4().hex[:8]}")
    monkeypatch.setenv("HANDRAIL_KEY", key)
    assert run(frozen, "nothing") == 2
    assert "evals:write" in capsys.readouterr().err
    with pytest.raises(NotAuthorised):
        Client(product.url, key).start_eval_run(frozen.version, agent_version="2")

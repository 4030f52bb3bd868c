"""The snippets of docs/formats.md do what they say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import Written

PAGE = Path(__file__).parents[3] / "docs" / "formats.md"
SECTION = re.compile(r"^## `(?P<format>\w+)`.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
SNIPPET = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {
    "jsonl": "cases.jsonl",
    "openai_evals": "evals.jsonl",
    "parquet": "parquet",
    "hugging_face": "hub",
    "csv": "cases.csv",
}
SECTIONS = {found["format"]: found[0] for found in SECTION.finditer(PAGE.read_text())}


def test_the_page_has_every_format() -> None:
    assert len(SECTIONS) == 13


@pytest.mark.parametrize("format", [*SECTIONS])
def test_the_snippet_loads_every_row(written: Written, format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    [snippet] = SNIPPET.finditer(SECTIONS[format])
    monkeypatch.chdir(written.folder)
    if snippet["language"] == "yaml":
        config = yaml.safe_load(snippet["code"])
        assert config["tests"] == "file://promptfoo.jsonl"
        return
    names: dict[str, Any] = {}
    exec(snippet["code"], names)
    name = FILES.get(format, f"{format}.jsonl")
    corrections = [case for case in written.of(name) if case["label"] == "corrected"]
    doubled = len(corrections) if format == "kto" else 0
    assert len(names["rows"]) == len(written.made[name]) + doubled


@pytest.mark.parametrize("format", ["chat", "dpo", "kto"])
def test_a_long_beginning_of_one_shape_decides_nothing_about_the_rest(
    written: Written, format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library reads ten megabytes at a time, and would guess from the first of them."""
    rows = written.lines(f"{format}.jsonl")
    opening, *others = rows[0]["messages" if format == "chat" else "prompt"]
    asked = [{**opening, "content": "x" * 100_000}, *others]
    beginning = {**rows[0], ("messages" if format == "chat" else "prompt"): asked}
    whole = [beginning] * 120 + rows
    (tmp_path / f"{format}.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in whole))
    [snippet] = SNIPPET.finditer(SECTIONS[format])
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(snippet["code"], names)
    assert [*names["rows"]] == whole

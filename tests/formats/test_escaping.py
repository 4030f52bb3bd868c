"""What agents send is hostile: in a spreadsheet, a template, a schema and a YAML header it stays text."""

from __future__ import annotations

import csv
import io
import json
import re

import jsonschema_rs
import yaml
from hypothesis import assume, example, given
from hypothesis import strategies as st

from datasets.exporters import hugging_face, promptfoo
from datasets.exporters.csv_table import neutralised, record
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.strict_json import JsonValue
from tests.formats.cases import ATTACK, HOSTILE

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
DANGEROUS = st.text(st.sampled_from("{}%#$`\\\"'=+-@\t\r\n :/fileenv.<>_")) | st.sampled_from(HOSTILE)
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e15, 1e15, allow_nan=False)
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | DANGEROUS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(DANGEROUS | TEXTS, inner, max_size=4),
    max_leaves=12,
)
TEMPLATE = re.compile(r"\{\{|\{%|\{#|#\}|%\}")


def test_hostile_cells_are_neutralised_one_by_one() -> None:
    assert neutralised("=1+1") == "'=1+1"
    assert neutralised("  @SUM(A1)") == "'  @SUM(A1)"
    assert neutralised("\tx") == "'\tx"
    assert neutralised("\ufeff=1") == "'\ufeff=1"
    assert neutralised("'quoted") == "''quoted"
    assert neutralised("＝1") == "'＝1"
    assert neutralised("a=1") == "a=1"
    assert neutralised("") == ""


@given(TEXTS | DANGEROUS)
def test_a_neutralised_text_starts_no_formula_and_gives_the_original_back(text: str) -> None:
    cell = neutralised(text)
    assert cell.lstrip(" \u00a0\u3000\ufeff")[:1] not in {"=", "+", "-", "@", "\t", "\r", "\n", "|", "%"}
    assert (cell[1:] if cell.startswith("'") else cell) == text


@given(st.lists(TEXTS | DANGEROUS, min_size=2, max_size=5))
@example(["\r", "\n"])
@example(['"', ","])
def test_a_csv_record_is_read_as_it_was_written(cells: list[str]) -> None:
    line = record(cells)
    assert line.endswith(b"\r\n")
    assert [*csv.reader(io.StringIO(line.decode(), newline=""), strict=True)] == [cells]


@given(VALUES)
@example(dict(ATTACK))
def test_a_variable_is_the_same_json_without_a_template(value: JsonValue) -> None:
    text = promptfoo.variable([value])
    assert canonicalize(json.loads(text)) == canonicalize([value])
    assert not re.search(r"\{\{|\{%|\{#|#\}", text)
    assert text.startswith("[")


@given(VALUES)
@example(dict(ATTACK))
@example({"__proto__": {"a": 1}, "$ref": "file:///etc/passwd"})
def test_a_value_satisfies_its_own_schema_which_holds_no_template_and_no_file(value: JsonValue) -> None:
    schema = promptfoo.exactly(value)
    assert jsonschema_rs.Draft7Validator(schema).is_valid(value)
    for text in texts(schema):
        assert not TEMPLATE.search(text)
        assert not text.startswith("file://")


@given(VALUES, VALUES)
def test_another_value_does_not_satisfy_it(value: JsonValue, other: JsonValue) -> None:
    assume(canonicalize(value) != canonicalize(other))
    assert not jsonschema_rs.Draft7Validator(promptfoo.exactly(value)).is_valid(other)


@given(TEXTS | DANGEROUS)
@example("a\n---\nlicense: mit\n---\n")
@example(HOSTILE[4])
def test_a_title_stays_a_title_in_the_card(title: str) -> None:
    card = hugging_face.card(hugging_face.Options(title=title), {"train": 1})
    head = card.removeprefix("---\n").split("\n---\n", 1)[0]
    found = yaml.safe_load(head)
    assert found["pretty_name"] == title
    assert "license" not in found


def texts(value: JsonValue) -> list[str]:
    """Return every text in a value, the names of members included."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    if isinstance(value, dict):
        return [*value, *(text for each in value.values() for text in texts(each))]
    return []

"""YAML that means one thing: what is refused and where, and that what is written is read back exactly."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hitl_site.lib.strict_json import MAX_SAFE_INTEGER, JsonValue
from hitl_site.lib.strict_yaml import MAX_CHARACTERS, YamlError, parse, write

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
traps = st.sampled_from(
    [
        "no",
        "1e3",
        "017",
        "12:30",
        "~",
        "",
        " a",
        "a ",
        "a: b",
        "a #b",
        "- a",
        "null",
        "a\nb",
        "a\n",
        "\t",
        '"',
    ],
)
numbers = st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER) | st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[JsonValue] = st.recursive(
    st.none() | st.booleans() | numbers | texts | traps,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts | traps, inner, max_size=4),
    max_leaves=20,
)


@given(value=st.dictionaries(texts | traps, values, max_size=5), heading=st.lists(texts, max_size=2))
def test_what_is_written_is_read_back_exactly(value: dict[str, JsonValue], heading: list[str]) -> None:
    if not value:
        return
    text = write(value, heading=heading)
    assert repr(parse(text, name="x").value) == repr(value)
    assert write(value, heading=heading) == text


@given(value=st.dictionaries(texts | traps, values, min_size=1, max_size=5))
def test_another_reader_finds_the_same(value: dict[str, JsonValue]) -> None:
    assert yaml.safe_load(write(value)) == value


@given(text=st.text(st.sampled_from("ab:-[]{}&*!|>'\"#%@,? \n\t~1e.0") | st.characters(), max_size=60))
def test_whatever_comes_is_read_or_refused_with_its_line(text: str) -> None:
    refused = None
    try:
        parse(text, name="any.yaml")
    except YamlError as error:
        refused = error
    assert refused is None or (refused.name == "any.yaml" and 1 <= refused.line <= len(text) + 1)


@pytest.mark.parametrize(
    "value",
    [
        "no", "Yes", "on", "OFF", "y", "~", "NULL", "True", "1e3", "1E5", "1.5e3", "017", "0x1F", "0o17",
        "1_000", ".5", "5.", "+1", "12:30", "1:30:00", ".inf", "-.INF", ".nan", "2026-01-01",
        "2026-01-01T10:00:00Z", "-0", "=", "1,000",
    ],
)  # fmt: skip
def test_what_readers_take_differently_is_refused_and_can_be_quoted(value: str) -> None:
    with pytest.raises(YamlError, match="line 2: readers of YAML do not agree") as refused:
        parse(f"# a comment\nkey: {value}\n", name="policy.yaml")
    assert str(refused.value).startswith("policy.yaml, line 2: ")
    assert parse(f'key: "{value}"', name="x").value == {"key": value}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "the key a stands here twice"),
        ("a: &x [1]\nb: *x\n", 1, "anchors"),
        ("a: 1\nb: *x\n", 2, "aliases"),
        ("a:\n  <<: {b: 1}\n", 2, "do not agree"),
        ("a: !!python/object:os.system x\n", 1, "tags are not read"),
        ("a: !!str 1\n", 1, "tags are not read"),
        ("a: 1\n---\nb: 2\n", 2, "one document"),
        ("%YAML 1.1\n---\na: 1\n", 1, "directives"),
        ("a:\n", 1, "there is no value"),
        ("1: a\n", 1, "a key is a text"),
        ("true: a\n", 1, "a key is a text"),
        ("? [a]\n: b\n", 1, "a key is a text"),
        ("a: 1\n  b: 2\n", 2, "not allowed here"),
        ("a: 9007199254740993\n", 1, "beyond 2^53-1"),
        ("a: " + "9" * 5000 + "\n", 1, "beyond 2^53-1"),
        ("a: 1.0e+999\n", 1, "too large"),
        ("a: '\x00'\n", 1, "U+0000 has no place here"),
        ("", 1, "the file is empty"),
        ("# nothing\n", 1, "the file is empty"),
        ("\n" * 3 + "[" * 5000, 4, "nested at most 32 deep"),
        ("a: " + "x" * MAX_CHARACTERS, 1, "at most"),
        ('a: "\\ud800"\n', 1, "U+D800 has no place"),
    ],
)
def test_what_is_refused_is_named_with_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(YamlError) as refused:
        parse(text, name="x.yaml")
    assert (refused.value.line, message in str(refused.value)) == (line, True), str(refused.value)


def test_a_place_has_its_line_and_one_that_is_missing_that_around_it() -> None:
    document = parse("a:\n  - b: 1\n    c: 2\n  - d\ne~/f: 3\n", name="x")
    assert [document.line_of(each) for each in ("", "/a", "/a/0", "/a/0/c", "/a/1", "/e~0~1f")] == [
        1, 2, 2, 3, 4, 5,
    ]  # fmt: skip
    assert document.line_of("/a/0/c/nothing/here") == 3
    assert str(document.error("/a/0/c", "no")) == "x, line 3: /a/0/c: no"


def test_conditions_stand_in_lines_of_their_own() -> None:
    value: dict[str, JsonValue] = {
        "rules": [{"when": 'args.a == "b"\n&& args.c > 1', "then": "review"}],
        "points": [[0.5, 1], []],
        "empty": [],
        "none": {},
    }
    assert write(value, heading=["A policy"]) == (
        "# A policy\n"
        "rules:\n"
        "  - when: |-\n"
        '      args.a == "b"\n'
        "      && args.c > 1\n"
        "    then: review\n"
        "points:\n"
        "  - [0.5, 1]\n"
        "  - []\n"
        "empty: []\n"
        "none: {}\n"
    )

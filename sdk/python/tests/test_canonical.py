"""The digest: the same for the same action, another for any other."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handrail import InvalidArguments, action_digest
from handrail.canonical import snapshot, snapshot_object
from handrail.wire import read_json

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2.0**53) + 1, 2.0**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=4)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=4)


def digest(arguments: Any, **changed: Any) -> str:
    bound = {"agent": "clerk", "subject": None, "action_type": "refund.issue", "environment": "production"}
    return action_digest(arguments=arguments, **{**bound, **changed})


def test_the_digest_is_the_one_of_the_specification() -> None:
    canonical = (
        b'{"action_type":"refund.issue","agent":"clerk","arguments":{"a":"\xc3\xa9","b":[1,2.5]},'
        b'"environment":"production","subject":null,"v":1}'
    )
    expected = "sha256:" + hashlib.sha256(b"handrail-action-v1\0" + canonical).hexdigest()
    assert digest({"b": [1.0, 2.5], "a": "é"}) == expected


@given(OBJECTS)
def test_a_digest_survives_the_way_over_the_wire(arguments: dict[str, Any]) -> None:
    frozen = snapshot_object(arguments)
    assert digest(read_json(json.dumps(frozen).encode())) == digest(frozen)
    assert digest(dict(reversed(frozen.items()))) == digest(frozen)


@given(OBJECTS, NAMES, SCALARS)
def test_any_other_argument_has_another_digest(arguments: dict[str, Any], name: str, value: Any) -> None:
    frozen = snapshot_object(arguments)
    other = {**frozen, name: snapshot(value)}
    same = name in frozen and json.dumps(frozen[name]) == json.dumps(other[name])
    same_number = name in frozen and _is_number(frozen[name]) and _is_number(value) and frozen[name] == value
    assert (digest(other) == digest(frozen)) is (same or same_number)


@pytest.mark.parametrize(
    "changed",
    [{"agent": "robo"}, {"subject": "x"}, {"action_type": "refund.list"}, {"environment": "staging"}],
    ids=str,
)
def test_whoever_and_wherever_is_bound_too(changed: dict[str, str]) -> None:
    assert digest({}, **changed) != digest({})


@given(OBJECTS)
def test_a_snapshot_shares_nothing_with_what_it_was_taken_from(arguments: dict[str, Any]) -> None:
    frozen = snapshot_object(arguments)
    before = json.dumps(frozen)
    for value in arguments.values():
        if isinstance(value, list | dict):
            value.clear()
    arguments.clear()
    assert json.dumps(frozen) == before


def test_a_tuple_is_a_list_and_a_subclass_its_plain_self() -> None:
    class Name(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "something else"

    [taken] = snapshot_object({"names": (Name("a"),)}).values()
    assert taken == ["a"]
    assert type(taken) is list
    assert type(taken[0]) is str


def test_the_place_of_the_fault_is_named() -> None:
    with pytest.raises(InvalidArguments, match="/a~1b/1 is of the type set"):
        snapshot_object({"a/b": [1, {2}]})


@given(st.binary(max_size=40))
def test_reading_an_answer_gives_json_or_a_protocol_error(body: bytes) -> None:
    from handrail import ProtocolError

    try:
        value = read_json(body)
    except ProtocolError:
        return
    assert json.loads(json.dumps(value)) == value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

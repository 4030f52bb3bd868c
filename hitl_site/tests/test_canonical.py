"""Canonical bytes against the vectors of RFC 8785, and the digest against its documented preimage."""

from __future__ import annotations

import hashlib
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from hitl_site.lib import canonical
from hitl_site.lib.strict_json import JsonValue, parse

# RFC 8785, appendix B: IEEE 754 bits and the ECMAScript text.
NUMBERS = [
    ("0000000000000000", "0"),
    ("8000000000000000", "0"),
    ("0000000000000001", "5e-324"),
    ("8000000000000001", "-5e-324"),
    ("7fefffffffffffff", "1.7976931348623157e+308"),
    ("ffefffffffffffff", "-1.7976931348623157e+308"),
    ("4340000000000000", "9007199254740992"),
    ("c340000000000000", "-9007199254740992"),
    ("4430000000000000", "295147905179352830000"),
    ("44b52d02c7e14af5", "9.999999999999997e+22"),
    ("44b52d02c7e14af6", "1e+23"),
    ("44b52d02c7e14af7", "1.0000000000000001e+23"),
    ("444b1ae4d6e2ef4e", "999999999999999700000"),
    ("444b1ae4d6e2ef4f", "999999999999999900000"),
    ("444b1ae4d6e2ef50", "1e+21"),
    ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
    ("3eb0c6f7a0b5ed8d", "0.000001"),
    ("41b3de4355555553", "333333333.3333332"),
    ("41b3de4355555554", "333333333.33333325"),
    ("41b3de4355555555", "333333333.3333333"),
    ("41b3de4355555556", "333333333.3333334"),
    ("41b3de4355555557", "333333333.33333343"),
    ("becbf647612f3696", "-0.0000033333333333333333"),
    ("43143ff3c1cb0959", "1424953923781206.2"),
]


@pytest.mark.parametrize(("bits", "text"), NUMBERS)
def test_numbers_are_written_as_ecmascript_writes_them(bits: str, text: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical.canonicalize(number) == text.encode()


def test_the_sample_of_rfc_8785_section_3_2_2() -> None:
    value: JsonValue = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical.canonicalize(value) == (
        b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_members_are_sorted_by_utf16_code_units() -> None:
    # RFC 8785 section 3.2.3: by code points the emoji would come after U+FB33.
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    value = parse(canonical.canonicalize(dict.fromkeys(names)))
    assert isinstance(value, dict)
    assert list(value) == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_text_is_not_normalised() -> None:
    assert canonical.body_digest("\u00e9") != canonical.body_digest("e\u0301")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, "\ud800", {"\ud800": 1}])
def test_what_has_no_canonical_form_is_refused(value: JsonValue) -> None:
    with pytest.raises(canonical.NotCanonical):
        canonical.canonicalize(value)


def test_the_action_digest_is_the_hash_of_its_documented_preimage() -> None:
    preimage = (
        b"handrail-action-v1\x00"
        b'{"action_type":"refund.issue","agent":"clerk","arguments":{"amount":"12.50","order":7},'
        b'"environment":"production","subject":null,"v":1}'
    )
    digest = canonical.action_digest(
        agent="clerk",
        subject=None,
        action_type="refund.issue",
        environment="production",
        arguments={"order": 7, "amount": "12.50"},
    )
    assert digest == "sha256:" + hashlib.sha256(preimage).hexdigest()
    # Fixed for ever: agents and executors elsewhere have computed it too.
    assert digest == "sha256:b15c2aaf6295ffb2437ce2a40ec146eaebda9c88df764c61756fa4205ec99d0b"


def test_every_part_of_an_action_counts() -> None:
    def digest(
        agent: str = "a",
        subject: str | None = None,
        action_type: str = "t",
        environment: str = "e",
        x: str | None = None,
    ) -> str:
        return canonical.action_digest(
            agent=agent,
            subject=subject,
            action_type=action_type,
            environment=environment,
            arguments={"x": x},
        )

    digests = [
        digest(), digest(agent="b"), digest(subject="s"), digest(subject=""), digest(action_type="u"),
        digest(environment="f"), digest(x="1"),
    ]  # fmt: skip
    assert len(set(digests)) == len(digests)


def test_a_body_digest_ignores_how_the_body_was_written() -> None:
    one = parse(b'{"a": 1.0, "b": "\\u00e9"}')
    other = parse('{"b":"é","a":1}'.encode())
    assert canonical.body_digest(one) == canonical.body_digest(other)
    assert canonical.body_digest({}) == "sha256:" + canonical.sha256_hex(b"{}")


_KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
_JSON: st.SearchStrategy[JsonValue] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from([0.0, -0.0, 1.0, 1e16, 1e20, 1e21, 1e-6, 1e-7, 5e-324, 123456789012345680.0])
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from(["null", ",1e+16", ":-1.0,", "1.0]", "e-mail", "3e-4f", "\U0001f600", "\ue000"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(_JSON)
def test_every_value_has_the_bytes_of_the_reference_implementation(value: JsonValue) -> None:
    assert canonical.canonicalize(value) == rfc8785.dumps(value)


@given(st.lists(st.floats()))
def test_numbers_alone_have_the_bytes_of_the_reference_implementation(numbers: list[float]) -> None:
    try:
        expected = rfc8785.dumps(numbers)
    except rfc8785.CanonicalizationError:
        with pytest.raises(canonical.NotCanonical):
            canonical.canonicalize([*numbers])
    else:
        assert canonical.canonicalize([*numbers]) == expected


@pytest.mark.parametrize("value", [{1: 2}, {"x": b"y"}, {"x": {1}}, {"x": datetime(2026, 1, 1, tzinfo=UTC)}])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(canonical.NotCanonical):
        canonical.canonicalize(value)

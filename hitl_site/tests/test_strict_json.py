"""The door: a corpus of hostile bodies with the exact answer, and properties against independent decoders."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from hitl_site.lib import canonical
from hitl_site.lib.strict_json import DoorError, JsonValue, parse

# (name, body, status, slug, pointer)
REFUSED: list[tuple[str, bytes, int, str, str | None]] = [
    # What is not one JSON text in UTF-8.
    ("nothing", b"", 400, "malformed-json", None),
    ("white space", b" \t\r\n", 400, "malformed-json", None),
    ("byte order mark", b'\xef\xbb\xbf{"a":1}', 400, "malformed-json", None),
    ("byte order mark alone", b"\xef\xbb\xbf", 400, "malformed-json", None),
    ("UTF-16 little endian", '{"a":1}'.encode("utf-16"), 400, "malformed-json", None),
    ("UTF-16 without mark", '{"a":1}'.encode("utf-16-be"), 400, "malformed-json", None),
    ("UTF-32", "[1]".encode("utf-32"), 400, "malformed-json", None),
    ("Latin-1", b'{"name":"Andr\xe9"}', 400, "malformed-json", None),
    ("lone continuation byte", b'["\x80"]', 400, "malformed-json", None),
    ("overlong slash", b'["\xc0\xaf"]', 400, "malformed-json", None),
    ("overlong zero", b'["\xc0\x80"]', 400, "malformed-json", None),
    ("surrogate in UTF-8", b'["\xed\xa0\x80"]', 400, "malformed-json", None),
    ("surrogate pair in UTF-8 (CESU-8)", b'["\xed\xa0\xbd\xed\xb8\x80"]', 400, "malformed-json", None),
    ("beyond U+10FFFF", b'["\xf4\x90\x80\x80"]', 400, "malformed-json", None),
    ("cut inside a character", b'["\xe2\x82', 400, "malformed-json", None),
    ("byte FF", b"\xff", 400, "malformed-json", None),
    ("zero byte outside a string", b"[1]\x00", 400, "malformed-json", None),
    ("zero byte in a string", b'["a\x00b"]', 400, "malformed-json", None),
    ("line feed in a string", b'["a\nb"]', 400, "malformed-json", None),
    ("tab in a string", b'["a\tb"]', 400, "malformed-json", None),
    ("trailing bracket", b'{"a":1}]', 400, "malformed-json", None),
    ("trailing garbage", b'{"a":1} x', 400, "malformed-json", None),
    ("two texts", b'{"a":1}{"a":2}', 400, "malformed-json", None),
    ("two lines", b'{"a":1}\n{"a":2}\n', 400, "malformed-json", None),
    ("trailing comma in an object", b'{"a":1,}', 400, "malformed-json", None),
    ("trailing comma in a list", b"[1,]", 400, "malformed-json", None),
    ("leading comma", b"[,1]", 400, "malformed-json", None),
    ("comma alone", b",", 400, "malformed-json", None),
    ("single quotes", b"{'a':1}", 400, "malformed-json", None),
    ("bare key", b"{a:1}", 400, "malformed-json", None),
    ("number as key", b"{1:1}", 400, "malformed-json", None),
    ("missing value", b'{"a":}', 400, "malformed-json", None),
    ("missing colon", b'{"a" 1}', 400, "malformed-json", None),
    ("comment", b"[1]//x", 400, "malformed-json", None),
    ("block comment", b"[1/**/]", 400, "malformed-json", None),
    ("open list", b"[1", 400, "malformed-json", None),
    ("open object", b'{"a":1', 400, "malformed-json", None),
    ("open string", b'["a', 400, "malformed-json", None),
    ("string ending in a backslash", b'["\\', 400, "malformed-json", None),
    ("wrong bracket", b'{"a":[1}', 400, "malformed-json", None),
    ("unknown escape", b'["\\x41"]', 400, "malformed-json", None),
    ("short escape", b'["\\u00"]', 400, "malformed-json", None),
    ("escape with a sign", b'["\\u+041"]', 400, "malformed-json", None),
    ("leading zero", b"[01]", 400, "malformed-json", None),
    ("plus sign", b"[+1]", 400, "malformed-json", None),
    ("minus alone", b"[-]", 400, "malformed-json", None),
    ("point without digits", b"[1.]", 400, "malformed-json", None),
    ("no digit before the point", b"[.5]", 400, "malformed-json", None),
    ("exponent without digits", b"[1e]", 400, "malformed-json", None),
    ("hexadecimal", b"[0x10]", 400, "malformed-json", None),
    ("underscore in a number", b"[1_000]", 400, "malformed-json", None),
    ("Arabic digits", "[١٢]".encode(), 400, "malformed-json", None),
    ("no-break space", b"[1,\xc2\xa02]", 400, "malformed-json", None),
    ("form feed", b"[\x0c1]", 400, "malformed-json", None),
    ("Python literal", b"True", 400, "malformed-json", None),
    ("capital null", b"[Null]", 400, "malformed-json", None),
    ("undefined", b"undefined", 400, "malformed-json", None),
    ("lower-case nan", b"[nan]", 400, "malformed-json", None),
    ("short infinity", b"[Inf]", 400, "malformed-json", None),
    ("form data", b"a=1&b=2", 400, "malformed-json", None),
    ("only closing brackets", b"]" * 100, 400, "malformed-json", None),
    # JSON with two meanings.
    ("duplicate key", b'{"a":1,"a":2}', 422, "non-ijson", "/a"),
    ("duplicate key, same value", b'{"a":1,"a":1}', 422, "non-ijson", "/a"),
    ("duplicate empty key", b'{"":1,"":2}', 422, "non-ijson", "/"),
    ("duplicate key by escape", b'{"a":1,"\\u0061":2}', 422, "non-ijson", "/a"),
    ("duplicate key, deep", b'{"x":[0,{"a/b":{"k~":1,"k~":2}}]}', 422, "non-ijson", "/x/1/a~1b/k~0"),
    ("second of two duplicates inside the first", b'{"a":{"b":1,"b":2},"c":1}', 422, "non-ijson", "/a/b"),
    ("duplicate key with a surrogate", b'{"\\ud800":1,"\\ud800":2}', 422, "non-ijson", ""),
    ("NaN", b'{"a":NaN}', 422, "non-ijson", "/a"),
    ("Infinity", b"[1,Infinity]", 422, "non-ijson", "/1"),
    ("minus Infinity", b"-Infinity", 422, "non-ijson", ""),
    ("overflow", b'{"amount":1e999}', 422, "non-ijson", "/amount"),
    ("negative overflow", b"[-1e999]", 422, "non-ijson", "/0"),
    ("400 digits and a point", b"[" + b"9" * 400 + b".5]", 422, "non-ijson", "/0"),
    ("huge exponent", b"[1e200000]", 422, "non-ijson", "/0"),
    ("exponent of thousands of digits", b"[1e" + b"9" * 5000 + b"]", 422, "non-ijson", "/0"),
    ("underflow", b"[1e-400]", 422, "non-ijson", "/0"),
    ("negative underflow", b"[-0.00001e-400]", 422, "non-ijson", "/0"),
    ("2^53", b"[9007199254740992]", 422, "non-ijson", "/0"),
    ("-2^53", b"[-9007199254740992]", 422, "non-ijson", "/0"),
    ("20 digits", b'{"id":12345678901234567890}', 422, "non-ijson", "/id"),
    ("5,000 digits", b'{"id":' + b"7" * 5000 + b"}", 422, "non-ijson", "/id"),
    ("100,000 digits, negative", b"-" + b"7" * 100_000, 422, "non-ijson", ""),
    ("2^53 as a double", b"[9007199254740992.0]", 422, "non-ijson", "/0"),
    ("2^53+1 as a double", b"[9007199254740993.0]", 422, "non-ijson", "/0"),
    ("1e20", b"[1e20]", 422, "non-ijson", "/0"),
    ("lone high surrogate", b'{"a":"\\ud800"}', 422, "non-ijson", "/a"),
    ("lone low surrogate", b'["x","\\udc00"]', 422, "non-ijson", "/1"),
    ("surrogates the wrong way round", b'["\\udc00\\ud800"]', 422, "non-ijson", "/0"),
    ("high surrogate and a letter", b'["\\ud83dx"]', 422, "non-ijson", "/0"),
    ("surrogate in a key", b'{"x":{"\\uDEAD":1}}', 422, "non-ijson", "/x"),
    ("U+0000 in a value", b'{"a":["\\u0000"]}', 422, "non-ijson", "/a/0"),
    ("U+0000 in a key", b'{"a":{"b\\u0000":1}}', 422, "non-ijson", "/a"),
    ("U+0000 as the whole body", b'"\\u0000"', 422, "non-ijson", ""),
    ("first of several faults", b'{"a":1,"b":NaN,"c":1e999}', 422, "non-ijson", "/b"),
    # Depth.
    ("33 lists", b"[" * 33 + b"]" * 33, 422, "too-deep", None),
    ("33 objects", b'{"a":' * 33 + b"1" + b"}" * 33, 422, "too-deep", None),
    ("100,000 lists", b"[" * 100_000 + b"]" * 100_000, 422, "too-deep", None),
    ("100,000 open lists", b"[" * 100_000, 422, "too-deep", None),
    ("open objects", b'{"a":' * 40_000, 422, "too-deep", None),
    ("deep after a string full of brackets", b'["]]]]",' + b"[" * 40, 422, "too-deep", None),
    ("deep after an escaped quote", b'["\\"]]]]",' + b"[" * 40, 422, "too-deep", None),
    # Size.
    ("one byte too many", b" " * 262_143 + b"10", 413, "body-too-large", None),
    ("10 MB", b"[" + b"1," * 5_000_000 + b"1]", 413, "body-too-large", None),
]

ACCEPTED: list[tuple[str, bytes, JsonValue]] = [
    ("empty object", b"{}", {}),
    ("empty list", b"[]", []),
    ("scalars", b'[null,true,false,0,"",1.5]', [None, True, False, 0, "", 1.5]),
    ("white space around", b' \r\n\t{"a" : 1 }\n', {"a": 1}),
    ("whole body a string", b'"x"', "x"),
    ("largest integer", b"[9007199254740991]", [9007199254740991]),
    ("smallest integer", b"[-9007199254740991]", [-9007199254740991]),
    ("largest integer as a double", b"[9007199254740991.0]", [9007199254740991]),
    ("20 digits in a string", b'["12345678901234567890"]', ["12345678901234567890"]),
    ("NaN in a string", b'["NaN","Infinity"]', ["NaN", "Infinity"]),
    ("large double", b"[1e300]", [1e300]),
    ("first double with an exponent", b"[1e21]", [1e21]),
    ("smallest double", b"[5e-324]", [5e-324]),
    ("zeros of all kinds", b"[0,-0,0.0,-0.0,0e5,0e-999]", [0, 0, 0, 0, 0, 0]),
    ("long fraction", b"[0." + b"1" * 5000 + b"]", [float("0." + "1" * 5000)]),
    ("surrogate pair", b'["\\ud83d\\ude00"]', ["\U0001f600"]),
    ("escaped backslash before u", b'["\\\\u0000"]', ["\\u0000"]),
    ("noncharacter", b'["\\uffff"]', ["\uffff"]),
    ("byte order mark inside a string", b'["\xef\xbb\xbf"]', ["\ufeff"]),
    ("same key in different objects", b'[{"a":1},{"b":{"a":3}}]', [{"a": 1}, {"b": {"a": 3}}]),
    ("composed, decomposed", b'{"\xc3\xa9":1,"e\xcc\x81":2}', {"\u00e9": 1, "e\u0301": 2}),
    ("keys of Object.prototype", b'{"__proto__":1,"constructor":2}', {"__proto__": 1, "constructor": 2}),
    ("brackets in a string", b'["' + b"[{" * 1000 + b'"]', ["[{" * 1000]),
    ("many shallow lists", b"[" + b"[]," * 1000 + b"[]]", [[] for _ in range(1001)]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "status", "slug", "pointer"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_a_hostile_body_is_refused_by_name_and_place(
    body: bytes, status: int, slug: str, pointer: str | None
) -> None:
    with pytest.raises(DoorError) as caught:
        parse(body)
    assert (caught.value.status, caught.value.slug, caught.value.pointer) == (status, slug, pointer)
    assert caught.value.detail


@pytest.mark.parametrize(("body", "value"), [a[1:] for a in ACCEPTED], ids=[a[0] for a in ACCEPTED])
def test_an_honest_body_comes_through(body: bytes, value: JsonValue) -> None:
    assert parse(body) == value


def test_equal_canonical_numbers_come_out_as_equal_types() -> None:
    value = parse(b"[1, 1.0, 1e0, 10e-1, -0.0, 1.5]")
    assert isinstance(value, list)
    assert [type(number) for number in value] == [int, int, int, int, int, float]


def test_depth_of_exactly_the_limit_passes() -> None:
    assert parse(b"[" * 32 + b"]" * 32) is not None
    assert parse(b"[[1]]", max_depth=2) == [[1]]
    with pytest.raises(DoorError) as caught:
        parse(b"[[[1]]]", max_depth=2)
    assert caught.value.slug == "too-deep"


def test_a_body_of_exactly_the_limit_passes() -> None:
    assert parse(b"1" + b" " * 262_143) == 1
    assert parse(b"[1]", max_bytes=3) == [1]
    with pytest.raises(DoorError) as caught:
        parse(b"[1] ", max_bytes=3)
    assert caught.value.status == 413


def test_forty_thousand_keys_are_no_trouble() -> None:
    body = json.dumps({str(number): 1 for number in range(20_000)}, separators=(",", ":")).encode()
    value = parse(body)
    assert isinstance(value, dict)
    assert len(value) == 20_000


def test_escaped_quotes_without_end_are_scanned_once() -> None:
    # A scanner that starts again at every quote would need 10^10 steps here.
    with pytest.raises(DoorError) as caught:
        parse(b"[" * 33 + b'"' + b'\\"' * 130_000)
    assert caught.value.slug == "too-deep"
    with pytest.raises(DoorError) as caught:
        parse(b'["' + b"[" * 40 + b'\\"' * 130_000)
    assert caught.value.slug == "malformed-json"


SAFE = 2**53 - 1
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
numbers = st.one_of(
    st.integers(-SAFE, SAFE),
    st.floats(allow_nan=False, allow_infinity=False).filter(lambda x: abs(x) <= SAFE or abs(x) >= 1e21),
)
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, texts),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=15,
)
# Bytes close to JSON: pieces that mean something to a parser, in any order.
near_json = st.lists(
    st.sampled_from(
        [
            b"{", b"}", b"[", b"]", b",", b":", b'"', b'"a"', b'"b"', b"\\", b"\\u0000", b"\\ud800",
            b"\\n", b"1", b"-", b"0", b"1e9", b"1e400", b".5", b"NaN", b"null", b"true", b" ", b"\n", b"\x00",
            b"\xff", b"\xc3\xa9", b"9007199254740993", b'{"a":1,"a":2}', b"\xef\xbb\xbf",
        ]
    ),
    max_size=12,
).map(b"".join)  # fmt: skip


EXPECTED_OF_SMALL_BODIES = {(400, "malformed-json"), (422, "non-ijson")}


def tried(body: bytes) -> tuple[JsonValue, DoorError | None]:
    try:
        return parse(body), None
    except DoorError as refusal:
        return None, refusal


def stdlib(body: bytes) -> Any:
    return json.loads(body.decode())


DECODERS: list[Callable[[bytes], Any]] = [orjson.loads, msgspec.json.decode, stdlib]


@given(json_values)
@example([1e21, -1e21, 5e-324, 1.7976931348623157e308])
def test_what_is_accepted_means_the_same_to_independent_decoders(value: JsonValue) -> None:
    body = json.dumps(value, ensure_ascii=False).encode()
    accepted = parse(body)
    assert accepted == value
    for decode in DECODERS:
        assert decode(body) == accepted


@given(json_values)
def test_canonical_bytes_pass_the_door_and_stay_as_they_are(value: JsonValue) -> None:
    accepted = parse(json.dumps(value).encode())
    once = canonical.canonicalize(accepted)
    again = parse(once)
    assert again == accepted
    assert repr_of_types(again) == repr_of_types(accepted)
    assert canonical.canonicalize(again) == once
    for decode in DECODERS:
        assert canonical.canonicalize(decode(once)) == once


@given(st.one_of(near_json, st.binary(max_size=40)))
@example(b"[1e400]")
@example(b'"\xed\xa0\x80"')
def test_any_bytes_at_all_end_in_a_value_or_a_named_refusal(body: bytes) -> None:
    accepted, refusal = tried(body)
    if refusal is not None:
        assert (refusal.status, refusal.slug) in EXPECTED_OF_SMALL_BODIES
        return
    for decode in DECODERS:
        assert decode(body) == accepted


@given(st.text(max_size=5), json_values, json_values)
def test_a_key_that_comes_twice_is_refused_wherever_it_stands(
    name: str, one: JsonValue, two: JsonValue
) -> None:
    key = json.dumps(name)
    body = f'[0,{{"outer":{{{key}:{json.dumps(one)},"between":0,{key}:{json.dumps(two)}}}}}]'.encode()
    with pytest.raises(DoorError) as caught:
        parse(body)
    assert caught.value.slug == "non-ijson"
    assert caught.value.pointer is not None
    assert caught.value.pointer.startswith("/1/outer")


@given(st.one_of(st.integers(min_value=SAFE + 1), st.integers(max_value=-SAFE - 1)))
def test_no_integer_beyond_the_safe_range_passes(number: int) -> None:
    with pytest.raises(DoorError) as caught:
        parse(f'{{"n":{number}}}'.encode())
    assert (caught.value.slug, caught.value.pointer) == ("non-ijson", "/n")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_double_passes_exactly_when_its_canonical_form_does(number: float) -> None:
    body = canonical.canonicalize(number)
    accepted, refusal = tried(repr(number).encode())
    if refusal is not None:
        assert tried(body)[1] is not None
        return
    assert parse(body) == accepted
    assert accepted == number


def repr_of_types(value: JsonValue) -> object:
    if isinstance(value, dict):
        return {name: repr_of_types(member) for name, member in value.items()}
    if isinstance(value, list):
        return [repr_of_types(member) for member in value]
    return type(value)

"""Redaction as pure functions: what goes, what stays, and that nothing hostile stops it."""

from __future__ import annotations

import base64
import ipaddress
import json
import string
import unicodedata
from typing import cast

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from datasets.redaction import FieldRule, Profile, Redactor, Treatment, everything
from datasets.redaction.checksums import IBAN_LENGTHS, Luhn, is_card, is_iban
from datasets.redaction.normalised import normalise
from datasets.tests.base import bulk_content
from hitl_site.lib.strict_json import JsonValue

KEY = b"the key of a version"
REDACTOR = Redactor(everything(), KEY)
Document = dict[str, JsonValue]


def text(value: str, member: str = "note") -> str:
    """Return what becomes of one text."""
    return cast(str, REDACTOR.apply({member: value}).document[member])


def kinds(value: str, member: str = "note") -> dict[str, int]:
    return dict(REDACTOR.apply({member: value}).replaced)


# --- what each detector finds -----------------------------------------------------------------------

JWT_HEADER = base64.urlsafe_b64encode(b'{"typ":"JWT","alg":"HS256"}').decode().rstrip("=")
FOUND = [
    ("email", "anna.berg@example.com"),
    ("email", "anna.berg+shop@mail.example.co.uk"),
    ("email", "анна@пример.рф"),
    ("email", "a@münchen.de"),
    ("email", '"anna berg"@example.com'),
    ("email", "ａｎｎａ＠example.com"),
    ("email", "an\u200bna@exam\u00adple.com"),
    ("email", "anna%40example.com"),
    ("email", "anna\\u0040example.com"),
    ("email", "anna&#64;example.com"),
    ("iban", "DE89370400440532013000"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "de89-3704-0044-0532-0130-00"),
    ("iban", "GB29 NWBK 6016 1331 9268 19"),
    ("iban", "NO9386011117947"),
    ("card", "4111111111111111"),
    ("card", "4111 1111 1111 1111"),
    ("card", "4111-1111-1111-1111"),
    ("card", "3782 822463 10005"),
    ("card", "４１１１１１１１１１１１１１１１"),
    ("card", "4111\u200b1111\u200b1111\u200b1111"),
    ("card", "4111_1111_1111_1111"),
    ("card", "4111/1111/1111/1111"),
    ("card", "4111 | 1111 | 1111 | 1111"),
    ("card", "4111 \u2022 1111 \u2022 1111 \u2022 1111"),
    ("card", "4111\u00b71111\u00b71111\u00b71111"),
    ("card", "4111\u20131111\u20131111\u20131111"),
    ("phone", "+49 171 1234567"),
    ("phone", "+1 (415) 555-2671"),
    ("phone", "0049 171 1234567"),
    ("phone", "0171-1234567"),
    ("phone", "030 123456"),
    ("phone", "01711234567"),
    ("phone", "(415) 555-2671"),
    ("ip", "203.0.113.77"),
    ("ip", "2001:db8::8a2e:370:7334"),
    ("ip", "::ffff:203.0.113.77"),
    ("secret", "hr_live_0a1b2c3d_" + "x" * 43 + "_abcdef"),
    ("secret", "sk-proj-abcdefghijklmnop1234"),
    ("secret", "ghp_0123456789abcdefghijABCDEFGHIJ012345"),
    ("secret", "AKIAIOSFODNN7EXAMPLE"),
    ("secret", "xoxb-123456789012-abcdefghijkl"),
    ("secret", f"{JWT_HEADER}.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"),
    ("secret", "-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY-----"),
]


@pytest.mark.parametrize(("kind", "value"), FOUND)
def test_a_detector_finds_its_kind_alone_and_in_a_sentence(kind: str, value: str) -> None:
    token = text(value)

    assert token.startswith(f"⟨{kind}:")
    assert token.endswith("⟩")
    assert text(f"Please use {value}, thank you") == f"Please use {token}, thank you"
    assert kinds(f"({value})") == {kind: 1}


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ("https://anna:hunter2@db.example.com/x", "https://{}@db.example.com/x"),
        ("postgres://app:pa/ss@db:5432/main", "postgres://{}@db:5432/main"),
        ("Authorization: Bearer 8f3k2mZq0Lw7Xr5TtY1u", "Authorization: Bearer {}"),
        ("password: hunter2", "password: {}"),
        ("the password=hunter", "the password={}"),
        ("api_key='8f3k2mZq0Lw7Xr5TtY1u'", "api_key='{}'"),
        ("call 5551234 today", "call {} today"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEv, cut off", "{}"),
    ],
)
def test_only_the_secret_part_goes(value: str, left: str) -> None:
    before, _, after = left.partition("{}")
    redacted = text(value)

    assert redacted.startswith(f"{before}⟨")
    assert redacted.endswith(f"⟩{after}")


@pytest.mark.parametrize(
    "value",
    [
        "sha256:" + "4111111111111111" * 4,
        "act_0198c6e2f7b17c3e9d2a4b5c6d7e8f90",
        "0198c6e2-f7b1-7c3e-9d2a-4b5c6d7e8f90",
        "2026-11-22T17:48:13.123456Z",
        "2026-11-22",
        "on 22.11.2026 at 17:48:13",
        "order 0171-1234567",
        "Order no. 01711234567",
        "SO-0171234567",
        "invoice #415-555-2671",
        "4111 1111 1111 1112",
        "41/11/11/11/11/11/11/11",
        "DE88 3704 0044 0532 0130 00",
        "score 0.4111111111111111",
        "version 1.2.3.4",
        "1.2.3.4.5",
        "std::string, Foo::Bar",
        "risk-assessment-department-of-finance",
        "Password: required.",
        "the bearer of this letter",
        "eyJhbGciOiJI.not.atoken",
        "3 @ 4 EUR",
        "https://example.com/orders/184?page=2",
        "184.00 EUR, 12 pieces, 2 x 3",
        "1700000000000000",
        "",
    ],
)
def test_what_only_looks_like_it_stays(value: str) -> None:
    assert text(value) == value
    assert kinds(value) == {}


def test_the_name_of_a_member_says_what_its_value_is() -> None:
    redacted = REDACTOR.apply(
        {
            "phone": 491711234567,
            "mobile_number": "555 1234",
            "order_id": "0171-123456",
            "client_secret": "correct horse",
            "api-key": "abc",
            "password_hint": "the dog",
            "access_token": "act_0198c6e2f7b17c3e9d2a4b5c6d7e8f90",
            "tokens": 812,
        }
    ).document

    assert str(redacted["phone"]).startswith("⟨phone:")
    assert str(redacted["mobile_number"]).startswith("⟨phone:")
    assert redacted["order_id"] == "0171-123456"
    assert str(redacted["client_secret"]).startswith("⟨secret:")
    assert str(redacted["api-key"]).startswith("⟨secret:")
    assert redacted["password_hint"] == "the dog"
    assert redacted["access_token"] == "act_0198c6e2f7b17c3e9d2a4b5c6d7e8f90"
    assert redacted["tokens"] == 812


def test_a_whole_number_that_is_a_card_is_replaced_and_other_numbers_are_not() -> None:
    redacted = REDACTOR.apply(
        {"pan": 4111111111111111, "n": 4111111111111112, "x": 1.5, "t": True, "z": None}
    )

    assert redacted.document == {
        "pan": text("4111 1111 1111 1111"),
        "n": 4111111111111112,
        "x": 1.5,
        "t": True,
        "z": None,
    }
    assert redacted.replaced == {"card": 1}


# --- pseudonyms -------------------------------------------------------------------------------------


def test_one_value_has_one_token_however_it_is_written() -> None:
    assert text("Anna@Example.com") == text("anna@example.com") == text("an\u200bna@example.com")
    assert text("DE89 3704 0044 0532 0130 00") == text("de89370400440532013000")
    assert text("+49 171 1234567") == text("0049-171-1234567") == text("+49171/1234567")
    assert text("2001:db8:0:0:0:0:0:1") == text("2001:DB8::1")


@pytest.mark.parametrize(
    "written",
    [
        "anna%2540example.com",
        "anna%25252540example.com",
        "anna&amp;#64;example.com",
        "anna&amp;amp;commat;example.com",
        "anna&#64example.com",
        r"anna\\u0040example.com",
        r"anna\\\\u0040example.com",
        r"anna\x40example.com",
        "anna%26%2364%3Bexample.com",
    ],
)
def test_an_at_sign_that_is_escaped_several_times_hides_nothing(written: str) -> None:
    assert text(written) == text("anna@example.com")
    assert text(f"write to {written} today") == f"write to {text('anna@example.com')} today"


@pytest.mark.parametrize("mark", ["\u0332", "\u20e3", "\u0301", "\u0e34"])
def test_combining_marks_hide_no_number(mark: str) -> None:
    iban, card = "DE89370400440532013000", "4111111111111111"
    for place in range(1, len(iban)):
        assert text(iban[:place] + mark + iban[place:]) == text(iban)
    assert text(mark.join(card)) == text(card)
    assert text(f"Zoe\u0308 pays to {iban[:9]}{mark}{iban[9:]}") == f"Zoe\u0308 pays to {text(iban)}"
    assert text(f"Zoe\u0308 {mark} has no number") == f"Zoe\u0308 {mark} has no number"


def test_other_values_other_kinds_and_other_keys_have_other_tokens() -> None:
    tokens = {text("a@example.com"), text("b@example.com"), text("203.0.113.7"), text("4111111111111111")}
    other = Redactor(everything(), b"the key of another version").apply({"note": "a@example.com"})

    assert len(tokens) == 4
    assert other.document["note"] not in tokens
    assert "example" not in str(other.document["note"])


def test_what_looks_like_a_token_hides_nothing() -> None:
    assert "4111" not in text("⟨email:4111111111111111⟩")
    assert "anna" not in text("⟨email:anna@example.com⟩")


# --- where it looks ---------------------------------------------------------------------------------


def test_names_are_redacted_and_none_is_lost() -> None:
    redacted = REDACTOR.apply({"a@example.com": 1, "A@example.com": 2, "other": 3})

    token = text("a@example.com")
    assert redacted.document == {token: 1, f"{token}#2": 2, "other": 3}
    assert REDACTOR.apply(redacted.document).document == redacted.document


def test_json_in_a_text_is_read_and_written_again() -> None:
    inner = json.dumps(
        {"to": "a@example.com", "pan": 4111111111111111, "deep": json.dumps(["b@example.com"])}
    )

    redacted = json.loads(text(f" {inner}"))

    assert redacted == {
        "to": text("a@example.com"),
        "pan": text("4111111111111111"),
        "deep": json.dumps([text("b@example.com")], ensure_ascii=False),
    }
    assert text('{"b": 1,  "a": [1.50]}') == '{"b": 1,  "a": [1.50]}'


def test_an_escaped_or_repeated_member_of_json_in_a_text_does_not_slip_through() -> None:
    assert "example" not in text('{"to": "a\\u0040example.com"}')
    assert "example" not in text('{"to": "a@example.com", "to": "none"}')


# --- whole cases and rules --------------------------------------------------------------------------


def profile(*rules: FieldRule, detectors: bool = True) -> Profile:
    return Profile(detectors=everything().detectors if detectors else frozenset(), rules=rules)


def case(**arguments: JsonValue) -> Document:
    """Return a corrected case: the amount was too high; the person has a name."""
    content = cast(Document, bulk_content(1))
    proposed: Document = {"name": "Anna Berg", "born": "1984-05-17", "amount": 184.0, **arguments}
    truth: Document = {**proposed, "amount": 12.5, "name": "Anna Bergmann"}
    content["proposal"] = {**cast(Document, content["proposal"]), "arguments": proposed}
    content["truth"] = {"should_act": True, "arguments": truth}
    content["patch"] = [
        {"op": "replace", "path": "/amount", "value": 12.5},
        {"op": "replace", "path": "/name", "value": "Anna Bergmann"},
    ]
    content["differences"] = [
        {"pointer": "/amount", "kind": "wrong_value", "before": 184.0, "after": 12.5},
        {"pointer": "/name", "kind": "wrong_value", "before": "Anna Berg", "after": "Anna Bergmann"},
    ]
    content["changed_fields"] = ["/amount", "/name"]
    content["input"] = {"context": {}, "reason": "", "samples": [proposed, {"arguments": proposed}]}
    content["group"] = "subject:Anna Berg"
    content["later"] = {
        "outcome": None,
        "ground_truth": [{"arguments": truth, "detail": {"who": "Anna Bergmann"}}],
        "revisions": [{"number": 0, "arguments": truth, "note": "Anna Bergmann wrote"}],
        "tags": [],
        "disputed": False,
    }
    return content


def test_a_clean_case_comes_back_equal() -> None:
    content = cast(Document, bulk_content(1))
    redacted = REDACTOR.apply(content)

    assert redacted.document == content
    assert redacted.replaced == {}


@pytest.mark.parametrize("treatment", [Treatment.MASK, Treatment.PSEUDONYM, Treatment.DROP])
def test_a_rule_on_arguments_reaches_every_copy(treatment: Treatment) -> None:
    rules = profile(
        FieldRule("/arguments/name", treatment),
        FieldRule("/later/ground_truth/*/detail/who", treatment),
        FieldRule("/later/revisions/*/note", Treatment.MASK),
    )
    original = case()
    redactor = Redactor(rules, KEY)

    redacted = redactor.apply(original).document

    assert "Anna" not in json.dumps(redacted)
    assert "Anna" in json.dumps(original)
    assert redactor.apply(redacted).document == redacted
    assert cast(Document, cast(Document, redacted["truth"])["arguments"])["amount"] == 12.5
    paths = [cast(Document, change)["path"] for change in cast(list[JsonValue], redacted["patch"])]
    assert paths == (["/amount"] if treatment == Treatment.DROP else ["/amount", "/name"])
    assert redacted["changed_fields"] == paths


def test_a_pseudonym_of_a_field_joins_what_belongs_together() -> None:
    redacted = (
        Redactor(profile(FieldRule("/arguments/name", Treatment.PSEUDONYM)), KEY).apply(case()).document
    )

    proposed = cast(Document, cast(Document, redacted["proposal"])["arguments"])
    differences = cast(list[Document], redacted["differences"])
    assert str(proposed["name"]).startswith("⟨value:")
    assert differences[1]["before"] == proposed["name"]
    assert differences[1]["after"] != proposed["name"]
    assert str(redacted["group"]).startswith("⟨value:")


def test_a_change_around_a_field_is_redacted_inside() -> None:
    content = case()
    content["patch"] = [{"op": "replace", "path": "", "value": {"name": "Anna Berg", "amount": 1}}]
    content["differences"] = [
        {"pointer": "", "kind": "missing", "before": None, "after": {"name": "Anna Berg"}}
    ]
    rules = profile(FieldRule("/arguments/name", Treatment.MASK), detectors=False)

    redacted = Redactor(rules, KEY).apply(content).document

    assert redacted["patch"] == [{"op": "replace", "path": "", "value": {"name": "⟨masked⟩", "amount": 1}}]
    assert cast(list[Document], redacted["differences"])[0]["after"] == {"name": "⟨masked⟩"}


def test_a_date_becomes_a_month_or_a_year_and_what_is_no_date_is_masked() -> None:
    rules = profile(
        FieldRule("/arguments/born", Treatment.YEAR),
        FieldRule("/arguments/since", Treatment.MONTH),
        FieldRule("/arguments/when", Treatment.YEAR),
        FieldRule("/arguments/stamp", Treatment.YEAR),
    )
    redacted = Redactor(rules, KEY).apply(case(since="2026-11-22T17:48:13Z", when="in May", stamp=1763826493))

    proposed = cast(Document, cast(Document, redacted.document["proposal"])["arguments"])
    assert proposed["born"] == "1984"
    assert proposed["since"] == "2026-11"
    assert proposed["when"] == "⟨masked⟩"
    assert proposed["stamp"] is None


def test_what_is_to_be_kept_is_not_looked_at() -> None:
    rules = profile(
        FieldRule("/arguments/order", Treatment.KEEP),
        FieldRule("/arguments/lines/*/sku", Treatment.KEEP),
        FieldRule("/arguments/order/name", Treatment.MASK),
    )
    order: Document = {"phone": "0171-1234567", "name": "Anna"}
    lines: JsonValue = [{"sku": "4111111111111111", "to": "a@example.com"}]

    redacted = Redactor(rules, KEY).apply(case(order=order, lines=lines)).document

    proposed = cast(Document, cast(Document, redacted["proposal"])["arguments"])
    assert proposed["order"] == {"phone": "0171-1234567", "name": "⟨masked⟩"}
    assert proposed["lines"] == [{"sku": "4111111111111111", "to": text("a@example.com")}]


def test_a_rule_holds_for_its_action_types_alone_and_of_two_the_first_one_counts() -> None:
    rules = profile(
        FieldRule("/arguments/name", Treatment.MASK, ("parcel.send",)),
        FieldRule("/arguments/*", Treatment.KEEP, ("refund.issue",)),
        FieldRule("/arguments/name", Treatment.PSEUDONYM),
    )
    redacted = Redactor(rules, KEY).apply(case()).document

    assert cast(Document, cast(Document, redacted["proposal"])["arguments"])["name"] == "Anna Berg"


# --- nothing stops it, nothing survives -------------------------------------------------------------


@pytest.mark.parametrize(
    "hostile",
    [
        "a" * 50_000,
        "@" * 50_000,
        "a@" * 25_000,
        "1 " * 25_000,
        "+1" * 25_000,
        "0" * 50_000,
        "4111 " * 10_000,
        ":" * 50_000,
        "1:" * 25_000,
        "://" * 17_000,
        "ey" * 25_000,
        "eyJ." * 12_000,
        "[" * 50_000,
        '{"a":' * 10_000,
        "token=" * 7_000,
        "-----BEGIN " * 5_000,
        "DE89" * 12_000,
        "%40" * 15_000,
        "%25" * 17_000 + "40",
        "&amp;" * 10_000,
        "\\" * 50_000,
        "1\u0332" * 25_000,
        "\u200b" * 50_000,
        "\ud800a@b.com",
        "⟨" * 25_000,
        "a@b.co " * 5_000,
        "1.1.1.1" * 7_000,
    ],
    ids=lambda value: ascii(value[:8]),
)
def test_a_hostile_text_is_redacted_like_any_other(hostile: str) -> None:
    redacted = text(hostile)

    assert text(redacted) == redacted
    assert "b.co" not in redacted


def test_what_is_nested_beyond_reading_is_replaced_whole() -> None:
    document: JsonValue = "a@example.com"
    for _ in range(200):
        document = [document]

    redacted = REDACTOR.apply({"deep": document})

    assert "example" not in json.dumps(redacted.document)
    assert redacted.replaced == {"mask": 1}


def _with_luhn(digits: str) -> str:
    return next(digits + last for last in string.digits if Luhn(digits + last).holds(0, len(digits) + 1))


def _iban(country: str, digits: str) -> str:
    body = digits[: IBAN_LENGTHS[country] - 4]
    rest = int("".join(str(int(character, 36)) for character in f"{body}{country}00")) % 97
    return f"{country}{98 - rest:02}{body}"


LETTERS = string.ascii_letters + string.digits
KEYS = st.text(alphabet=LETTERS, min_size=36, max_size=48)
VALUES = st.one_of(
    st.emails(domains=st.from_regex(r"[a-z]{2,12}\.(com|de|org)", fullmatch=True)).filter(
        lambda value: not set(value) & set("/=?#&'`{|}*.")
    ),
    st.from_regex(
        r"[a-zäöüя]{1,12}(\.[a-z]{1,8})?(\+[a-z0-9]{1,5})?@[a-zäöя]{2,10}\.(com|рф)", fullmatch=True
    ),
    st.builds(
        lambda first, rest: _with_luhn(first + rest),
        st.sampled_from(["4", "51", "6011", "2223"]),
        st.text(string.digits, min_size=14, max_size=14),
    )
    .map(lambda digits: _with_luhn(digits[:15]))
    .filter(is_card),
    st.builds(
        _iban,
        st.sampled_from(["DE", "GB", "FR", "NO", "CH", "MT"]),
        st.text(string.digits, min_size=40, max_size=40),
    ),
    st.from_regex(r"\+49 ?1[0-9]{2} ?[0-9]{7,8}", fullmatch=True),
    st.builds(str, st.ip_addresses(v=4)),
    st.builds(str, st.ip_addresses(v=6)).filter(lambda value: len(value) > 5),
    KEYS.map("hr_live_".__add__),
    KEYS.map("ghp_".__add__),
    KEYS.map("xoxb-".__add__),
    st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=16).map("AKIA".__add__),
    KEYS.map(lambda body: f"{JWT_HEADER}.{body}.{body}"),
)
WORDS = st.text(alphabet=string.ascii_lowercase + " ,;()<>|\n", max_size=30).filter(
    lambda words: "pass" not in words
)
HIDDEN = st.sampled_from(["", "\u200b", "\u00ad", "\u2060"])


@st.composite
def embedded(draw: st.DrawFn) -> tuple[str, str]:
    """Return a value, and a text with it somewhere, perhaps split by a character that nobody sees."""
    value = draw(VALUES)
    cut = draw(st.integers(0, len(value)))
    written = value[:cut] + draw(HIDDEN) + value[cut:]
    return value, f"{draw(WORDS)} {written} {draw(WORDS)}"


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, Document]:
    """Return a value, and a document that has it as a name, in a value, or in JSON in a text."""
    value, written = draw(embedded())
    places: list[JsonValue] = [
        written,
        {written: 1},
        [written],
        json.dumps({"inner": written}),
        json.dumps([{written: [written]}], ensure_ascii=False),
        {"messages": [{"role": "user", "content": f"{written}\n{written}"}]},
    ]
    document = draw(st.sampled_from(places))
    for name in draw(st.lists(st.sampled_from(["a", "b", "list"]), max_size=4)):
        document = [document] if name == "list" else {name: document}
    return value, {"content": document}


def _shown(document: Document) -> str:
    shown = normalise(json.dumps(document, ensure_ascii=False)).text
    return unicodedata.normalize("NFKC", shown).casefold()


@given(documents())
@settings(max_examples=150, deadline=None)
def test_no_original_survives_anywhere(drawn: tuple[str, Document]) -> None:
    value, document = drawn

    redacted = REDACTOR.apply(document)

    shown = _shown(redacted.document)
    assert unicodedata.normalize("NFKC", value).casefold() not in shown
    assert sum(redacted.replaced.values()) >= 1
    assert REDACTOR.apply(redacted.document).document == redacted.document
    assert json.loads(json.dumps(redacted.document)) == redacted.document


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
@example({"": '"'})
@example(
    {"format": "handrail.case/2", "patch": [1, {"path": 3}], "differences": [{}], "changed_fields": [None]}
)
@example({"format": "handrail.case/2", "action": [], "group": 4})
@settings(max_examples=100, deadline=None)
def test_any_document_is_redacted_once_and_for_all(document: Document) -> None:
    redactor = Redactor(profile(FieldRule("/arguments/*", Treatment.MASK)), KEY)

    once = redactor.apply(document)

    assert redactor.apply(once.document) == type(once)(once.document, {})
    assert Redactor(redactor.profile, KEY).apply(document) == once


@given(st.text(alphabet='a@.:/-+ 0149⟨⟩{}[]",eyJsk=%\\u\u200bDE', max_size=80))
@settings(max_examples=200, deadline=None)
def test_a_text_of_the_worst_characters_is_redacted_once_and_for_all(hostile: str) -> None:
    once = text(hostile)

    assert text(once) == once


# --- check digits -----------------------------------------------------------------------------------


@given(st.text(string.digits, min_size=2, max_size=40), st.data())
def test_luhn_of_a_stretch_is_luhn_of_the_stretch_alone(digits: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(digits) - 2))
    end = data.draw(st.integers(start + 2, len(digits)))
    doubled = 0
    for place, digit in enumerate(reversed(digits[start:end])):
        number = int(digit) * (2 if place % 2 else 1)
        doubled += number - 9 if number > 9 else number

    assert Luhn(digits).holds(start, end) == (doubled % 10 == 0)


@given(st.text(string.digits, min_size=40, max_size=40), st.sampled_from(sorted(IBAN_LENGTHS)))
def test_an_iban_with_another_digit_is_none(digits: str, country: str) -> None:
    iban = _iban(country, digits)
    last = str((int(iban[-1]) + 1) % 10)

    assert is_iban(iban)
    assert not is_iban(iban[:-1] + last)
    assert not is_iban(iban + "0")


@given(st.ip_addresses(v=6))
def test_an_address_has_one_token_however_it_is_written(address: ipaddress.IPv6Address) -> None:
    assert text(f"at {address} ") == text(f"at {address.exploded} ") or len(str(address)) < 4

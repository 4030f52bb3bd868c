"""Signed notes: the ones of the world are understood, ours are theirs, and nothing altered passes."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from hitl_site.lib.signed_note import (
    Checkpoint,
    InvalidKey,
    InvalidNote,
    SigningKey,
    VerifierKey,
    parse_all,
    sign,
)

KEY = SigningKey("example.com/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
HASH = "ab" * 32
TEXT = Checkpoint("example.com/log", 15, HASH).text

# The example of Go's golang.org/x/mod/sumdb/note, whose format this is.
PETER_KEY = VerifierKey.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
PETER_TEXT = (
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
)
PETER_SIGNED = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZ"
    "SNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)


def test_a_note_of_another_implementation_is_understood() -> None:
    (note,) = parse_all(f"{PETER_TEXT}\n{PETER_SIGNED}")
    assert note.text == PETER_TEXT
    assert note.is_signed_by(PETER_KEY)
    assert PETER_KEY.id.hex() == "c74f20a3"


def test_a_checkpoint_is_three_lines_and_its_signature() -> None:
    note = sign(TEXT, KEY)
    assert note.split("\n")[:4] == [
        "example.com/log",
        "15",
        base64.b64encode(bytes.fromhex(HASH)).decode(),
        "",
    ]
    (read,) = parse_all(note)
    assert Checkpoint.parse(read.text) == Checkpoint("example.com/log", 15, HASH)
    assert read.is_signed_by(VerifierKey.parse(KEY.verifier.text))


def test_an_altered_text_is_not_genuine() -> None:
    (note,) = parse_all(sign(TEXT, KEY).replace("\n15\n", "\n14\n"))
    with pytest.raises(InvalidNote, match="does not hold"):
        note.is_signed_by(KEY.verifier)


def test_another_key_of_the_same_name_signed_nothing() -> None:
    (note,) = parse_all(sign(TEXT, KEY))
    assert not note.is_signed_by(VerifierKey(KEY.name, bytes(32)))


def test_notes_of_a_file_are_read_past_a_write_that_was_cut_off() -> None:
    first, second = sign(TEXT, KEY), sign(Checkpoint("example.com/log", 16, HASH).text, KEY)
    for cut in range(1, len(first)):
        found = [Checkpoint.parse(note.text).size for note in parse_all(f"{first[:-cut]}\n\n{second}")]
        assert found[-1] == 16
        assert len(found) <= 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name",
        "name+00+AA==",
        "na me+00+AA==",
        f"{PETER_KEY.text}x",
        PETER_KEY.text.replace("c74f", "c74e"),
        "a+b+c",
    ],
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        VerifierKey.parse(text)


@pytest.mark.parametrize(
    "text", ["", "a\n", "a\n1\n", "a\n01\nAA==\n", "a\n-1\nAA==\n", "a\n1\n!\n", "\n1\nAA==\n"]
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(InvalidNote):
        Checkpoint.parse(text)


@given(st.text())
def test_any_file_can_be_read(text: str) -> None:
    for note in parse_all(text):
        assert note.signatures


@given(st.lists(st.tuples(st.integers(0, 10**18), st.binary(min_size=32, max_size=32)), max_size=4))
def test_what_was_signed_is_read_again(given_: list[tuple[int, bytes]]) -> None:
    wanted = [Checkpoint("example.com/log", size, digest.hex()) for size, digest in given_]
    notes = list(parse_all("".join(f"\n{sign(each.text, KEY)}" for each in wanted)))
    assert [Checkpoint.parse(note.text) for note in notes] == wanted
    assert all(note.is_signed_by(KEY.verifier) for note in notes)

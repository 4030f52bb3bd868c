"""What makes two submissions the same one: the canonical bytes of everything that they say."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hitl_site.lib import strict_json
from hitl_site.lib.canonical import NotCanonical, canonicalize
from reviews.adapters import submission as wire

PLAIN = {
    "action_type": "refund.issue",
    "agent_version": "1",
    "arguments": {"amount": 12.5},
    "confidence": None,
    "context": None,
    "conversation_id": "",
    "dry_run": False,
    "environment": "production",
    "judge": None,
    "mode": "gated",
    "outcome": None,
    "parent_action_id": "",
    "reason": "",
    "samples": None,
    "subject": None,
    "timeout": None,
}


def read_back(said: Mapping[str, object]) -> object:
    return json.loads(wire.canonical(wire.read(said)))


def test_every_field_is_in_it_said_or_not() -> None:
    said = {"action_type": "refund.issue", "arguments": {"amount": 12.5}, "agent_version": "1"}

    assert read_back(said) == PLAIN
    assert wire.canonical(wire.read(PLAIN)) == wire.canonical(wire.read(said))
    # A line of a batch says the same; its key is no part of what it says.
    line = wire.read_line({**said, "idempotency_key": "k"})
    assert wire.canonical(line) == wire.canonical(wire.read(said))


def test_a_judge_is_in_it_whole() -> None:
    said = {**PLAIN, "judge": {"name": "second", "score": 0.25}}
    assert read_back(said) == {
        **PLAIN,
        "judge": {"name": "second", "score": 0.25, "rationale": None},
    }


def test_a_version_with_nothing_behind_its_label_is_its_label() -> None:
    assert read_back({**PLAIN, "agent_version": {"label": "1"}}) == PLAIN


def test_a_version_with_parts_is_all_of_them() -> None:
    digest = "ab" * 32
    assert read_back({**PLAIN, "agent_version": {"label": "1", "prompt_sha256": digest}}) == {
        **PLAIN,
        "agent_version": {"label": "1", "model": "", "prompt_sha256": digest, "tools_sha256": ""},
    }


@pytest.mark.parametrize("member", ["arguments", "context", "outcome"])
def test_what_is_no_number_has_no_identity(member: str) -> None:
    with pytest.raises(NotCanonical):
        wire.read({**PLAIN, "mode": "observed", member: {"amount": float("nan")}})


def test_a_confidence_that_is_no_number_is_refused() -> None:
    with pytest.raises(wire.InvalidSubmission):
        wire.read({**PLAIN, "confidence": float("nan")})


_NUMBERS = st.one_of(
    st.integers(-(2**53) + 1, 2**53 - 1).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.builds("{}{}e{}".format, st.sampled_from(["", "-"]), st.integers(1, 99), st.integers(-330, 320)),
)
_TEXTS = st.text(max_size=20).map(lambda text: json.dumps(text, ensure_ascii=False))


@given(st.lists(st.one_of(_NUMBERS, _TEXTS, _TEXTS.map(lambda text: f"{{{text}:null}}")), max_size=20))
def test_canonical_form_is_at_most_four_times_as_long(parts: list[str]) -> None:
    raw = f"[{','.join(parts)}]".encode("utf-8", "surrogatepass")
    try:
        value = strict_json.parse(raw)
    except strict_json.DoorError:
        return
    assert len(canonicalize(value)) <= 4 * len(raw)


@pytest.mark.parametrize("size", [None, 70_000])
def test_a_part_over_its_limit_is_refused_whatever_is_known_of_the_body(size: int | None) -> None:
    said = {**PLAIN, "arguments": {"text": "x" * wire.ARGUMENTS_LIMIT}}
    with pytest.raises(wire.InvalidSubmission) as refused:
        wire.read(said, size=size)
    assert [(each.pointer, each.code) for each in refused.value.complaints] == [("/arguments", "too_large")]


def test_arguments_over_their_limit_are_refused_in_a_body_of_any_size() -> None:
    # 9e15 becomes 9000000000000000: as much as anything grows.
    numbers = ",".join(["9e15"] * (wire.ARGUMENTS_LIMIT // 17 + 1))
    raw = f'{{"action_type": "refund.issue", "arguments": {{"numbers": [{numbers}]}}}}'.encode()
    assert len(raw) < wire.ARGUMENTS_LIMIT // 3
    with pytest.raises(wire.InvalidSubmission):
        wire.read(strict_json.parse(raw), size=len(raw))

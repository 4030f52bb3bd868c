"""What the agent did, out of whatever context it sent; and the secrets in it."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from hitl_site.lib.strict_json import JsonValue
from reviews.selectors.masking import COVER, mask, mask_text
from reviews.selectors.timeline import Step, timeline

END = Step("hand", "Proposed this", kind="stop", stop=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 10**16) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["messages", "steps", "role", "content", "tool_calls", "name", "at", "tool", "input"]
            )
            | st.text(max_size=6),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def test_a_tools_answer_stands_with_the_call_that_it_answers() -> None:
    steps = timeline(
        {
            "messages": [
                {"role": "user", "content": "Where is my lamp?"},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [
                        {"id": "1", "function": {"name": "get_order", "arguments": '{"order": "SO-1"}'}},
                        {"id": "2", "function": {"name": "get_user", "arguments": "{}"}},
                    ],
                },
                {"role": "tool", "tool_call_id": "2", "content": "Ana"},
                {"role": "tool", "tool_call_id": "1", "content": '{"paid": 148}'},
            ]
        },
        end=END,
    ).steps

    assert [(step.title, step.observation) for step in steps] == [
        ("The user wrote", ""),
        ("Called get_user", "Ana"),
        ("Called get_order", "paid  148"),
        ("Proposed this", ""),
    ]
    assert steps[2].arguments == "order  SO-1"


def test_a_long_run_begins_with_the_steps_that_matter() -> None:
    messages: list[JsonValue] = [{"role": "user", "content": f"message {n}"} for n in range(9)]
    shown = timeline({"messages": messages}, end=END)

    assert shown.folded
    assert len(shown.steps) == 10
    assert [step.text for step in shown.short] == ["message 8", ""]


@given(JSON)
def test_any_context_becomes_steps_and_ends_with_the_proposal(context: object) -> None:
    shown = timeline(context, end=END)  # type: ignore[arg-type]  # JSON of any form
    assert shown.steps[-1] == replace(END, number=len(shown.steps))
    assert set(shown.short) <= set(shown.steps)


def test_secrets_are_covered_by_their_names_and_cards_by_their_form() -> None:
    covered = mask(
        {
            "password": "hunter22",
            "apiToken": "abc",
            "card_number": "4111 1111 1111 1111",
            "note": "card 4111111111111111, order 1234567890123",
            "payment_method_id": "credit_card_7455506",
            "credit_card_7455506": {"last_four": "4127"},
            "tokens_used": 12,
            "credentials": {"user": "anna", "values": ["k1", {"name": "k2"}]},
        }
    )

    assert covered == {
        "password": COVER,
        "apiToken": COVER,
        "card_number": f"{COVER} 1111",
        "note": f"card {COVER} 1111, order 1234567890123",
        "payment_method_id": "credit_card_7455506",
        "credit_card_7455506": {"last_four": "4127"},
        "tokens_used": 12,
        "credentials": {"user": COVER, "values": [COVER, {"name": COVER}]},
    }
    assert mask_text("Authorization: Bearer abcdefgh, ok") == f"Authorization: Bearer {COVER}, ok"

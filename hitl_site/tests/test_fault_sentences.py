"""What is wrong with a field is said in words of JSON, whichever way pydantic puts it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from hitl_site.lib.fault_sentences import sentence


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(BaseModel):
    model_config = ConfigDict(strict=True)
    x: int = 0


class Form(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    name: Annotated[str, Field(min_length=2, max_length=5, pattern="^[a-z]*$")] = "ab"
    share: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 0.0
    whole: int = 0
    flag: bool = False
    mode: Literal["gated", "observed"] = "gated"
    inner: Inner | None = None
    members: dict[str, JsonValue] = Field(default_factory=dict)
    entries: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    colour: Annotated[Colour, Field(strict=False)] = Colour.RED


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("name", 5, "This must be a text."),
        ("name", "a", "This must have at least 2 characters."),
        ("name", "abcdef", "This must have at most 5 characters."),
        ("name", "A-Z", "This must match ^[a-z]*$."),
        ("share", "0.8", "This must be a number."),
        ("share", 87, "This must be 1 or less."),
        ("share", -1, "This must be 0 or more."),
        ("share", float("inf"), "This must be a number that is finite."),
        ("whole", "1", "This must be a whole number."),
        ("flag", "yes", "This must be true or false."),
        ("mode", "async", "This must be 'gated' or 'observed'."),
        ("colour", "green", "This must be 'red' or 'blue'."),
        ("inner", 0.8, "This must be a JSON object."),
        ("members", [], "This must be a JSON object."),
        ("entries", {}, "This must be a JSON array."),
        ("entries", [], "This must have at least 1 entries."),
        ("entries", [1, 2, 3], "This must have at most 2 entries."),
        ("unknown", 1, "This field is not known."),
    ],
)
def test_a_fault_is_said_in_words_of_json(field: str, value: object, said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Form.model_validate({field: value})
    (fault,) = caught.value.errors()
    assert sentence(fault["type"], fault["msg"], fault.get("ctx")) == said


def test_what_has_no_sentence_of_its_own_is_said_as_it_came() -> None:
    assert sentence("odd", "Something else") == "Something else."
    assert sentence("less_than_equal", "Input should be less", {}) == "Input should be less."

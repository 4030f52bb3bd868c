"""What a grader says, ``handrail.grader/1``: a rule for each field that is not to be compared exactly.

``fields`` names places in the arguments (RFC 6901); the most specific rule wins. ``others`` says what becomes
of what no rule names: compared exactly, or ignored. ``schema`` asks the arguments as a whole to fit as well.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    ValidationError,
    field_validator,
)

from reviews.schema_form.validation import schema_problem

FORMAT: Final = "handrail.grader/1"
MOST_FIELDS: Final = 200

Step = Literal["trim", "casefold", "nfc", "number"]
Pointer = Annotated[str, StringConstraints(pattern=re.compile(r"^(/([^~/]|~[01])*)*$"), max_length=500)]
Bound = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class InvalidGrader(ValueError):
    """The document is no grader; the text says where and why."""


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Rule(_Strict):
    pointer: Pointer


class Exact(_Rule):
    """The same JSON value, after ``normalise``."""

    compare: Literal["exact"]
    normalise: list[Step] = []


class Number(_Rule):
    """Two numbers no further apart than ``absolute``, or than ``relative`` of the right one."""

    compare: Literal["number"]
    absolute: Bound = 0.0
    relative: Bound = 0.0
    normalise: list[Step] = []


class Similar(_Rule):
    """Two texts that are alike: Dice's coefficient of their trigrams is ``threshold`` or more."""

    compare: Literal["similar"]
    threshold: Annotated[float, Field(gt=0, le=1)]
    normalise: list[Step] = []


class Members(_Rule):
    """Two lists with the same entries in any order; an entry that is there twice counts twice."""

    compare: Literal["set"]
    normalise: list[Step] = []


class Fits(_Rule):
    """A value that fits a JSON Schema (2020-12), whatever the right one was."""

    compare: Literal["schema"]
    json_schema: Annotated[dict[str, JsonValue], Field(alias="schema")]

    @field_validator("json_schema")
    @classmethod
    def _usable(cls, schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
        return _usable_schema(schema)


class Ignored(_Rule):
    """A value that does not matter."""

    compare: Literal["ignore"]


Rule = Exact | Number | Similar | Members | Fits | Ignored


class GraderDocument(_Strict):
    """How the answers of one action type are judged."""

    format: Literal["handrail.grader/1"] = FORMAT
    fields: Annotated[
        list[Annotated[Rule, Field(discriminator="compare")]], Field(max_length=MOST_FIELDS)
    ] = []
    others: Literal["exact", "ignore"] = "exact"
    json_schema: Annotated[dict[str, JsonValue] | None, Field(alias="schema")] = None

    @field_validator("fields")
    @classmethod
    def _one_rule_a_place(cls, fields: list[Rule]) -> list[Rule]:
        places = [rule.pointer for rule in fields]
        for place in places:
            if places.count(place) > 1:
                raise ValueError(f"two rules name {place or 'the whole'}")
        return fields

    @field_validator("json_schema")
    @classmethod
    def _usable(cls, schema: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        return None if schema is None else _usable_schema(schema)

    def document(self) -> dict[str, Any]:
        """Return the JSON form: ``from_document`` reads it back as an equal grader."""
        return self.model_dump(by_alias=True)


# Without a document of its own an action type's answers are compared exactly.
DEFAULT: Final = GraderDocument()


def from_document(document: object) -> GraderDocument:
    """Return the grader that a document describes. Raises ``InvalidGrader``."""
    try:
        return GraderDocument.model_validate(document)
    except (ValidationError, RecursionError) as error:
        if isinstance(error, RecursionError):
            raise InvalidGrader("The document is nested too deep.") from None
        told = error.errors(include_url=False, include_context=False)[0]
        place = "/".join(str(part) for part in told["loc"])
        raise InvalidGrader(f"{place or 'The document'}: {told['msg']}") from None


def _usable_schema(schema: dict[str, JsonValue]) -> dict[str, JsonValue]:
    problem = schema_problem(schema)
    if problem is not None:
        raise ValueError(problem)
    return schema

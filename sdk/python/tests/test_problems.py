"""What a refusal says: the sentence of the problem, and the place of each fault."""

from __future__ import annotations

import json

import pytest

from handrail.canonical import JSONValue
from handrail.errors import KillSwitchActive, RequestRefused
from handrail.exchange import read_refusal
from handrail.wire import Response


def problem(status: int, **members: JSONValue) -> Response:
    document = {"type": "/problems/validation/", "title": "Not valid", **members}
    return Response(status, {"content-type": "application/problem+json"}, json.dumps(document).encode())


def test_a_refusal_names_the_place_of_each_fault() -> None:
    errors: list[JSONValue] = [
        {"pointer": "/confidence", "code": "less_than_equal", "message": "This is at most 1."},
        {"pointer": "", "code": "object", "message": "The body must be a JSON object."},
    ]
    refusal = read_refusal(problem(422, detail="The body is wrong.", errors=errors), now=0.0)
    assert isinstance(refusal, RequestRefused)
    assert str(refusal) == (
        "The body is wrong. /confidence: This is at most 1. The body must be a JSON object."
    )
    assert refusal.as_tool_result()["detail"] == str(refusal)


def test_a_hundred_faults_are_told_by_the_first_five() -> None:
    errors: list[JSONValue] = [{"pointer": f"/{n}", "message": "Odd."} for n in range(100)]
    told = str(read_refusal(problem(422, detail="Wrong.", errors=errors), now=0.0))
    assert told == "Wrong. /0: Odd. /1: Odd. /2: Odd. /3: Odd. /4: Odd. And 95 more."


@pytest.mark.parametrize("errors", [None, 7, "x", {}, [7], [{}], [{"message": 7}], [{"pointer": "/a"}]])
def test_errors_of_an_odd_shape_take_nothing_away_from_the_problem(errors: JSONValue) -> None:
    odd = problem(409, type="/problems/kill-switch-active/", detail="Stopped.", errors=errors)
    refusal = read_refusal(odd, now=0.0)
    assert isinstance(refusal, KillSwitchActive)
    assert (refusal.code, str(refusal)) == ("kill-switch-active", "Stopped.")


def test_what_the_sentence_says_already_is_not_said_twice() -> None:
    errors: list[JSONValue] = [{"pointer": "", "code": "x", "message": "A key holds U+0000."}]
    assert str(read_refusal(problem(422, detail="A key holds U+0000.", errors=errors), now=0.0)) == (
        "A key holds U+0000."
    )

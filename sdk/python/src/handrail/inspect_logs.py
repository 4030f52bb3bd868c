"""Logs of Inspect AI, read with its own library (the extra ``inspect``).

A sample belongs to the case that its id names, which is what Handrail's Inspect export writes. What the agent
did is the first tool call of the sample's output, else its text: the arguments as one JSON object, ``null``
for nothing. A sample that broke down, or whose text is neither, is a breakdown.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from handrail.errors import InvalidArguments, ProtocolError
from handrail.evals import CaseResult
from handrail.wire import read_json


class InspectMissing(OSError):
    """Inspect's library is not there."""


def results(log: Path) -> Iterator[CaseResult]:
    """Yield a result for each sample of a log; of several epochs the first one counts."""
    try:
        library: Any = importlib.import_module("inspect_ai.log")
    except ImportError as problem:
        raise InspectMissing("Inspect logs need: pip install './sdk/python[inspect]'") from problem
    read = library.read_eval_log(str(log))
    seen: set[str] = set()
    for sample in read.samples or []:
        case = str(sample.id)
        if case in seen:
            continue
        seen.add(case)
        yield result_of(case, sample, metadata=sample.metadata or {})


def result_of(case: str, sample: Any, *, metadata: Mapping[str, Any]) -> CaseResult:
    """Return what the agent did in one sample."""
    if sample.error is not None:
        return CaseResult(case=case, acted=False, error="the sample broke down")
    message = sample.output.message if sample.output.choices else None
    calls = (message.tool_calls or []) if message is not None else []
    try:
        if calls:
            return _action(case, _action_type(calls[0].function, metadata), calls[0].arguments)
        return _text(case, sample.output.completion)
    except (InvalidArguments, ProtocolError, TypeError) as problem:
        return CaseResult(case=case, acted=False, error=f"no answer: {type(problem).__name__}")


def _text(case: str, completion: str) -> CaseResult:
    answer = read_json(completion.strip().encode())
    if answer is None:
        return CaseResult(case=case, acted=False)
    return _action(case, "", answer)


def _action(case: str, action_type: str, arguments: object) -> CaseResult:
    if not isinstance(arguments, Mapping):
        raise TypeError("the arguments are no object")
    result = CaseResult(case=case, acted=True, action_type=action_type, output=arguments)
    result.document()
    return result


def _action_type(function: str, metadata: Mapping[str, Any]) -> str:
    """Return the action type that a function's name stands for: hosted APIs allow no dots in names."""
    own = str(metadata.get("action_type", ""))
    return own if function in (own, re.sub("[^A-Za-z0-9_-]", "_", own)) else function

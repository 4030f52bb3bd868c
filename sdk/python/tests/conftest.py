"""Fixtures: a gate that can be told to misbehave, and clients of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gate_server import KEY, Gate
from refund_runner import QUICK, Runner

from handrail import Client


@pytest.fixture
def gate() -> Iterator[Gate]:
    with Gate() as gate:
        yield gate


@pytest.fixture
def client(gate: Gate) -> Client:
    return Client(gate.url, KEY, retries=QUICK, timeout=2.0)


@pytest.fixture(params=["plain", "async"])
def runner(request: pytest.FixtureRequest, gate: Gate) -> Runner:
    return Runner(gate, request.param)

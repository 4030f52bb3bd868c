"""What was written for the readers, and what stands in it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# No reader may ask the network for anything.
os.environ.update(
    HF_HUB_OFFLINE="1",
    HF_DATASETS_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_DATASETS_CACHE=str(Path("cache").resolve()),
    LANGFUSE_TRACING_ENABLED="false",
    DO_NOT_TRACK="1",
)


@dataclass(frozen=True)
class Written:
    """The files, and the cases that they were made of."""

    folder: Path
    cases: dict[str, dict[str, Any]]
    splits: dict[str, str]
    made: dict[str, list[str]]

    def path(self, name: str) -> Path:
        return self.folder / name

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path(name).read_bytes().splitlines()]

    def of(self, name: str) -> list[dict[str, Any]]:
        """Return the cases that make a row in this file, in order."""
        return [self.cases[case_id] for case_id in self.made[name]]


@pytest.fixture(scope="session")
def written() -> Written:
    folder = Path("files").resolve()
    expected = json.loads((folder / "expected.json").read_text())
    return Written(
        folder=folder,
        cases={each["case"]["id"]: each["case"] for each in expected["cases"]},
        splits={each["case"]["id"]: each["split"] for each in expected["cases"]},
        made=expected["made"],
    )


def right(case: dict[str, Any]) -> Any:
    return case["truth"]["arguments"]


def proposed(case: dict[str, Any]) -> Any:
    return (case["proposal"] or {}).get("arguments")

"""A folder that the Hugging Face ``datasets`` library loads by its path: Parquet for each split, and a card.

The card's YAML says which file is which split and how many rows it has; the text under it says what a case
is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from datasets.exporters import options
from datasets.exporters.base import Document, Placed
from datasets.exporters.columns import COLUMNS, Kind
from datasets.exporters.parquet import Rows, compression_choice
from hitl_site.lib.strict_json import JsonValue

CARD: Final = "README.md"
# A dataset without splits has one by that name in this library.
ONLY_SPLIT: Final = "train"
ORDER: Final = ("train", "validation", "test")
_SIZES: Final = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_TYPES: Final = {
    Kind.TEXT: "text",
    Kind.TEXTS: "list of texts",
    Kind.JSON: "JSON as text",
    Kind.FLAG: "true or false",
    Kind.INTEGER: "whole number",
    Kind.NUMBER: "number",
    Kind.TIME: "time, UTC",
}


@dataclass(frozen=True, slots=True)
class Options:
    title: str = options.text(
        default="Decisions of people about actions of AI agents", title="Title", max_length=200
    )
    license: str = options.text(
        default="",
        title="License",
        max_length=60,
        help="As the Hub names it, cc-by-4.0 for one. Empty: none is stated.",
    )
    compression: str = compression_choice()


class HubFolder:
    """Files ``data/SPLIT.parquet`` and ``README.md``."""

    extension = ""
    media_type = "inode/directory"
    resumable = False
    notes: tuple[str, ...] = (
        "Cases without a split are in the split train, as this format has no other place.",
    )

    def __init__(self, chosen: Options) -> None:
        self.chosen = chosen

    def write(self, cases: Iterator[Placed], folder: Path) -> list[str]:
        (folder / "data").mkdir()
        files: dict[str, Rows] = {}
        with ExitStack() as stack:
            for placed in cases:
                split = placed.split or ONLY_SPLIT
                if split not in files:
                    files[split] = stack.enter_context(self._file(folder, split))
                files[split].add(placed)
            if not files:
                files[ONLY_SPLIT] = stack.enter_context(self._file(folder, ONLY_SPLIT))
        counts = {split: files[split].count for split in sorted(files, key=_place)}
        (folder / CARD).write_text(card(self.chosen, counts), encoding="utf-8", newline="\n")
        return [CARD, *(_name(split) for split in counts)]

    def skipped(self, case: Document) -> str | None:
        return None

    def _file(self, folder: Path, split: str) -> Rows:
        return Rows(folder / _name(split), compression=self.chosen.compression, with_split=False)


def card(chosen: Options, counts: dict[str, int]) -> str:
    """Return the README of the folder: YAML between two lines of dashes, then Markdown."""
    total = sum(counts.values())
    head: dict[str, JsonValue] = {
        "pretty_name": chosen.title,
        "language": ["en"],
        "tags": ["human-in-the-loop", "tool-use", "preference"],
        "size_categories": [next((name for limit, name in _SIZES if total < limit), "n>1M")],
        "configs": [
            {
                "config_name": "default",
                "data_files": [{"split": split, "path": _name(split)} for split in counts],
            }
        ],
    }
    if chosen.license:
        head["license"] = chosen.license
    rows = "\n".join(f"| {split} | {count} |" for split, count in counts.items())
    fields = "\n".join(f"| `{column.name}` | {_TYPES[column.kind]} |" for column in COLUMNS)
    return f"""---
{yaml.safe_dump(head, sort_keys=False, allow_unicode=False).rstrip()}
---

# Labelled cases

Each row is one decision of a person about one action of an AI agent: what went in, what the agent proposed,
what it should have done, and why. `label` is `approved`, `corrected` or `rejected`; `right_arguments` is
what should have run, null where nothing should have.

| split | rows |
|---|---|
{rows}

Cases of one `group` (a customer, a conversation) are all in the same split. Columns with JSON hold it in
canonical form (RFC 8785), because its shape differs between action types.

| column | type |
|---|---|
{fields}

The texts come from agents and from the people and documents they dealt with: never run or render them
unescaped.
"""


def _name(split: str) -> str:
    return f"data/{split}.parquet"


def _place(split: str) -> tuple[int, str]:
    return (ORDER.index(split) if split in ORDER else len(ORDER), split)

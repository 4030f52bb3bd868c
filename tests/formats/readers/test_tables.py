"""pyarrow, Hugging Face datasets, pandas and the csv module read the tables."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from typing import Any

import pandas
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from datasets import List, Value, load_dataset
from huggingface_hub import DatasetCard

from conftest import Written, proposed, right


def check(row: dict[str, Any], case: dict[str, Any]) -> None:
    assert row["case_id"] == case["id"]
    assert row["should_act"] is case["truth"]["should_act"]
    assert row["changed_fields"] == case["changed_fields"]
    assert row["ledger_seq"] == case["ledger_seq"]
    assert row["decided_at"] == datetime.fromisoformat(case["decision"]["decided_at"])
    assert row["confidence"] == (case["proposal"] or {"confidence": None})["confidence"]
    assert row["propensity"] == (None if case["gate"] is None else 1.0)
    assert parsed(row["right_arguments"]) == right(case)
    assert parsed(row["proposed_arguments"]) == proposed(case)
    assert parsed(row["context"]) == case["input"]["context"]
    assert parsed(row["later"]) == case["later"]


def parsed(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def test_pyarrow_finds_every_row_with_its_types(written: Written) -> None:
    table = pq.read_table(written.path("parquet") / "cases.parquet")
    types = {field.name: field.type for field in table.schema}
    assert types["decided_at"] == pa.timestamp("us", tz="UTC")
    assert types["changed_fields"] == pa.list_(pa.string())
    assert (types["should_act"], types["ledger_seq"], types["confidence"]) == (
        pa.bool_(),
        pa.int64(),
        pa.float64(),
    )
    rows = table.to_pylist()
    assert [row["split"] for row in rows] == [*written.splits.values()]
    for row, case in zip(rows, written.cases.values(), strict=True):
        check(row, case)


def test_datasets_finds_the_parquet_file(written: Written) -> None:
    rows = load_dataset("parquet", data_files=str(written.path("parquet") / "cases.parquet"), split="train")
    assert [row["case_id"] for row in rows] == [*written.cases]


def test_datasets_loads_the_folder_by_its_path_with_its_splits(written: Written) -> None:
    loaded = load_dataset(str(written.path("hub")))
    assert [*loaded] == ["train", "validation", "test"]
    for name, rows in loaded.items():
        assert rows.features["decided_at"] == Value("timestamp[us, tz=UTC]")
        assert rows.features["reasons"] == List(Value("string"))
        cases = [case for case_id, case in written.cases.items() if written.splits[case_id] == name]
        assert len(rows) == len(cases)
        for row, case in zip(rows, cases, strict=True):
            check(row, case)


def test_the_hub_client_reads_the_card(written: Written) -> None:
    card = DatasetCard.load(written.path("hub") / "README.md")
    assert card.data.pretty_name == "Refunds: {a} # 'b' \"c\""
    assert card.data.license == "cc-by-4.0"
    assert yaml.safe_load(card.content.split("---")[1])["size_categories"] == ["n<1K"]


def test_csv_readers_find_every_record(written: Written) -> None:
    with written.path("cases.csv").open(newline="", encoding="utf-8") as file:
        rows = [*csv.DictReader(file, strict=True)]
    assert [row["case_id"] for row in rows] == [*written.cases]
    frame = pandas.read_csv(written.path("cases.csv"), keep_default_na=False, dtype=str)
    assert frame["note"].tolist() == [row["note"] for row in rows]
    for row, case in zip(rows, written.cases.values(), strict=True):
        assert parsed(row["right_arguments"] or None) == right(case)
        assert parsed(row["context"] or None) == case["input"]["context"] or row["context"].startswith("'")
        assert datetime.fromisoformat(row["decided_at"]).tzinfo == UTC
        assert row["split"] == written.splits[case["id"]]
        for cell in row.values():
            assert cell.lstrip()[:1] not in {"=", "+", "-", "@"}
    assert rows[2]["note"] == "'" + written.cases[rows[2]["case_id"]]["decision"]["note"]

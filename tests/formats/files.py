"""Write the cases in every format and form, for the readers: ``python -m tests.formats.files FOLDER``.

Runs in the product's own environment. The readers run in another one: a library of theirs has the name of
one of the product's apps, and none of them belongs among the product's packages.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

from datasets.exporters import registry
from datasets.exporters.base import Document, FolderExporter
from tests.formats.cases import cases


@dataclass(frozen=True, slots=True)
class File:
    """One export to be read back."""

    name: str
    format: str
    options: Document = field(default_factory=dict)


FILES = (
    File("cases.jsonl", "jsonl"),
    File("chat.jsonl", "chat"),
    File("chat_hosted.jsonl", "chat", {"arguments": "string"}),
    File("dpo.jsonl", "dpo"),
    File("dpo_text.jsonl", "dpo", {"form": "text"}),
    File("kto.jsonl", "kto"),
    File("kto_text.jsonl", "kto", {"form": "text"}),
    File("evals.jsonl", "openai_evals"),
    File("evals_hosted.jsonl", "openai_evals", {"form": "hosted"}),
    File("inspect.jsonl", "inspect"),
    File("inspect_text.jsonl", "inspect", {"form": "text"}),
    File("promptfoo.jsonl", "promptfoo"),
    File("langfuse.jsonl", "langfuse", {"dataset": "refunds"}),
    File("langsmith.jsonl", "langsmith"),
    File("argilla.jsonl", "argilla"),
    File("argilla_flat.jsonl", "argilla", {"form": "flat"}),
    File("parquet", "parquet"),
    File("hub", "hugging_face", {"title": "Refunds: {a} # 'b' \"c\"", "license": "cc-by-4.0"}),
    File("cases.csv", "csv"),
)


def write(folder: Path) -> None:
    """Write every file, and ``expected.json``: the cases, their splits, and which make a row where."""
    placed = cases()
    made: dict[str, list[str]] = {}
    for file in FILES:
        exporter = registry.exporter(file.format, file.options)
        made[file.name] = [str(each.case["id"]) for each in placed if exporter.skipped(each.case) is None]
        if isinstance(exporter, FolderExporter):
            (folder / file.name).mkdir()
            exporter.write(iter(placed), folder / file.name)
        else:
            rows = [row for each in placed for row in exporter.rows(each.case, each.split)]
            (folder / file.name).write_bytes(b"".join([exporter.header(), *rows, exporter.footer()]))
    expected = {"cases": [{"split": each.split, "case": each.case} for each in placed], "made": made}
    (folder / "expected.json").write_text(json.dumps(expected), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))

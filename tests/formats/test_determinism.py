"""The same cases with the same options are the same bytes: whatever is in them, in whatever order."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.exporters import registry
from datasets.exporters.base import Document, FolderExporter, Placed, RowExporter
from datasets.exporters.options import Option
from hitl_site.lib.strict_json import JsonValue
from tests.formats.cases import case, cases
from tests.formats.test_escaping import DANGEROUS, TEXTS, VALUES

ROWS = [name for name in registry.formats() if isinstance(registry.exporter(name, {}), RowExporter)]
FOLDERS = [name for name in registry.formats() if name not in ROWS]
OBJECTS = st.dictionaries(TEXTS | DANGEROUS, VALUES, max_size=4)
MESSAGES: st.SearchStrategy[JsonValue] = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant", "tool", "customer"]), "content": VALUES},
    optional={
        "tool_calls": st.lists(st.fixed_dictionaries({"name": TEXTS, "arguments": VALUES}), max_size=2),
        "tool_call_id": TEXTS,
    },
)
CONTEXTS: st.SearchStrategy[JsonValue] = VALUES | st.fixed_dictionaries(
    {"messages": st.lists(MESSAGES, max_size=4), "facts": VALUES}
)
PLACES = st.sampled_from(["", "train", "test"])


@st.composite
def any_case(draw: st.DrawFn) -> Document:
    label = draw(st.sampled_from(["approved", "corrected", "rejected"]))
    proposed = draw(OBJECTS)
    nothing_proposed = label == "corrected" and draw(st.booleans())
    truth = {"approved": proposed, "corrected": draw(OBJECTS), "rejected": None}[label]
    return case(
        draw(st.integers(0, 59)),
        label=label,
        proposed=None if nothing_proposed else proposed,
        truth=truth,
        context=draw(CONTEXTS),
        note=draw(TEXTS | DANGEROUS),
    )


@st.composite
def any_options(draw: st.DrawFn, format: str) -> Document:
    return {option.name: draw(_values(option)) for option in registry.options_of(format)}


def _values(option: Option) -> st.SearchStrategy[JsonValue]:
    if option.kind == "flag":
        return st.booleans()
    return st.sampled_from([name for name, _ in option.choices] or [str(option.default)])


def turned(value: JsonValue) -> JsonValue:
    """Return the same value with the members of every object in the other order."""
    if isinstance(value, dict):
        return {name: turned(value[name]) for name in reversed(value)}
    return [turned(each) for each in value] if isinstance(value, list) else value


def again(placed: Placed) -> Placed:
    document = turned(placed.case)
    assert isinstance(document, dict)
    return Placed(document, placed.split)


@pytest.mark.parametrize("format", ROWS)
@settings(max_examples=20)
@given(data=st.data(), one=any_case(), split=PLACES)
def test_a_row_depends_on_its_case_and_the_options_alone(
    format: str, data: st.DataObject, one: Document, split: str
) -> None:
    options = data.draw(any_options(format))
    first, second = registry.exporter(format, options), registry.exporter(format, options)
    assert isinstance(first, RowExporter)
    assert isinstance(second, RowExporter)

    rows = [*first.rows(one, split)]

    # Another one has written other cases before, and reads the members of this one in the other order.
    for before in cases():
        assert all(row.endswith(b"\n") for row in second.rows(before.case, before.split))
    assert [*second.rows(again(Placed(one)).case, split)] == rows
    assert (second.skipped(one) is None) is bool(rows)


@pytest.mark.parametrize("format", FOLDERS)
@settings(max_examples=8)
@given(data=st.data(), some=st.lists(st.tuples(any_case(), PLACES), max_size=4))
def test_files_depend_on_their_cases_and_the_options_alone(
    format: str, data: st.DataObject, some: list[tuple[Document, str]]
) -> None:
    options = data.draw(any_options(format))
    placed = [Placed(*each) for each in some]

    first = written(format, options, placed)

    assert first
    assert written(format, options, [again(each) for each in placed]) == first


def written(format: str, options: Document, placed: list[Placed]) -> dict[str, bytes]:
    exporter = registry.exporter(format, options)
    assert isinstance(exporter, FolderExporter)
    with tempfile.TemporaryDirectory() as folder:
        names = exporter.write(iter(placed), Path(folder))
        return {name: (Path(folder) / name).read_bytes() for name in names}

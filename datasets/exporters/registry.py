"""Which exporter writes a format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from datasets.choices import ExportFormat
from datasets.exporters import (
    argilla,
    chat,
    csv_table,
    dpo,
    hugging_face,
    inspect_ai,
    jsonl,
    kto,
    langfuse,
    langsmith,
    openai_evals,
    options,
    parquet,
    promptfoo,
)
from datasets.exporters.base import Exporter
from datasets.exporters.options import InvalidOptions, Option
from datasets.exporters.tools import NO_TOOLS, Tools
from hitl_site.lib.strict_json import JsonValue

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

T = TypeVar("T", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class _Format:
    options: type[DataclassInstance]
    make: Callable[[Mapping[str, JsonValue], Tools], Exporter]


def _format(kind: type[T], make: Callable[[T], Exporter]) -> _Format:
    return _Format(options=kind, make=lambda document, _tools: make(options.parse(kind, document)))


def _with_tools(kind: type[T], make: Callable[[T, Tools], Exporter]) -> _Format:
    return _Format(options=kind, make=lambda document, tools: make(options.parse(kind, document), tools))


_FORMATS: Final[dict[str, _Format]] = {
    ExportFormat.JSONL: _format(jsonl.Options, jsonl.JsonLines),
    ExportFormat.CHAT: _with_tools(chat.Options, chat.Chat),
    ExportFormat.DPO: _with_tools(dpo.Options, dpo.PreferencePairs),
    ExportFormat.KTO: _with_tools(kto.Options, kto.UnpairedPreferences),
    ExportFormat.OPENAI_EVALS: _format(openai_evals.Options, openai_evals.Evals),
    ExportFormat.INSPECT: _format(inspect_ai.Options, inspect_ai.Samples),
    ExportFormat.PROMPTFOO: _format(promptfoo.Options, promptfoo.Tests),
    ExportFormat.LANGFUSE: _format(langfuse.Options, langfuse.Items),
    ExportFormat.LANGSMITH: _format(langsmith.Options, langsmith.Examples),
    ExportFormat.ARGILLA: _format(argilla.Options, argilla.Records),
    ExportFormat.PARQUET: _format(parquet.Options, parquet.ParquetFile),
    ExportFormat.HUGGING_FACE: _format(hugging_face.Options, hugging_face.HubFolder),
    ExportFormat.CSV: _format(csv_table.Options, csv_table.Table),
}


def formats() -> tuple[str, ...]:
    """Return the formats that can be written, in the order of ``ExportFormat``."""
    return tuple(name for name in ExportFormat.values if name in _FORMATS)


def exporter(format: str, document: Mapping[str, JsonValue], *, tools: Tools = NO_TOOLS) -> Exporter:
    """Return the exporter of a format with these options, or raise ``InvalidOptions``.

    ``tools`` describes the action types for the formats that write a list of tools. An export that must come
    out the same again has to be given the same ones again.
    """
    return _known(format).make(document, tools)


def options_of(format: str) -> tuple[Option, ...]:
    """Return what a form asks for this format."""
    return options.described(_known(format).options)


def options_in_words(format: str, given: Mapping[str, JsonValue]) -> list[tuple[str, str]]:
    """Return the options of an export as its form named them, each with what was chosen."""
    return [
        (each.title, _chosen(each, given[each.name])) for each in options_of(format) if each.name in given
    ]


def _chosen(option: Option, value: JsonValue) -> str:
    if option.kind == "flag":
        return "Yes" if value else "No"
    return dict(option.choices).get(str(value)) or str(value) or "None"


def complete_options(format: str, document: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the options with every default written out, or raise ``InvalidOptions``."""
    return options.to_document(options.parse(_known(format).options, document))


def _known(format: str) -> _Format:
    if format not in _FORMATS:
        raise InvalidOptions("", f"there is no format {format!r}")
    return _FORMATS[format]

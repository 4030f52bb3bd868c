"""Which exporter writes a format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from datasets.choices import ExportFormat
from datasets.exporters import jsonl, options
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


def _format(kind: type[T], make: Callable[[T, Tools], Exporter]) -> _Format:
    return _Format(options=kind, make=lambda document, tools: make(options.parse(kind, document), tools))


_FORMATS: Final[dict[str, _Format]] = {
    ExportFormat.JSONL: _format(jsonl.Options, lambda chosen, _tools: jsonl.JsonLines(chosen)),
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


def complete_options(format: str, document: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Return the options with every default written out, or raise ``InvalidOptions``."""
    return options.to_document(options.parse(_known(format).options, document))


def _known(format: str) -> _Format:
    if format not in _FORMATS:
        raise InvalidOptions("", f"there is no format {format!r}")
    return _FORMATS[format]

"""Options of a format: a frozen dataclass, its JSON form, and what a form needs to ask for them.

A field is declared by ``flag``, ``choice`` or ``text``. ``parse`` takes the stored JSON and refuses what it
does not know, so an export never runs with an option that was misspelt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal, TypeVar

from hitl_site.lib.strict_json import JsonValue

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class InvalidOptions(ValueError):
    """The options are not this format's; ``name`` is the field, "" for the whole."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name}: {problem}" if name else problem)
        self.name = name
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Option:
    """One option as a form shows it."""

    name: str
    kind: Literal["flag", "choice", "text"]
    title: str
    help: str
    default: bool | str
    choices: tuple[tuple[str, str], ...] = ()
    max_length: int = 0


T = TypeVar("T", bound="DataclassInstance")


def flag(*, default: bool, title: str, help: str = "") -> bool:
    """Declare a yes or no."""
    declared: bool = field(
        default=default, metadata={"kind": "flag", "title": title, "help": help, "default": default}
    )
    return declared


def choice(*, default: str, title: str, choices: Mapping[str, str], help: str = "") -> str:
    """Declare one of several; the first sentence of each is what the form shows."""
    declared: str = field(
        default=default,
        metadata={
            "kind": "choice",
            "title": title,
            "help": help,
            "default": default,
            "choices": tuple(choices.items()),
        },
    )
    return declared


def text(*, default: str, title: str, max_length: int, help: str = "") -> str:
    """Declare a line of text."""
    declared: str = field(
        default=default,
        metadata={"kind": "text", "title": title, "help": help, "default": default, "max_length": max_length},
    )
    return declared


def described(kind: type[DataclassInstance]) -> tuple[Option, ...]:
    """Return the options of a format in the order of declaration."""
    return tuple(
        Option(
            name=declared.name,
            kind=declared.metadata["kind"],
            title=declared.metadata["title"],
            help=declared.metadata["help"],
            default=declared.metadata["default"],
            choices=declared.metadata.get("choices", ()),
            max_length=declared.metadata.get("max_length", 0),
        )
        for declared in fields(kind)
    )


def parse(kind: type[T], document: Mapping[str, JsonValue]) -> T:
    """Return the options that this JSON says, with defaults, or raise ``InvalidOptions``."""
    known = {option.name: option for option in described(kind)}
    values: dict[str, bool | str] = {}
    for name, value in document.items():
        if name not in known:
            raise InvalidOptions(name, "this format has no such option")
        values[name] = _checked(known[name], value)
    return kind(**values)


def to_document(options: DataclassInstance) -> dict[str, JsonValue]:
    """Return the JSON form, every option named."""
    return {declared.name: getattr(options, declared.name) for declared in fields(options)}


def _checked(option: Option, value: JsonValue) -> bool | str:
    if option.kind == "flag":
        if not isinstance(value, bool):
            raise InvalidOptions(option.name, "true or false")
        return value
    if not isinstance(value, str):
        raise InvalidOptions(option.name, "a text")
    if option.kind == "choice" and value not in dict(option.choices):
        raise InvalidOptions(option.name, f"one of {', '.join(dict(option.choices))}")
    if option.kind == "text" and len(value) > option.max_length:
        raise InvalidOptions(option.name, f"at most {option.max_length} characters")
    return value

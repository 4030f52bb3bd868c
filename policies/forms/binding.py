"""How a declared binding is written in a form: a pointer a line, and the forms of a text after a colon."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django import forms
from django.utils.translation import gettext

from hitl_site.lib import strict_json
from hitl_site.lib.strict_json import JsonValue


def read_pointers(text: str) -> list[str]:
    """Return the pointers, one from each line. A place may have spaces in its name, so only ends are cut."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_normalised(text: str) -> dict[str, list[str]]:
    """Return the forms by pointer. Every line without a colon, and every pointer given twice, is named."""
    read: dict[str, list[str]] = {}
    wrong = []
    for number, line in enumerate(text.splitlines(), start=1):
        # The last one: a place may have a colon in its name, a form has none.
        pointer, colon, words = line.rpartition(":")
        pointer = pointer.strip()
        if not line.strip():
            continue
        if not colon:
            told = gettext("Line {number} is not of the form /pointer: form form.")
            wrong.append(told.format(number=number))
        elif pointer in read:
            told = gettext("Line {number}: {pointer} is there twice.")
            wrong.append(told.format(number=number, pointer=pointer))
        else:
            read[pointer] = words.replace(",", " ").split()
    if wrong:
        raise forms.ValidationError(wrong)
    return read


def written_pointers(pointers: Sequence[str]) -> str:
    """Return pointers as the form has them."""
    return "\n".join(pointers)


def written_normalised(normalised: Mapping[str, Sequence[str]]) -> str:
    """Return normalised fields as the form has them."""
    return "\n".join(f"{pointer}: {' '.join(words)}" for pointer, words in normalised.items())


def unreadable(error: strict_json.DoorError) -> str:
    """Return where JSON cannot be read and why. What is wrong with JSON is said in English alone."""
    if not error.pointer:
        return error.detail
    return gettext("At {pointer}: {problem}").format(pointer=error.pointer, problem=error.detail)


def read_arguments(text: str) -> JsonValue:
    """Return example arguments, None for an empty field. The same door as the API's: one meaning for all."""
    if not text.strip():
        return None
    try:
        value = strict_json.parse(text.encode("utf-8", "surrogatepass"))
    except strict_json.DoorError as error:
        raise forms.ValidationError(unreadable(error)) from None
    if not isinstance(value, dict):
        raise forms.ValidationError(gettext("Arguments are an object: {…}."))
    return value

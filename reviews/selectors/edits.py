"""A reviewer's version, read out of what the form posted (or a draft kept). Pure; it never raises."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from hitl_site.lib.strict_json import JsonValue
from reviews import schema_form
from reviews.schema_form import FieldError, FormView
from reviews.selectors.difference import is_same

Posted = Mapping[str, list[str]]

NOTE_LIMIT = 4000
_WHERE = re.compile(r"Line (\d+), column (\d+)")


@dataclass(frozen=True)
class Edit:
    """What a person has made of the proposal so far, and all else that they have typed or ticked.

    ``value`` is what would be sent; where something cannot be read it is the nearest thing that can, and
    ``errors`` say what.
    """

    value: JsonValue
    errors: tuple[FieldError, ...] = ()
    editor: str = "form"
    json_text: str = ""
    raw: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    note: str = ""
    checks: frozenset[int] = frozenset()
    # The sentences ticked in the policy's check list: the words themselves, since the list may change.
    required: tuple[str, ...] = ()


def untouched(document: JsonValue) -> Edit:
    """Return the version that is a document as it stands."""
    return Edit(value=document, json_text=schema_form.pretty(document))


def read(schema: JsonValue, proposed: JsonValue, posted: Posted) -> Edit:
    """Return the version that the posted fields stand for."""
    editor = "json" if _last(posted, "editor") == "json" else "form"
    parsed = schema_form.parse(schema, proposed, posted)
    value, errors, text = parsed.value, parsed.errors, schema_form.pretty(parsed.value)
    if editor == "json" and "json" in posted:
        text = _last(posted, "json")
        typed = schema_form.parse_json(text)
        errors = typed.errors
        if not errors and not isinstance(typed.value, dict):
            errors = (FieldError("", "This must be one object, in { and }."),)
        if not errors:
            value = typed.value
    return Edit(
        value=value,
        errors=errors,
        editor=editor,
        json_text=text,
        raw=schema_form.typed_texts(posted) if editor == "form" else {},
        reasons=tuple(dict.fromkeys(reason for reason in posted.get("reasons", []) if reason)),
        note=_last(posted, "note"),
        checks=frozenset(int(number) for number in posted.get("checks", []) if _is_small(number)),
        required=tuple(dict.fromkeys(posted.get("required", []))),
    )


def fields_of(edit: Edit, proposed: JsonValue) -> dict[str, list[str]]:
    """Return posted fields that stand for ``edit``: what ``read`` gives back is equal to it."""
    view = schema_form.build(None, proposed, edit.value)
    fields = {
        "editor": [edit.editor],
        "reasons": list(edit.reasons),
        "note": [edit.note],
        "checks": [str(number) for number in sorted(edit.checks)],
        "required": list(edit.required),
    }
    if view.base_text:
        fields[view.base_name] = [view.base_text]
    if edit.editor == "json":
        fields["json"] = [edit.json_text]
    return fields


def form_of(
    edit: Edit, *, schema: JsonValue, proposed: JsonValue, errors: tuple[FieldError, ...] = ()
) -> FormView:
    """Return the form that shows an edit; ``errors`` are those that came up beyond its own."""
    own = edit.errors if edit.editor == "form" else ()
    return schema_form.build(schema, proposed, edit.value, errors=(*own, *errors), raw=edit.raw)


def is_changed(edit: Edit, proposed: JsonValue) -> bool:
    """Say whether the edit would run anything other than the proposal. What cannot be read is a change."""
    return bool(edit.errors) or not is_same(proposed, edit.value)


def place_of(error: FieldError) -> tuple[int, int] | None:
    """Return line and column of an error of the JSON tab, where it names them."""
    found = _WHERE.match(error.message)
    return (int(found[1]), int(found[2])) if found else None


def _last(posted: Posted, name: str) -> str:
    texts = posted.get(name)
    return texts[-1] if texts else ""


def _is_small(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 4

"""From what a browser posted back to the document: the inverse of drawing, and the acts of its buttons."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

from .controls import Unreadable, read
from .document import (
    MISSING,
    FieldError,
    JsonValue,
    Maybe,
    Missing,
    Parsed,
    Tokens,
    as_mapping,
    find,
    index_of,
    pointer_of,
    read_json,
    tokens_of,
)
from .plan import Branch, Leaf, Node, Presence, field_name, plan, presence_name, presence_of, presences_of
from .shapes import Schema, Shape, shape_of

BASE_NAME = "a.base"  # the document a form was drawn from, where that is not the proposal itself
OPERATION_NAME = "op"

Posted = Mapping[str, list[str]]


def parse(schema: object, proposed: JsonValue, posted: Posted) -> Parsed:
    """Read a posted form. What was not touched comes back exactly: same types, same absences.

    A control that cannot be read keeps the value the form was drawn from and adds an error. Never raises.
    """
    base, errors = _base(proposed, posted)
    reader = _Reader(posted, errors)
    value = reader.value(plan(schema, base, proposed))
    if isinstance(value, Missing):
        reader.errors.append(FieldError("", "The document is empty."))
        value = base
    return Parsed(value, tuple(reader.errors))


def _base(proposed: JsonValue, posted: Posted) -> tuple[JsonValue, list[FieldError]]:
    texts = posted.get(BASE_NAME)
    if not texts or not texts[-1]:
        return proposed, []
    try:
        return read_json(texts[-1]), []
    except ValueError:
        return proposed, [FieldError("", "The form came back damaged. Load the page again.")]


class _Reader:
    def __init__(self, posted: Posted, errors: list[FieldError]) -> None:
        self.posted = posted
        self.errors = errors

    def value(self, node: Node) -> Maybe:
        return self._leaf(node) if isinstance(node, Leaf) else self._branch(node)

    def _stance(self, tokens: Tokens) -> str | None:
        texts = self.posted.get(presence_name(tokens))
        return texts[-1] if texts else None

    def _leaf(self, leaf: Leaf) -> Maybe:
        texts = self.posted.get(field_name(leaf.tokens))
        try:
            return read(leaf, texts or None, self._stance(leaf.tokens))
        except Unreadable as problem:
            self.errors.append(FieldError(pointer_of(leaf.tokens), str(problem)))
            return leaf.base

    def _branch(self, branch: Branch) -> Maybe:
        before = presence_of(branch.base)
        offered = {presence.value: presence for presence in presences_of(branch)}
        after = offered.get(self._stance(branch.tokens) or "", before)
        if after is not before and after is not Presence.VALUE:
            return MISSING if after is Presence.ABSENT else None
        members = {child.tokens[-1]: self.value(child) for child in branch.children}
        present = {name: member for name, member in members.items() if not isinstance(member, Missing)}
        if not present and after is not Presence.VALUE:
            return branch.base
        if branch.is_array:
            return list(present.values())
        order = [*(branch.base if isinstance(branch.base, dict) else ()), *present]
        return {name: present[name] for name in order if name in present}


def typed_texts(posted: Posted) -> dict[str, str]:
    """Return what was typed, by field name, to draw the form again after an error with nothing lost."""
    return {name: texts[-1] for name, texts in posted.items() if texts}


def apply_operation(schema: object, value: JsonValue, op: str, *, proposed: Maybe = MISSING) -> JsonValue:
    """Return the document after a button of the form; one that makes no sense changes nothing.

    `add:/list`, `remove:/list/2`, `up:/list/2`, `down:/list/2`, `choose:/union` (drop what the chosen branch
    of a union does not know), `reset:/place` (back to the proposal, which is given for it).
    """
    verb, _, pointer = op.partition(":")
    if pointer and not pointer.startswith("/"):
        return value
    tokens = tokens_of(pointer)
    root = as_mapping(schema)
    changed = copy.deepcopy(value)
    if verb == "reset" and not isinstance(proposed, Missing):
        return _reset(changed, tokens, copy.deepcopy(proposed))
    if verb == "add":
        return _add(root, changed, tokens)
    if verb == "choose":
        return _choose(root, changed, tokens)
    index = index_of(tokens[-1]) if tokens else None
    elements = find(changed, tokens[:-1])
    if index is None or not isinstance(elements, list) or index >= len(elements):
        return value
    if verb == "remove":
        del elements[index]
    elif verb in {"up", "down"}:
        other = index + (1 if verb == "down" else -1)
        if 0 <= other < len(elements):
            elements[index], elements[other] = elements[other], elements[index]
    return changed


def _put(document: JsonValue, tokens: Tokens, value: Maybe) -> bool:
    """Set (or take away) one place whose parent is there."""
    parent, name = find(document, tokens[:-1]), tokens[-1]
    if isinstance(parent, dict):
        if isinstance(value, Missing):
            parent.pop(name, None)
        else:
            parent[name] = value
        return True
    index = index_of(name)
    if (
        isinstance(parent, list)
        and index is not None
        and index <= len(parent)
        and not isinstance(value, Missing)
    ):
        parent[index : index + 1] = [value]
        return True
    return False


def _reset(document: JsonValue, tokens: Tokens, proposed: JsonValue) -> JsonValue:
    """Put the proposal's value back; where its parent was taken away, put the parent back."""
    for depth in range(len(tokens), 0, -1):
        if _put(document, tokens[:depth], find(proposed, tokens[:depth])):
            return document
    return proposed


def _shapes(root: Schema, document: Maybe, tokens: Tokens) -> Iterable[Shape]:
    """Yield the shapes on the way to a place."""
    shape, here = shape_of(root, root, document), document
    yield shape
    for token in tokens:
        here = find(here, (token,))
        inner = (
            shape.properties.get(token)
            if shape.is_object
            else shape.items
            if index_of(token) is not None
            else None
        )
        shape = shape_of(inner, root, here)
        yield shape


def _add(root: Schema, document: JsonValue, tokens: Tokens) -> JsonValue:
    shapes = list(_shapes(root, document, tokens))
    if not tokens or "array" not in shapes[-1].types:
        return document
    for depth in range(1, len(tokens)):
        if isinstance(find(document, tokens[:depth]), Missing) and shapes[depth].is_object:
            _put(document, tokens[:depth], {})
    elements = find(document, tokens)
    if isinstance(elements, Missing) or elements is None:
        _put(document, tokens, [])
        elements = find(document, tokens)
    if isinstance(elements, list):
        elements.append(_blank(shape_of(shapes[-1].items, root), root))
    return document


def _blank(shape: Shape, root: Schema) -> JsonValue:
    """Return a new element: its constants and defaults, and nothing that a person has to fill in."""
    element: dict[str, JsonValue] = {}
    for name, inner in shape.properties.items():
        schema = shape_of(inner, root).schema
        for keyword in ("const", "default"):
            if keyword in schema:
                element[name] = copy.deepcopy(schema[keyword])
                break
    return element


def _choose(root: Schema, document: JsonValue, tokens: Tokens) -> JsonValue:
    shape = list(_shapes(root, document, tokens))[-1]
    place = find(document, tokens)
    if shape.tag is not None and isinstance(place, dict):
        for name in [name for name in place if name not in shape.properties]:
            del place[name]
    return document

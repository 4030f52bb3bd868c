"""The plan of a form: which control stands for which place of the document.

Drawing (`rows`) and reading (`reading`) walk the same plan, made from the schema and from the document the
form starts from, so that reading is the inverse of drawing. The value decides as much as the schema: what
does not fit its control (a text where a number should be) becomes a JSON block and is never dropped.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from .document import MISSING, JsonValue, Maybe, Missing, Tokens, as_mapping, find, pointer_of, same
from .kinds import FORMAT_KINDS, LINE_ITEMS, Kind, fits, needs_area
from .shapes import Schema, Shape, label_of, shape_of

MAX_RADIOS = 5
MAX_DEPTH = 3  # objects inside objects; deeper ones are JSON blocks
MAX_ELEMENTS = 50
MAX_NODES = 400  # stays well under the number of fields that Django accepts in one request


class Presence(StrEnum):
    VALUE = "value"
    ABSENT = "absent"
    NULL = "null"


@dataclass(frozen=True)
class Leaf:
    """One control."""

    tokens: Tokens
    kind: Kind
    shape: Shape
    label: str
    base: Maybe  # the value in the document that the form starts from
    proposed: Maybe
    required: bool
    depth: int
    group: str
    options: tuple[JsonValue, ...] = ()
    item_type: str = ""  # of `lines`
    extra: bool = False  # outside the schema
    is_element: bool = False


@dataclass(frozen=True)
class Branch:
    """An object or an array of objects: a heading and what is under it."""

    tokens: Tokens
    shape: Shape
    label: str
    base: Maybe
    required: bool
    depth: int
    group: str
    children: tuple[Node, ...]
    is_array: bool
    is_element: bool = False


Node: TypeAlias = "Leaf | Branch"


class _TooLarge(Exception):
    """The form would have more controls than a person or a request can carry."""


def field_name(tokens: Tokens) -> str:
    """Return the HTML name of a place: a digest, as pointers may hold characters that forms rewrite."""
    digest = hashlib.sha256(pointer_of(tokens).encode("utf-8", "surrogatepass")).hexdigest()
    return f"a.{digest[:24]}"


def presence_name(tokens: Tokens) -> str:
    return field_name(tokens) + ".is"


def presence_of(value: Maybe) -> Presence:
    if isinstance(value, Missing):
        return Presence.ABSENT
    return Presence.NULL if value is None else Presence.VALUE


def presences_of(node: Node) -> tuple[Presence, ...]:
    """Return what a person may choose between: a value, nothing at all, null. One choice is no choice."""
    if isinstance(node, Leaf) and node.kind in {Kind.STATIC, Kind.JSON}:
        return ()  # a JSON block says null as null, and nothing as an empty block
    found = [Presence.VALUE]
    if not node.required or presence_of(node.base) is Presence.ABSENT:
        found.append(Presence.ABSENT)
    if node.shape.nullable:
        found.append(Presence.NULL)
    return tuple(found) if len(found) > 1 else ()


def plan(schema: object, base: JsonValue, proposed: Maybe = MISSING) -> Node:
    """Return the plan of a form for `base`, with a place for everything in `proposed` as well."""
    root = as_mapping(schema)
    for depth in (MAX_DEPTH, 0):
        try:
            return _Planner(root, depth).node((), root, base, proposed, required=True)
        except _TooLarge:
            continue
    return _block((), shape_of(root, root), base, proposed)


def _block(tokens: Tokens, shape: Shape, base: Maybe, proposed: Maybe) -> Leaf:
    label = label_of(shape, tokens[-1]) if tokens else "Arguments"
    return Leaf(tokens, Kind.JSON, shape, label, base, proposed, True, max(len(tokens) - 1, 0), "")


@dataclass
class _Planner:
    root: Schema
    max_depth: int
    left: int = MAX_NODES

    def node(
        self,
        tokens: Tokens,
        schema: object,
        base: Maybe,
        proposed: Maybe,
        *,
        required: bool,
        depth: int = 0,
        group: str = "",
        label: str = "",
    ) -> Node:
        self.left -= 1
        if self.left < 0:
            raise _TooLarge
        shape = shape_of(schema, self.root, base if isinstance(base, dict) else proposed)
        block = replace(
            _block(tokens, shape, base, proposed),
            required=required,
            depth=max(depth - 1, 0),
            group=group,
            extra=schema is None,
        )
        if label:
            block = replace(block, label=label)
        if "const" in shape.schema or shape.is_read_only:
            return _fixed(block)
        if shape.is_object and depth <= self.max_depth and self._holds(base, dict, shape):
            return self._object(block, base, proposed, depth)
        element = shape_of(shape.items, self.root) if shape.types == {"array"} else None
        if element is None:
            return _scalar(block)
        elements = base if isinstance(base, list) else []
        fits_form = element.is_object and depth < self.max_depth and "prefixItems" not in shape.schema
        if fits_form and self._holds(base, list, shape) and len(elements) <= MAX_ELEMENTS:
            return self._array(block, elements, proposed, depth)
        return _collection(block, element)

    def _holds(self, base: Maybe, container: type, shape: Shape) -> bool:
        return isinstance(base, container | Missing) or (base is None and shape.nullable)

    def _object(self, block: Leaf, base: Maybe, proposed: Maybe, depth: int) -> Branch:
        shape, tokens = block.shape, block.tokens
        group = block.label if tokens else ""
        children: list[Node] = []
        for name in [*shape.properties, *_extras(shape, base, proposed)]:
            known = name in shape.properties
            children.append(
                self.node(
                    (*tokens, name),
                    shape.properties[name] if known else None,
                    find(base, (name,)),
                    find(proposed, (name,)),
                    required=name in shape.required,
                    depth=depth + 1,
                    group=group,
                    label="" if known else name,
                )
            )
        return _branch(block, children, is_array=False)

    def _array(self, block: Leaf, elements: list[JsonValue], proposed: Maybe, depth: int) -> Branch:
        children: list[Node] = []
        for index, element in enumerate(elements):
            child = self.node(
                (*block.tokens, str(index)),
                block.shape.items,
                element,
                find(proposed, (str(index),)),
                required=True,
                depth=depth + 1,
                group=block.label,
                label=f"{block.label} {index + 1}",
            )
            children.append(replace(child, is_element=True))
        return _branch(block, children, is_array=True)


def _extras(shape: Shape, base: Maybe, proposed: Maybe) -> list[str]:
    """Return the names that the documents have and the schema does not, those of `base` first."""
    found: dict[str, None] = {}
    for document in (base, proposed):
        for name in document if isinstance(document, dict) else ():
            if name not in shape.properties:
                found[name] = None
    return list(found)


def _branch(block: Leaf, children: list[Node], *, is_array: bool) -> Branch:
    return Branch(
        tokens=block.tokens,
        shape=block.shape,
        label=block.label,
        base=block.base,
        required=block.required,
        depth=block.depth,
        group=block.group,
        children=tuple(children),
        is_array=is_array,
    )


def _fixed(block: Leaf) -> Leaf:
    """A constant or read-only place is shown, not asked for; a wrong constant can be put right."""
    if "const" not in block.shape.schema or block.shape.is_read_only:
        return replace(block, kind=Kind.STATIC)
    constant = block.shape.schema["const"]
    if same(block.base, constant):
        return replace(block, kind=Kind.STATIC)
    return _choice(block, Kind.SELECT, (constant,))


def _choice(block: Leaf, kind: Kind, options: tuple[JsonValue, ...]) -> Leaf:
    """Add the present value to the choices when it is none of them: it is shown, and can be kept."""
    present = block.base
    if (
        not isinstance(present, Missing)
        and present is not None
        and not any(same(present, o) for o in options)
    ):
        options = (*options, present)
    elif present is None and not block.shape.nullable:
        options = (*options, None)
    return replace(block, kind=kind, options=options)


def _scalar(block: Leaf) -> Leaf:
    shape, base = block.shape, block.base
    kind = Kind.JSON
    if shape.options:
        return _choice(block, Kind.RADIO if len(shape.options) <= MAX_RADIOS else Kind.SELECT, shape.options)
    if shape.types == {"boolean"}:
        kind = Kind.BOOLEAN
    elif shape.types == {"integer"}:
        kind = Kind.INTEGER
    elif shape.types in ({"number"}, {"number", "integer"}):
        kind = Kind.NUMBER
    elif shape.types == {"string"}:
        kind = FORMAT_KINDS.get(str(shape.schema.get("format")), Kind.TEXT)
        kind = kind if isinstance(base, Missing) or base is None or fits(kind, base) else Kind.TEXT
    if isinstance(base, str) and kind is Kind.TEXT and needs_area(base):
        kind = Kind.TEXTAREA
    if not isinstance(base, Missing) and not (base is None and shape.nullable) and not fits(kind, base):
        kind = Kind.JSON
    options: tuple[JsonValue, ...] = (True, False) if kind is Kind.BOOLEAN else ()
    return replace(block, kind=kind, options=options)


def _collection(block: Leaf, element: Shape) -> Leaf:
    """A list of scalars: check boxes where the values are listed, else one per line."""
    base, shape = block.base, block.shape
    present = base if isinstance(base, list) else []
    if (
        not (isinstance(base, list | Missing) or (base is None and shape.nullable))
        or "prefixItems" in shape.schema
    ):
        return block
    if element.options and not element.nullable:
        listed = all(any(same(item, option) for option in element.options) for item in present)
        distinct = not any(same(a, b) for at, a in enumerate(present) for b in present[:at])
        many = len(present) <= MAX_ELEMENTS and len(element.options) <= MAX_ELEMENTS
        if many and listed and distinct:
            return replace(block, kind=Kind.CHECKBOXES, options=element.options)
        return block
    item_type = next(iter(element.types)) if len(element.types) == 1 else ""
    test = LINE_ITEMS.get(item_type)
    if test is None or element.nullable or not all(map(test, present)):
        return block
    return replace(block, kind=Kind.LINES, item_type=item_type)

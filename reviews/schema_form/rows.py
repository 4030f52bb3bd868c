"""The form as a template needs it: rows that compare the agent's proposal with the reviewer's version."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from .controls import ABSENT_KEY, NULL_KEY, checked, gives_back, read_moment, shown, unbroken
from .document import (
    MISSING,
    FieldError,
    JsonValue,
    Maybe,
    Missing,
    Tokens,
    compact,
    find,
    identical,
    pointer_of,
    pretty,
    same,
    tokens_of,
)
from .kinds import CHOOSING, Kind, fits, needs_area
from .plan import Branch, Leaf, Node, Presence, field_name, plan, presence_name, presence_of, presences_of
from .reading import BASE_NAME
from .shapes import help_of
from .wording import for_reading, height, legible, static_text, summary, words


@dataclass(frozen=True)
class Choice:
    value: str
    label: str
    selected: bool
    proposed: bool = False


@dataclass(frozen=True)
class Control:
    kind: Kind
    lines: int = 1  # height of a text area


@dataclass(frozen=True)
class Operation:
    """A button that works without JavaScript: `<button name="op" value="add:/flights">`."""

    value: str
    verb: str
    label: str


@dataclass(frozen=True)
class Beside:
    """What stands beside the agent's value: what a tool says of it, where it comes from. Hostile text.

    ``tone`` is "warn" or "", ``step`` the number of the step of the timeline that it leads to, 0 for none.
    """

    kind: str
    text: str
    tone: str
    icon: str
    step: int = 0


@dataclass(frozen=True)
class Row:
    """One line of the comparison. Texts come from an agent: hostile, to be escaped and shown whole."""

    pointer: str
    name: str
    element_id: str
    label: str
    help: str
    required: bool
    depth: int
    group: str  # the title of what this row is part of
    control: Control
    choices: tuple[Choice, ...]
    presence_name: str
    presences: tuple[Choice, ...]
    proposed: Maybe
    proposed_text: str
    proposed_is_code: bool
    proposed_key: str  # what the control holds for the proposal; to be compared in the browser
    proposed_presence: str
    resettable: bool  # the control can show the proposal
    value_text: str
    changed: bool
    missing_in_proposal: bool
    error: str | None
    long: bool
    extra: bool  # outside the schema
    operations: tuple[Operation, ...]
    moment: dt.datetime | None  # a date-time, to be shown in the reader's zone
    is_markdown: bool = False  # the schema says so: to be shown as it reads, and as it is written
    swaps: bool = False  # the choice decides which other fields there are
    beside: tuple[Beside, ...] = ()

    @property
    def doubtful(self) -> bool:
        """Tell whether something beside the value is a warning."""
        return any(note.tone == "warn" for note in self.beside)

    @property
    def kind(self) -> str:
        return self.control.kind.value

    @property
    def changed_for_good(self) -> bool:
        """Tell whether the row differs in a way that only the server can put back."""
        return self.changed and not self.resettable


@dataclass(frozen=True)
class FormView:
    rows: tuple[Row, ...]
    unknown: tuple[Row, ...]
    json_text: str
    changed_count: int
    errors: tuple[FieldError, ...]  # those that no row shows
    base_name: str
    base_text: str  # for a hidden field; empty where the form shows the proposal

    @property
    def reset_needs_server(self) -> bool:
        return any(row.changed_for_good for row in (*self.rows, *self.unknown))


def build(
    schema: object,
    proposed: JsonValue,
    edited: JsonValue,
    *,
    errors: Sequence[FieldError] = (),
    raw: Mapping[str, str] | None = None,
) -> FormView:
    """Return the rows of the form that shows `edited` beside `proposed`. Never fails to render.

    `raw` is what was typed into a form that could not be read (see `reading.typed_texts`).
    """
    form = plan(schema, edited, proposed)
    drawn = _Drawing(proposed, raw or {})
    drawn.draw(form)
    rows, stray = _with_errors(drawn.rows, errors)
    unknown = tuple(row for row in rows if row.extra and len(tokens_of(row.pointer)) == 1)
    count = _count(drawn.rows, same=same(proposed, edited))
    return FormView(
        rows=tuple(row for row in rows if row not in unknown),
        unknown=unknown,
        json_text=pretty(edited),
        changed_count=count,
        errors=stray,
        base_name=BASE_NAME,
        base_text="" if identical(proposed, edited) else compact(edited),
    )


def _count(rows: Sequence[Row], *, same: bool) -> int:
    """Count changed fields; a heading counts where no field under it tells of the change."""
    leaves = [row.pointer for row in rows if row.changed and row.control.kind is not Kind.GROUP]
    headings = [row.pointer for row in rows if row.changed and row.control.kind is Kind.GROUP]
    silent = [top for top in headings if not any(p.startswith(top + "/") for p in leaves + headings)]
    return 0 if same else max(len(leaves) + len(silent), 1)


class _Drawing:
    def __init__(self, proposed: JsonValue, raw: Mapping[str, str]) -> None:
        self.proposed = proposed
        self.raw = raw
        self.rows: list[Row] = []

    def draw(self, node: Node, *, last: bool = True, swaps: bool = False) -> None:
        if isinstance(node, Leaf):
            row = self._leaf(node, last=last)
            if swaps:
                swap = Operation(f"choose:{pointer_of(node.tokens[:-1])}", "choose", "Show its fields")
                row = replace(row, swaps=True, operations=(*row.operations, swap))
            self.rows.append(row)
            return
        if node.tokens:
            self.rows.append(self._heading(node, last=last))
        for at, child in enumerate(node.children, start=1):
            self.draw(child, last=at == len(node.children), swaps=child.tokens[-1] == node.shape.tag)

    def _leaf(self, leaf: Leaf, *, last: bool) -> Row:
        proposed = leaf.proposed
        text = shown(leaf, leaf.base)
        kind = leaf.kind
        name = field_name(leaf.tokens)
        if kind not in CHOOSING and kind not in {Kind.CHECKBOXES, Kind.STATIC}:
            text = unbroken(self.raw.get(name, text))
        if kind is Kind.TEXT and (needs_area(text) or (isinstance(proposed, str) and needs_area(proposed))):
            kind = Kind.TEXTAREA
        if kind is Kind.DATE and text and not fits(kind, text):
            kind = Kind.TEXT
        presences = self._presences(leaf)
        proposed_text, is_code = for_reading(leaf, proposed)
        return Row(
            pointer=pointer_of(leaf.tokens),
            name=name,
            element_id=_element_id(leaf.tokens),
            label=legible(leaf.label),
            help=help_of(leaf.shape),
            required=leaf.required,
            depth=leaf.depth,
            group=legible(leaf.group),
            control=Control(kind, lines=height(text)),
            choices=self._choices(leaf),
            presence_name=presence_name(leaf.tokens),
            presences=presences,
            proposed=proposed,
            proposed_text=proposed_text,
            proposed_is_code=is_code,
            is_markdown=isinstance(proposed, str) and not is_code and leaf.shape.is_markdown,
            proposed_key=shown(leaf, proposed),
            proposed_presence=presence_of(proposed).value,
            resettable=gives_back(leaf),
            value_text=static_text(leaf) if kind is Kind.STATIC else text,
            changed=not same(proposed, leaf.base),
            missing_in_proposal=isinstance(proposed, Missing),
            error=None,
            long=needs_area(proposed_text) or needs_area(text),
            extra=leaf.extra,
            operations=_element_operations(leaf, last=last) if leaf.is_element else (),
            moment=read_moment(proposed) if leaf.kind is Kind.DATETIME else None,
        )

    def _presences(self, node: Node) -> tuple[Choice, ...]:
        if isinstance(node, Leaf) and node.kind in CHOOSING:
            return ()
        now = self.raw.get(presence_name(node.tokens), presence_of(node.base).value)
        said = {Presence.VALUE: "Value", Presence.ABSENT: "Left out", Presence.NULL: "None (null)"}
        return tuple(Choice(p.value, said[p], p.value == now) for p in presences_of(node))

    def _choices(self, leaf: Leaf) -> tuple[Choice, ...]:
        if leaf.kind is Kind.CHECKBOXES:
            ticked = checked(leaf, leaf.base)
            wanted = checked(leaf, leaf.proposed)
            keys = [(compact(option), words(option)) for option in leaf.options]
            return tuple(Choice(key, label, key in ticked, key in wanted) for key, label in keys)
        if leaf.kind not in CHOOSING:
            return ()
        now = self.raw.get(field_name(leaf.tokens), shown(leaf, leaf.base))
        choices = [(compact(option), words(option)) for option in leaf.options]
        for presence in presences_of(leaf):
            if presence is Presence.ABSENT:
                choices.insert(0, (ABSENT_KEY, "Choose…" if leaf.required else "Left out"))
            elif presence is Presence.NULL:
                choices.append((NULL_KEY, "None (null)"))
        wanted_key = shown(leaf, leaf.proposed)
        return tuple(Choice(key, label, key == now, key == wanted_key) for key, label in choices)

    def _heading(self, branch: Branch, *, last: bool) -> Row:
        proposed = find(self.proposed, branch.tokens)
        container = list if branch.is_array else dict
        comparable = isinstance(proposed, container) and isinstance(branch.base, container)
        if comparable:
            changed = branch.is_array and len(proposed) != len(branch.base)  # type: ignore[arg-type]  # both are lists here
        else:
            changed = not same(proposed, branch.base)
        pointer = pointer_of(branch.tokens)
        operations: tuple[Operation, ...] = ()
        if branch.is_array:
            operations = (Operation(f"add:{pointer}", "add", f"Add to {legible(branch.label)}"),)
        elif branch.is_element:
            operations = _element_operations(branch, last=last)
        return Row(
            pointer=pointer,
            name=field_name(branch.tokens),
            element_id=_element_id(branch.tokens),
            label=legible(branch.label),
            help=help_of(branch.shape),
            required=branch.required,
            depth=branch.depth,
            group=legible(branch.group),
            control=Control(Kind.GROUP),
            choices=(),
            presence_name=presence_name(branch.tokens),
            presences=self._presences(branch),
            proposed=proposed,
            proposed_text=summary(proposed, is_array=branch.is_array),
            proposed_is_code=proposed is not MISSING and not isinstance(proposed, container),
            proposed_key="",
            proposed_presence=presence_of(proposed).value,
            resettable=False,
            value_text=summary(branch.base, is_array=branch.is_array),
            changed=changed,
            missing_in_proposal=isinstance(proposed, Missing),
            error=None,
            long=False,
            extra=False,
            operations=operations,
            moment=None,
        )


def _element_id(tokens: Tokens) -> str:
    return field_name(tokens).replace(".", "-")


def _element_operations(node: Node, *, last: bool) -> tuple[Operation, ...]:
    pointer, label = pointer_of(node.tokens), legible(node.label)
    operations = [Operation(f"remove:{pointer}", "remove", f"Remove {label}")]
    if node.tokens[-1] != "0":
        operations.append(Operation(f"up:{pointer}", "up", f"Move {label} up"))
    if not last:
        operations.append(Operation(f"down:{pointer}", "down", f"Move {label} down"))
    return tuple(operations)


def _with_errors(
    rows: Sequence[Row], errors: Sequence[FieldError]
) -> tuple[list[Row], tuple[FieldError, ...]]:
    """Give each error to the row it speaks of, or to the nearest row around that place."""
    at = {row.pointer: number for number, row in enumerate(rows)}
    found: dict[int, list[str]] = {}
    stray: list[FieldError] = []
    for error in errors:
        tokens = tokens_of(error.pointer)
        depth = next((n for n in range(len(tokens), -1, -1) if pointer_of(tokens[:n]) in at), None)
        if depth is None:
            stray.append(error)
            continue
        inside = " / ".join(legible(token) for token in tokens[depth:])
        message = f"{inside}: {error.message}" if inside else error.message
        found.setdefault(at[pointer_of(tokens[:depth])], []).append(message)
    marked = [replace(row, error=" ".join(found[n])) if n in found else row for n, row in enumerate(rows)]
    return marked, tuple(stray)

"""Pages by key, not by number: as fast on the last page as on the first, and stable while rows come and go.

A page begins after the row that the cursor names, by the row comparison ``(due_at, id) > (x, y)``, which
PostgreSQL answers from an index on those columns. Cursors are signed: nobody can make one, alter one, or
use one on another list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from django.core import signing
from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import BooleanField, F, Field, Func, Model, QuerySet, Value

MAX_LIMIT = 1000
_VERSION = 1
_MAX_CURSOR_LENGTH = 1024

M = TypeVar("M", bound=Model)
Direction = Literal["after", "before"]


class InvalidCursor(ValueError):
    """The cursor was not made here for this list, or has been altered."""


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """Some rows of a list, and the cursors of the pages beside it (None where the list ends)."""

    items: tuple[M, ...]
    next_cursor: str | None
    previous_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Key:
    """The columns that order a list: the same direction for all of them, and together unique."""

    names: tuple[str, ...]
    fields: tuple[Field[Any, Any], ...]
    descending: bool

    def ordering(self, *, backwards: bool) -> list[str]:
        sign = "-" if self.descending != backwards else ""
        return [sign + name for name in self.names]

    def beyond(self, values: Sequence[object], *, backwards: bool) -> Func:
        """Return the condition "comes after these values" in the direction of travel."""
        pairs = zip(values, self.fields, strict=True)
        return Func(
            _row(*(F(name) for name in self.names)),
            _row(*(Value(value, output_field=field) for value, field in pairs)),
            template="%(expressions)s",
            arg_joiner=" < " if self.descending != backwards else " > ",
            output_field=BooleanField(),
        )


def page(
    queryset: QuerySet[M],
    *,
    order_by: Sequence[str],
    limit: int,
    scope: str,
    cursor: str | None = None,
) -> Page[M]:
    """Return one page of ``queryset`` in the order of ``order_by``.

    ``order_by`` names columns of the model, never null, unique together, all ascending or all with a minus.
    ``scope`` says which list this is, its filters included (``inbox?queue=7``): a cursor is good for one
    scope. A page that is empty because its rows have gone has no cursors: begin again without one.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise ValueError(f"limit must be between 1 and {MAX_LIMIT}, not {limit}")
    key = _key(queryset.model, order_by)
    direction, values = ("after", None) if not cursor else _read(cursor, key, scope)
    backwards = direction == "before"
    rows = queryset.order_by(*key.ordering(backwards=backwards))
    if values is not None:
        rows = rows.filter(key.beyond(values, backwards=backwards))
    found = list(rows[: limit + 1])
    more = len(found) > limit
    items = found[:limit]
    if backwards:
        items.reverse()
    if not items:
        return Page((), None, None)
    # Travelling backwards we came from a later page, so there is a next one; likewise the other way round.
    has_next = more or backwards
    has_previous = (more and backwards) or (values is not None and not backwards)
    return Page(
        items=tuple(items),
        next_cursor=_write("after", items[-1], key, scope) if has_next else None,
        previous_cursor=_write("before", items[0], key, scope) if has_previous else None,
    )


def _row(*parts: F | Value) -> Func:
    return Func(*parts, template="(%(expressions)s)", output_field=BooleanField())


def _key(model: type[Model], order_by: Sequence[str]) -> _Key:
    descending = [name.startswith("-") for name in order_by]
    if not order_by or len(set(descending)) != 1:
        raise ValueError("order_by must name columns, all ascending or all descending")
    names = tuple(name.removeprefix("-") for name in order_by)
    try:
        found = [model._meta.get_field(name) for name in names]
    except FieldDoesNotExist as exc:
        raise ValueError(str(exc)) from exc
    fields = tuple(
        field
        for field in found
        if isinstance(field, Field) and field.concrete and not field.many_to_many and not field.null
    )
    if len(fields) != len(found):
        raise ValueError("order_by must name columns of the model that are never null")
    return _Key(names=names, fields=fields, descending=descending[0])


def _signer(scope: str) -> signing.Signer:
    return signing.Signer(salt=f"handrail.cursor/{scope}", sep=".")


def _write(direction: Direction, row: Model, key: _Key, scope: str) -> str:
    values = [field.value_to_string(row) for field in key.fields]
    content = {"v": _VERSION, "to": direction, "o": key.ordering(backwards=False), "k": values}
    return _signer(scope).sign_object(content)


def _read(cursor: str, key: _Key, scope: str) -> tuple[Direction, list[object]]:
    if len(cursor) > _MAX_CURSOR_LENGTH:
        raise InvalidCursor("The cursor is too long.")
    try:
        content = _signer(scope).unsign_object(cursor)
    except (signing.BadSignature, ValueError):
        raise InvalidCursor("The cursor was not made for this list.") from None
    # The signature is ours, so the content is ours too: but perhaps of an older version or of another order.
    if content.get("v") != _VERSION or content.get("o") != key.ordering(backwards=False):
        raise InvalidCursor("The cursor is of an older kind.")
    try:
        values = [field.to_python(text) for field, text in zip(key.fields, content["k"], strict=True)]
    except (KeyError, ValueError, ValidationError):
        raise InvalidCursor("The cursor does not fit this list.") from None
    return content["to"], values

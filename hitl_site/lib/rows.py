"""Rows that belong together, inserted by one statement: the whole of an act in one round trip.

``insert`` takes unsaved instances, the first of which leads, and writes them all or, where the lead meets one
that is there already, none. Instances that refer to each other are linked by the new numbers, which the
statement itself draws. Every column of every model is named, from the model itself, so that a new column can
never be forgotten; those left to the database's own default are left out.

The parameters go apart from the statement, all of them as text, so that PostgreSQL sees one statement for
each shape of an act and keeps its plan.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain, count
from typing import Any, Final

import orjson
import psycopg
from django.contrib.postgres.fields import ArrayField
from django.db import DEFAULT_DB_ALIAS, InterfaceError, OperationalError, connection, connections, models
from django.db.models.expressions import DatabaseDefault

Value = str | bytes | None
Adapter = Callable[[Any], Value]


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    attribute: str
    adapt: Adapter
    # The name of the relation, where the column refers to another row.
    relation: str | None


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    key: str
    key_attribute: str
    sequence: str | None
    columns: tuple[_Column, ...]
    # Where the columns that refer to another row stand, and those with a default of the database's own.
    relations: tuple[tuple[int, _Column], ...]
    defaults: tuple[tuple[int, _Column], ...]


# For each row, in the order of its table's columns: None for a parameter, the number of another row of the
# same statement whose key it takes, or LEFT_OUT.
LEFT_OUT: Final = -1
_Links = tuple[int | None, ...]


def insert(*rows: models.Model, unless_taken: Sequence[str] = ()) -> bool:
    """Insert the rows and give each its key. Return False, with nothing written, where the lead is taken:
    where a row with the same values in the columns ``unless_taken`` stands already.

    What another transaction is writing at this moment is waited for. Runs in the caller's transaction.
    """
    place = {id(row): index for index, row in enumerate(rows)}
    shape: list[tuple[type[models.Model], _Links]] = []
    values: list[Value] = []
    for row in rows:
        table = table_of(type(row))
        links = _links(row, table, place)
        shape.append((type(row), links))
        state = row.__dict__
        values += [
            None if (value := state[attribute]) is None else adapt(value)
            for attribute, adapt in _given(type(row), links)
        ]
    statement = _statement(tuple(shape), tuple(unless_taken))
    with server_side_cursor() as cursor:
        cursor.execute(statement, values)
        numbers = cursor.fetchone()
    if numbers is None:
        return False
    for row, number, (_, links) in zip(rows, numbers, shape, strict=True):
        table = table_of(type(row))
        row._state.adding = False
        row._state.db = DEFAULT_DB_ALIAS
        # Past the descriptors, which would forget the related row for its having got a key.
        row.__dict__[table.key_attribute] = number
        for at, column in table.relations:
            link = links[at]
            if link is not None and link != LEFT_OUT:
                row.__dict__[column.attribute] = numbers[link]
    return True


def copy(
    model: type[models.Model], rows: Iterable[Mapping[str, Any]], *, alike: Mapping[str, Any] | None = None
) -> None:
    """Write many rows of one model by COPY: each names every column by its attribute, but the key and what is
    ``alike`` in all of them.

    No instance is made, and PostgreSQL checks what it checks of any INSERT. In the caller's transaction. Rows
    that are made one by one are written while the next is made.
    """
    coming = iter(rows)
    first = next(coming, None)
    if first is None:
        return
    table = table_of(model)
    shared = alike or {}
    own = [column for column in table.columns if column.attribute not in shared]
    constant = [column for column in table.columns if column.attribute in shared]
    if len(constant) != len(shared):
        raise ValueError(f"{table.name} has no such column")
    tail = [_adapted(column, shared[column.attribute]) for column in constant]
    quote = connection.ops.quote_name
    names = ", ".join(quote(column.name) for column in (*own, *constant))
    connection.ensure_connection()
    with (
        connection.wrap_database_errors,
        connection.connection.cursor() as cursor,
        cursor.copy(f"COPY {quote(table.name)} ({names}) FROM STDIN") as writer,
    ):
        for row in chain((first,), coming):
            if len(row) != len(own):
                raise ValueError(f"a row of {table.name} names every column")
            writer.write_row([_adapted(column, row[column.attribute]) for column in own] + tail)


def _adapted(column: _Column, value: Any) -> Value:
    return None if value is None else column.adapt(value)


def server_side_cursor() -> Any:
    """Return a cursor whose parameters ($1, $2, ...) go apart from the statement, in Django's own wrapper."""
    line: Any = connections[DEFAULT_DB_ALIAS]
    line.ensure_connection()
    wrap = line.make_debug_cursor if line.queries_logged else line.make_cursor
    return wrap(psycopg.RawCursor(line.connection))


def first_answer(statement: str, values: Sequence[Value]) -> tuple[Any, ...]:
    """Return the row that answers the first question of a request: it tells whether the connection is alive.

    One that died while nobody used it is replaced, once, and the question put again.
    """
    try:
        return _one(statement, values)
    except (InterfaceError, OperationalError):
        if connection.in_atomic_block or connection.is_usable():
            raise
        connection.close()
        return _one(statement, values)


def _one(statement: str, values: Sequence[Value]) -> tuple[Any, ...]:
    with server_side_cursor() as cursor:
        cursor.execute(statement, values)
        row: tuple[Any, ...] = cursor.fetchone()
    return row


@lru_cache(maxsize=128)
def table_of(model: type[models.Model]) -> _Table:
    """Return the model's table with its columns, but a key from a sequence and what PostgreSQL makes."""
    key = model._meta.pk
    drawn = isinstance(key, models.AutoField | models.BigAutoField)
    fields = [
        field
        for field in model._meta.concrete_fields
        if not (drawn and field.primary_key) and not field.generated
    ]
    columns = tuple(
        _Column(
            name=str(field.column),
            attribute=field.attname,
            adapt=_adapter(field.target_field if field.is_relation else field),  # type: ignore[attr-defined]  # a relation has it
            relation=field.name if field.is_relation else None,
        )
        for field in fields
    )
    return _Table(
        name=model._meta.db_table,
        key=str(key.column),
        key_attribute=key.attname,
        sequence=f"{model._meta.db_table}_{key.column}_seq" if drawn else None,
        columns=columns,
        relations=tuple((at, column) for at, column in enumerate(columns) if column.relation is not None),
        defaults=tuple((at, columns[at]) for at, field in enumerate(fields) if field.has_db_default()),
    )


def _links(row: models.Model, table: _Table, place: dict[int, int]) -> _Links:
    near = row._state.fields_cache
    state = row.__dict__
    links: list[int | None] = [None] * len(table.columns)
    for index, column in table.relations:
        related = near.get(column.relation)
        if related is not None:
            links[index] = place.get(id(related))
    for index, column in table.defaults:
        if isinstance(state[column.attribute], DatabaseDefault):
            links[index] = LEFT_OUT
    return tuple(links)


@lru_cache(maxsize=256)
def _given(model: type[models.Model], links: _Links) -> tuple[tuple[str, Adapter], ...]:
    """Return the attributes that go as parameters, in their order, each with how it goes."""
    columns = zip(table_of(model).columns, links, strict=True)
    return tuple((column.attribute, column.adapt) for column, link in columns if link is None)


@lru_cache(maxsize=256)
def _statement(shape: tuple[tuple[type[models.Model], _Links], ...], unless_taken: tuple[str, ...]) -> str:
    """Return the statement: each INSERT reads the one before it, so that they run in this very order."""
    quote = connection.ops.quote_name
    tables = [table_of(model) for model, _ in shape]
    keys = [_key_of(index, tables, [links for _, links in shape]) for index in range(len(shape))]
    drawn = ", ".join(
        f"nextval('{quote(table.sequence)}') AS k{index}"
        for index, table in enumerate(tables)
        if table.sequence is not None
    )
    parts = [f"WITH k AS MATERIALIZED (SELECT {drawn})"]
    parameter = count(1)
    for index, (table, (_, links)) in enumerate(zip(tables, shape, strict=True)):
        names = [quote(table.key)] if table.sequence is not None else []
        values = [f"k.k{index}"] if table.sequence is not None else []
        for column, link in zip(table.columns, links, strict=True):
            if link != LEFT_OUT:
                names.append(quote(column.name))
                values.append(f"${next(parameter)}" if link is None else f"k.{keys[link]}")
        source = "k" if index == 0 else f"k, r{index - 1}"
        taken = f" ON CONFLICT ({', '.join(map(quote, unless_taken))}) DO NOTHING"
        ending = f"{taken if unless_taken and index == 0 else ''} RETURNING {quote(table.key)}"
        columns, filled = ", ".join(names), ", ".join(values)
        # Names of models and columns alone: every value is a parameter.
        parts.append(
            f"r{index} AS (INSERT INTO {quote(table.name)} ({columns}) SELECT {filled} FROM {source}{ending})"  # noqa: S608 - names of tables and columns of ours
        )
    numbers = ", ".join(f"k.{key}" for key in keys)
    return ", ".join(parts) + f" SELECT {numbers} FROM k, r{len(shape) - 1}"  # noqa: S608 - names of columns of ours


def _key_of(index: int, tables: Sequence[_Table], links: Sequence[_Links]) -> str:
    """Return the column of ``k`` that holds the key of a row: its own, or that of the row it belongs to."""
    table = tables[index]
    if table.sequence is not None:
        return f"k{index}"
    for column, link in zip(table.columns, links[index], strict=True):
        if column.name == table.key and link is not None and link != LEFT_OUT:
            return _key_of(link, tables, links)
    raise ValueError(f"{table.name} has no key of its own: its owner must be among the rows")


def _adapter(field: models.Field[Any, Any]) -> Adapter:
    if isinstance(field, models.JSONField):
        return _json
    if isinstance(field, models.BinaryField):
        return bytes
    if isinstance(field, models.BooleanField):
        return _boolean
    if isinstance(field, models.DateTimeField):
        return datetime.isoformat
    if isinstance(field, ArrayField):
        if not isinstance(field.base_field, models.CharField):
            raise TypeError(f"{field.model.__name__}.{field.name}: only texts stand in arrays")
        return _texts
    if isinstance(field, models.FloatField):
        return _float
    return str


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # as an integer beyond 64 bits
        return json.dumps(value)


def _texts(value: Sequence[str]) -> str:
    """Return an array as PostgreSQL reads it (Array Input and Output Syntax): every text in quotes."""
    quoted = (text.replace("\\", r"\\").replace('"', r"\"") for text in value)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


def _boolean(value: bool) -> str:
    return "t" if value else "f"


def _float(value: float) -> str:
    return repr(float(value))

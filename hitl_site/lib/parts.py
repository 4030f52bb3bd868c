"""Models out of statements of our own: the columns of several models in one row, as instances of each.

``PARTS = (Part.of(AgentKey, "k"), Part.of(Agent, "a"))`` names every column of the models in
``columns(PARTS)``, and ``instances(PARTS, values)`` makes of a row what the ORM would have made; None stands
for a model that an outer join did not find.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import DEFAULT_DB_ALIAS, models

from hitl_site.lib.instances import loaded


@dataclass(frozen=True, slots=True)
class Part:
    """One model in a row: its alias in the statement, and the columns that come."""

    model: type[models.Model]
    columns: str
    names: tuple[str, ...]
    key: int
    documents: tuple[int, ...]
    private: bool

    @staticmethod
    def of(
        model: type[models.Model],
        alias: str,
        *,
        without: frozenset[str] = frozenset(),
        private: bool = False,
    ) -> Part:
        """Return all columns of the model under this alias but those deferred, by their attributes.

        What people and agents said is ``private``: its JSON is read anew for each row, and nothing of it
        stays in the process.
        """
        fields = [
            field
            for field in model._meta.concrete_fields
            if field.attname not in without and not field.generated
        ]
        documents = [index for index, field in enumerate(fields) if isinstance(field, models.JSONField)]
        return Part(
            model=model,
            columns=", ".join(
                f'{alias}."{field.column}"' + ("::text" if index in documents else "")
                for index, field in enumerate(fields)
            ),
            names=tuple(field.attname for field in fields),
            key=next(index for index, field in enumerate(fields) if field.primary_key),
            documents=tuple(documents),
            private=private,
        )


def columns(parts: Sequence[Part]) -> str:
    """Return the parts' columns as they stand in a SELECT, in the order in which ``instances`` reads them."""
    return ", ".join(part.columns for part in parts)


def width(parts: Sequence[Part]) -> int:
    """Return how many columns the parts have."""
    return sum(len(part.names) for part in parts)


def instances(parts: Sequence[Part], values: Sequence[Any]) -> list[Any]:
    """Return one instance for each part, or None where its key is NULL."""
    found: list[Any] = []
    start = 0
    for part in parts:
        given = list(values[start : start + len(part.names)])
        start += len(part.names)
        if given[part.key] is None:
            found.append(None)
            continue
        read = json.loads if part.private else _document
        for index in part.documents:
            given[index] = None if given[index] is None else read(given[index])
        found.append(loaded(part.model, part.names, given, using=DEFAULT_DB_ALIAS))
    return found


@lru_cache(maxsize=1024)
def _document(text: str) -> Any:
    """Return the value of a JSON text. The same text is read once, and nobody changes what comes of it."""
    return json.loads(text)

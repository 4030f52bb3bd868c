"""Database fields of our own."""

from __future__ import annotations

import json
from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.types.json import Json


class OrderedJSONField(models.JSONField):
    """JSON kept as written, in PostgreSQL's ``json`` type: members keep their order, where jsonb sorts them.

    For documents whose order means something to people, such as the properties of a form's schema. It cannot
    be searched by content.
    """

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "json"

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        return None if value is None else Json(value)

    def from_db_value(self, value: Any, expression: object, connection: BaseDatabaseWrapper) -> Any:
        # psycopg has parsed a json column already; a text cast has not.
        return json.loads(value) if isinstance(value, str) else value

"""What a row of the list says beside its title: the one argument that matters, and what is at stake.

Both come from the proposal itself, by what the action type declares. A proposal that is too large to be read
for a glance says neither there; its own page shows it whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.db.models import Case, F, Func, IntegerField, Value, When
from django.utils.translation import gettext, ngettext

from hitl_site.lib import wording
from policies.models import ActionType
from reviews.models import ActionRequest, ReviewItem
from reviews.schema_form.document import find, tokens_of
from reviews.schema_form.titles import fields_of
from reviews.selectors.masking import mask

_LARGEST_READ: Final = 16_384
_LONGEST_SHORT: Final = 60
# A shorter one may stand in a title by chance.
_TELLING: Final = 4
# Beyond it a sum would not be exact, nor readable.
_LARGEST_AMOUNT: Final = Decimal(10) ** 15


@dataclass(frozen=True)
class Stated:
    """What one proposal says: ``fact`` in a few words, "" for none; ``amount`` None where it names none."""

    fact: str = ""
    amount: Decimal | None = None


def stated(items: Sequence[ReviewItem]) -> Mapping[int, Stated]:
    """Return what each item's proposal states, by the item's key. Two queries, whatever their number.

    Their actions come with their action types, whose schemas need not be loaded.
    """
    small = When(size__lte=_LARGEST_READ, then=F("arguments_canonical"))
    proposals = dict(
        ActionRequest.objects.filter(pk__in=[item.action_id for item in items])
        .annotate(size=Func("arguments_canonical", function="OCTET_LENGTH", output_field=IntegerField()))
        .values_list("pk", Case(small, default=Value(None)))
    )
    declared = ActionType.objects.in_bulk({item.action.action_type_id for item in items} - {None})
    found = {}
    for item in items:
        proposal = proposals.get(item.action_id)
        if proposal is not None:
            action_type = declared.get(item.action.action_type_id or 0)
            arguments = _read(proposal)
            found[item.pk] = Stated(
                fact_of(arguments, action_type=action_type, title=item.title),
                amount_in(arguments, action_type),
            )
    return found


def fact_of(arguments: Mapping[str, Any], *, action_type: ActionType | None, title: str) -> str:
    """Return the argument that says most beside the title, "" where there is none.

    Those that the action type calls material come first, then the required ones, then the others as they are
    declared; a short value before a yes, a number of entries or the length of a text. Secrets are covered, as
    in the context.
    """
    places = fields_of(action_type.title_template) if action_type is not None else ()
    shown = {place.partition(".")[0] for place in places}
    otherwise = ""
    for name in _in_order(arguments, action_type):
        value = mask(arguments[name], key=name)
        label = _label(name, action_type)
        if name in shown or value is None or value == "" or isinstance(value, dict):
            continue
        if isinstance(value, list):
            otherwise = otherwise or f"{label}: {len(value)}"
        elif isinstance(value, bool):
            said = gettext("yes") if value else gettext("no")
            otherwise = otherwise or f"{label}: {said}"
        elif isinstance(value, str) and (len(value) > _LONGEST_SHORT or "\n" in value):
            number = len(value.split())
            words = ngettext("{n} word", "{n} words", number).format(n=number)
            otherwise = otherwise or f"{label}: {words}"
        elif not (isinstance(value, str) and len(value) >= _TELLING and value in title):
            return f"{label}: {_counted(value, name, action_type)}"
    return otherwise


def amount_of(item: ReviewItem) -> Decimal | None:
    """Return the amount at stake in one item's proposal, as its action type declares; None for none."""
    return amount_in(_read(item.action.arguments_canonical), item.action.action_type)


def amount_in(arguments: Mapping[str, Any], action_type: ActionType | None) -> Decimal | None:
    """Return the number where the action type's pointer to the value leads, None where there is none."""
    if action_type is None or not action_type.value_pointer:
        return None
    value = find(dict(arguments), tokens_of(action_type.value_pointer))
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    amount = Decimal(value)
    return amount if abs(amount) < _LARGEST_AMOUNT else None


def _read(canonical: bytes | memoryview) -> dict[str, Any]:
    """Return arguments out of their canonical bytes, their fractions as they are written."""
    read: dict[str, Any] = json.loads(bytes(canonical), parse_float=Decimal)
    return read


def _in_order(arguments: Mapping[str, Any], action_type: ActionType | None) -> Iterator[str]:
    schema = (action_type.argument_schema if action_type is not None else None) or {}
    pointers = action_type.material_pointers if action_type is not None else ()
    material = [name for pointer in pointers for name in tokens_of(pointer)[:1]]
    required, properties = schema.get("required"), schema.get("properties")
    ordered = [
        *material,
        *(required if isinstance(required, list) else ()),
        *(properties if isinstance(properties, dict) else ()),
        *arguments,
    ]
    yield from (name for name in dict.fromkeys(map(str, ordered)) if name in arguments)


def _counted(value: object, name: str, action_type: ActionType | None) -> str:
    """Return a value as text, with its currency where it is what the action type declares as its value."""
    number = isinstance(value, int | Decimal)
    if action_type is not None and number and tokens_of(action_type.value_pointer) == (name,):
        return wording.money(str(value), action_type.currency).strip()
    return str(value)


def _label(name: str, action_type: ActionType | None) -> str:
    schema = (action_type.argument_schema if action_type is not None else None) or {}
    properties = schema.get("properties")
    described = properties.get(name) if isinstance(properties, dict) else None
    title = described.get("title") if isinstance(described, dict) else None
    return str(title or name.replace("_", " "))

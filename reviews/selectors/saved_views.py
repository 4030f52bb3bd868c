"""Saved views: which ones a person has, and where they lead."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

from django.contrib.auth.models import User
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Q, QuerySet
from django.db.models.functions import JSONObject

from reviews.models import Preferences, SavedView

SHARE: Final = "reviews.share_views"
# As many as fit beside the list; the page of views has them all.
_MOST_LISTED: Final = 12


@dataclass(frozen=True)
class Listed:
    """A view in the side bar."""

    public_id: str
    name: str
    query: str
    order: str
    shared: bool

    def url(self, inbox: str) -> str:
        """Return the address of the inbox as this view has it."""
        return inbox + address_of(self.query, order=self.order, public_id=self.public_id)


def address_of(query: str, *, order: str, public_id: str) -> str:
    """Return the query string that opens a view: its filters, its order, and which view it is."""
    fields = parse_qsl(query)
    fields += [("order", order)] if order else []
    return "?" + urlencode([*fields, ("saved", public_id)])


def views_of(person: User) -> QuerySet[SavedView]:
    """Return the person's own views and those that others share, by name."""
    return (
        SavedView.objects.filter(Q(owner=person) | Q(shared=True))
        .select_related("owner")
        .order_by("name", "id")
    )


def view_for(person: User, public_id: str) -> SavedView | None:
    """Return one of the views that this person has, None where there is none of that id."""
    return views_of(person).filter(public_id=public_id).first() if public_id else None


def may_change(view: SavedView, person: User) -> bool:
    """Say whether this person may rename or delete a view: their own, or a shared one with the right to."""
    return view.owner_id == person.pk or (view.shared and person.has_perm(SHARE))


def default_view(person: User) -> SavedView | None:
    """Return where the person chose to start, as long as they still have that view."""
    own = Preferences.objects.filter(user=person).values("default_view")
    return views_of(person).filter(pk__in=own).first()


def listed(person: User) -> list[Listed]:
    """Return the person's views as the side bar has them."""
    columns = ("public_id", "name", "query", "order", "shared")
    return [Listed(**row) for row in views_of(person).values(*columns)[:_MOST_LISTED]]


def listed_for(person: User) -> ArraySubquery:
    """Return the person's views as a part of another query."""
    columns = {name: name for name in ("public_id", "name", "query", "order", "shared")}
    views = SavedView.objects.filter(Q(owner=person) | Q(shared=True)).order_by("name", "id")
    return ArraySubquery(views.values(json=JSONObject(**columns))[:_MOST_LISTED])


def read_listed(rows: Sequence[Mapping[str, Any] | str]) -> list[Listed]:
    """Return what that part of the query answered."""
    return [Listed(**(json.loads(row) if isinstance(row, str) else row)) for row in rows]

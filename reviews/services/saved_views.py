"""Saved views: made, changed and taken away by their owners, and the shared ones by those who may share."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.utils.translation import gettext
from pydantic import JsonValue

from hitl_site.lib import ids
from policies.services import ledger
from reviews.models import Preferences, SavedView
from reviews.selectors import saved_views as selector
from reviews.services import rights
from reviews.services.rights import NotAllowed

_MOST: Final = 50
_LONGEST_NAME: Final = 80


class UnableToSave(Exception):
    """The view cannot be kept so. Nothing has changed."""


@transaction.atomic
def save(*, person: User, name: str, query: str, order: str, shared: bool, now: datetime) -> SavedView:
    """Keep a view under a name; the same name again replaces what it was. Sharing takes a right."""
    name = _name(name)
    own = SavedView.objects.select_for_update().filter(owner=person)
    # Two browsers of one person: the second waits, and then finds the first one's.
    User.objects.select_for_update().get(pk=person.pk)
    view = own.filter(name=name).first()
    if shared and not (view is not None and view.shared):
        rights.current_holder(person, selector.SHARE)
    if view is None and own.count() >= _MOST:
        raise UnableToSave(gettext("You have {most} views already. Delete one first.").format(most=_MOST))
    before = _said(view) if view is not None else None
    if view is None:
        view = SavedView(public_id=ids.new("sav"), owner=person, created_at=now)
    view.name, view.query, view.order, view.shared = name, query, order, shared
    view.save()
    _record(view, "view.saved", person=person, now=now, before=before, after=_said(view))
    return view


@transaction.atomic
def change(*, view_id: str, person: User, name: str, shared: bool, now: datetime) -> SavedView:
    """Rename a view, share it, or keep it to oneself again."""
    view = _to_change(view_id, person)
    name = _name(name)
    if shared and not view.shared:
        rights.current_holder(person, selector.SHARE)
    if SavedView.objects.filter(owner=view.owner, name=name).exclude(pk=view.pk).exists():
        raise UnableToSave(gettext("There is a view of that name already."))
    before = _said(view)
    view.name, view.shared = name, shared
    if _said(view) == before:
        return view
    view.save(update_fields=["name", "shared"])
    if not shared:
        # Others had it as their start: it is no longer theirs to see.
        Preferences.objects.filter(default_view=view).exclude(user=view.owner).update(default_view=None)
    _record(view, "view.changed", person=person, now=now, before=before, after=_said(view))
    return view


@transaction.atomic
def delete(*, view_id: str, person: User, now: datetime) -> None:
    """Take a view away; for whoever started there, the inbox is the start again."""
    view = _to_change(view_id, person)
    _record(view, "view.deleted", person=person, now=now, before=_said(view), after=None)
    view.delete()


@transaction.atomic
def start_with(*, view_id: str, person: User, now: datetime) -> None:
    """Make one of the person's views the one they start with; "" for none."""
    view = selector.view_for(person, view_id)
    if view_id and view is None:
        raise NotAllowed(gettext("There is no such view."))
    Preferences.objects.update_or_create(user=person, defaults={"default_view": view, "updated_at": now})


def _to_change(view_id: str, person: User) -> SavedView:
    view = SavedView.objects.select_for_update(of=("self",)).filter(public_id=view_id).first()
    if view is None:
        raise NotAllowed(gettext("There is no such view."))
    if view.owner_id != person.pk:
        if not view.shared:
            raise NotAllowed(gettext("There is no such view."))
        rights.current_holder(person, selector.SHARE)
    return view


def _name(name: str) -> str:
    name = " ".join(name.replace("\x00", "").split())
    if not name:
        raise UnableToSave(gettext("Give the view a name."))
    if len(name) > _LONGEST_NAME:
        raise UnableToSave(gettext("A name has at most {most} characters.").format(most=_LONGEST_NAME))
    return name


def _said(view: SavedView) -> dict[str, JsonValue]:
    return {"name": view.name, "query": view.query, "order": view.order, "shared": view.shared}


def _record(
    view: SavedView,
    verb: str,
    *,
    person: User,
    now: datetime,
    before: dict[str, JsonValue] | None,
    after: dict[str, JsonValue] | None,
) -> None:
    ledger.record(
        actor=ledger.Actor.person(person),
        verb=verb,
        object_kind="view",
        object_id=view.public_id,
        payload={"before": before, "after": after},
        now=now,
    )

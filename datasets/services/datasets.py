"""Datasets: named selections of cases."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, transaction

from datasets.models import Dataset
from datasets.selectors import cases
from datasets.selectors.selection import Selection
from hitl_site.lib import ids
from policies.services import ledger
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MAX_NAME_LENGTH: Final = 120


class UnableToCreate(Exception):
    """The dataset cannot be made as asked."""


class NameTaken(UnableToCreate):
    """Another dataset has this name."""


class UnknownActionType(UnableToCreate):
    """No action type of that name is declared, and none has a case."""


def create_dataset(
    *, name: str, description: str = "", selection: Selection, created_by: User | None, now: datetime
) -> Dataset:
    """Make a dataset. ``created_by`` is None on the command line, where the machine's operator acts."""
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise UnableToCreate(f"A dataset's name has 1 to {MAX_NAME_LENGTH} characters.")
    known = set(cases.action_type_names())
    for action_type in selection.action_types:
        if action_type not in known:
            raise UnknownActionType(f"There is no action type {action_type!r}.")
    actor = actor_of(created_by)
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(
                public_id=ids.new("dst"),
                name=name,
                description=description,
                selection=selection.document(),
                created_by=created_by,
                created_by_name=actor.name,
                created_at=now,
            )
            ledger.record(
                actor=actor,
                verb="dataset.created",
                object_kind="dataset",
                object_id=dataset.public_id,
                now=now,
                payload={"name": name, "selection": selection.document()},
            )
    except IntegrityError as exc:
        if Dataset.objects.filter(name=name).exists():
            raise NameTaken(f"There is a dataset named {name!r} already.") from exc
        raise
    return dataset


def actor_of(user: User | None) -> Actor:
    """Return who acts, for the ledger: a person, or the operator of the machine."""
    return Actor.system(name="command line") if user is None else Actor.person(user)

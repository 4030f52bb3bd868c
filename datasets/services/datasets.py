"""Datasets: named selections of cases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import IntegrityError, OperationalError, transaction
from django.utils.translation import gettext
from psycopg.errors import LockNotAvailable

from datasets.models import Dataset, RedactionProfile
from datasets.selectors import cases
from datasets.selectors.choices import Choices
from datasets.selectors.selection import Selection
from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
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


class UnknownProfile(UnableToCreate):
    """No redaction profile has this name."""


def create_dataset(
    *,
    name: str,
    description: str = "",
    selection: Selection,
    choices: Choices | None = None,
    redaction: str = "",
    created_by: User | None,
    now: datetime,
) -> Dataset:
    """Make a dataset. ``created_by`` is None on the command line, where the machine's operator acts.

    ``redaction`` names a profile, "" for none.
    """
    name = name.strip()
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        said = gettext("A dataset's name has 1 to {most} characters.")
        raise UnableToCreate(said.format(most=MAX_NAME_LENGTH))
    _check_action_types(selection, known_before=())
    choices = choices or Choices()
    profile = _profile(redaction)
    actor = actor_of(created_by)
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(
                public_id=ids.new("dst"),
                name=name,
                description=description,
                selection=selection.document(),
                choices=choices.document(),
                redaction=profile,
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
                payload={"name": name, **_settings(dataset)},
            )
    except IntegrityError as exc:
        if Dataset.objects.filter(name=name).exists():
            said = gettext("There is a dataset named {name!r} already.")
            raise NameTaken(said.format(name=name)) from exc
        raise
    return dataset


@transaction.atomic
def change_dataset(
    *,
    dataset_id: str,
    description: str,
    selection: Selection,
    choices: Choices,
    redaction: str = "",
    changed_by: User | None,
    now: datetime,
) -> Dataset:
    """Change what a dataset takes and what is made of it. Frozen versions stay as they are.

    Changing nothing records nothing. A dataset keeps its name: people and files refer to it.
    """
    try:
        dataset = Dataset.objects.select_for_update(of=("self",)).get(public_id=dataset_id)
    except OperationalError as exc:
        if not isinstance(exc.__cause__, LockNotAvailable):
            raise
        raise UnableToCreate(gettext("The dataset is being frozen. Try again in a moment.")) from exc
    before = _settings(dataset)
    _check_action_types(selection, known_before=Selection.from_document(dataset.selection).action_types)
    dataset.description = description
    dataset.selection = selection.document()
    dataset.choices = choices.document()
    dataset.redaction = _profile(redaction)
    after = _settings(dataset)
    if after == before:
        return dataset
    dataset.save(update_fields=["description", "selection", "choices", "redaction"])
    ledger.record(
        actor=actor_of(changed_by),
        verb="dataset.changed",
        object_kind="dataset",
        object_id=dataset.public_id,
        now=now,
        payload={"name": dataset.name, "before": before, "after": after},
    )
    return dataset


def _settings(dataset: Dataset) -> dict[str, JsonValue]:
    """Return what the ledger keeps of a dataset, stored documents in their newest form."""
    return {
        "description": dataset.description,
        "selection": Selection.from_document(dataset.selection).document(),
        "choices": Choices.from_document(dataset.choices).document(),
        "redaction": None if dataset.redaction is None else dataset.redaction.name,
    }


def _check_action_types(selection: Selection, *, known_before: Sequence[str]) -> None:
    known = {*cases.action_type_names(), *known_before}
    for action_type in selection.action_types:
        if action_type not in known:
            said = gettext("There is no action type {name!r}.")
            raise UnknownActionType(said.format(name=action_type))


def _profile(name: str) -> RedactionProfile | None:
    if not name:
        return None
    profile = RedactionProfile.objects.filter(name=name).order_by("-number").first()
    if profile is None:
        said = gettext("There is no redaction profile named {name!r}.")
        raise UnknownProfile(said.format(name=name))
    return profile


def actor_of(user: User | None) -> Actor:
    """Return who acts, for the ledger: a person, or the operator of the machine."""
    return Actor.system(name="command line") if user is None else Actor.person(user)

"""Redaction profiles: numbered documents that never change, and the redactor of a frozen version.

Saving a profile makes its next number; a version keeps the number that it was frozen with. Stored cases are
never redacted, only what is exported.
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from datasets.models import DatasetVersion, RedactionProfile
from datasets.redaction import Profile, Redactor, everything
from hitl_site.lib import ids
from policies.services import ledger
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MAX_NAME_LENGTH: Final = 120
DEFAULT_NAME: Final = "Personal data"


class UnableToSave(Exception):
    """The profile cannot be saved as asked."""


class NameTaken(UnableToSave):
    """A profile has this name already."""


class SavedMeanwhile(UnableToSave):
    """Somebody saved the profile after it was opened for editing."""


def redactor_for(version: DatasetVersion) -> Redactor | None:
    """Return what goes over every case of a version that leaves; None when it was frozen without a profile.

    Raises ``InvalidProfile`` when the stored document cannot be read: then nothing may leave.
    """
    if version.redaction is None:
        return None
    return Redactor(Profile.from_document(version.redaction.document), key_of(version.public_id))


def key_of(name: str) -> bytes:
    """Return the key of the pseudonyms of a version (by its id): of this installation, of no other version.

    The derivation never changes: a version exported again must give the same bytes.
    """
    return hmac.digest(settings.PSEUDONYM_SECRET, f"redaction:{name}".encode(), hashlib.sha256)


def save_profile(
    *, name: str, profile: Profile, based_on: int, saved_by: User | None, now: datetime
) -> RedactionProfile:
    """Save a profile under the next number. ``based_on`` is the number that was edited; 0 makes a new one.

    Saving what is there already changes nothing.
    """
    actor = Actor.system(name="command line") if saved_by is None else Actor.person(saved_by)
    return _save(name=name.strip(), profile=profile, based_on=based_on, actor=actor, now=now)


def default_profile(*, now: datetime) -> RedactionProfile:
    """Return the newest profile named "Personal data"; on first use it is made, with all detectors on."""
    newest = newest_of(DEFAULT_NAME)
    if newest is not None:
        return newest
    try:
        return _save(name=DEFAULT_NAME, profile=everything(), based_on=0, actor=Actor.system(), now=now)
    except NameTaken:
        # Two people came at once; one of them made it.
        made = newest_of(DEFAULT_NAME)
        assert made is not None
        return made


def newest_of(name: str) -> RedactionProfile | None:
    """Return the number of a profile that is in use."""
    return RedactionProfile.objects.filter(name=name).order_by("-number").first()


def _save(*, name: str, profile: Profile, based_on: int, actor: Actor, now: datetime) -> RedactionProfile:
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        said = gettext("A profile's name has 1 to {most} characters.")
        raise UnableToSave(said.format(most=MAX_NAME_LENGTH))
    document = profile.to_document()
    # Saved documents pass the same door as those from outside.
    Profile.from_document(document)
    newest = newest_of(name)
    number = 0 if newest is None else newest.number
    if newest is not None and number == based_on and newest.document == document:
        return newest
    if number != based_on:
        raise _refusal(name, based_on)
    try:
        with transaction.atomic():
            saved = RedactionProfile.objects.create(
                public_id=ids.new("rdp"),
                name=name,
                number=number + 1,
                document=document,
                created_by_name=actor.name,
                created_at=now,
            )
            ledger.record(
                actor=actor,
                verb="redaction.saved",
                object_kind="redaction_profile",
                object_id=saved.public_id,
                now=now,
                payload={
                    "name": name,
                    "number": saved.number,
                    "before": None if newest is None else newest.document,
                    "after": document,
                },
            )
    except IntegrityError as exc:
        if RedactionProfile.objects.filter(name=name, number=number + 1).exists():
            raise _refusal(name, based_on) from exc
        raise
    return saved


def _refusal(name: str, based_on: int) -> UnableToSave:
    if based_on == 0:
        return NameTaken(gettext("There is a profile named {name!r} already.").format(name=name))
    said = gettext("Somebody saved this profile after you opened it. Look at theirs, then save again.")
    return SavedMeanwhile(said)

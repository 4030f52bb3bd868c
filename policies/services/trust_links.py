"""Links by which somebody without an account reads the trust page: made, opened, revoked.

The address holds the link's id and a signature over it; what it shows, until when, and whether it was revoked
stand in the database and are read at each opening. Only the signature makes an id an address, so nobody who
reads the record or the database's rows can open one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.core import signing
from django.utils.translation import gettext

from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
from policies.models import TrustLink
from policies.selectors import people
from policies.services import ledger, rights
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

SHARE: Final = "policies.share_trust"
LONGEST: Final = timedelta(days=90)
_SALT: Final = "handrail.trust-link"
_LONGEST_NAME: Final = 200
_MOST_LIVE: Final = 50


class UnableToShare(Exception):
    """No such link can be made. Nothing has changed."""


class NoSuchLink(Exception):
    """There is no such link, or it shows nothing any more. Which of these is not told."""


def make(
    *, person: User, for_whom: str, filters: Mapping[str, str], lasts: timedelta, now: datetime
) -> TrustLink:
    """Make a link that shows the page of these filters until it expires. Takes the right to share."""
    name = " ".join(for_whom.replace("\x00", "").split())
    if not name:
        raise UnableToShare(gettext("Say for whom the link is."))
    if len(name) > _LONGEST_NAME:
        words = gettext("At most {most} characters say for whom it is.")
        raise UnableToShare(words.format(most=_LONGEST_NAME))
    if not timedelta(0) < lasts <= LONGEST:
        raise UnableToShare(gettext("A link lasts up to {days} days.").format(days=LONGEST.days))
    with rights.acting(person, SHARE) as actor:
        if TrustLink.objects.filter(revoked_at=None, expires_at__gt=now).count() >= _MOST_LIVE:
            words = gettext("{count} links are open already. Revoke one first.")
            raise UnableToShare(words.format(count=_MOST_LIVE))
        link = TrustLink.objects.create(
            public_id=ids.new("tlk"),
            filters=dict(filters),
            for_whom=name,
            made_by=person,
            made_by_name=person.get_full_name() or person.get_username(),
            made_at=now,
            expires_at=now + lasts,
        )
        said: dict[str, JsonValue] = {
            "for_whom": name,
            "filters": dict(filters),
            "expires_at": link.expires_at.isoformat(),
        }
        _record("trust_link.made", link, actor, now, said)
    return link


def revoke(*, link_id: str, person: User, now: datetime) -> TrustLink:
    """End a link at once. Twice is as once; one that has expired stays as it was."""
    with rights.acting(person, SHARE) as actor:
        link = TrustLink.objects.select_for_update(of=("self",)).filter(public_id=link_id).first()
        if link is None:
            raise NoSuchLink
        if link.revoked_at is None and link.expires_at > now:
            link.revoked_at, link.revoked_by_name = now, person.get_full_name() or person.get_username()
            link.save(update_fields=["revoked_at", "revoked_by_name"])
            _record("trust_link.revoked", link, actor, now, {"before": "open", "after": "revoked"})
    return link


def address_of(link: TrustLink) -> str:
    """Return the part of an address that opens the link: its id, signed."""
    return _signer().sign(link.public_id)


def opened(*, address: str, now: datetime) -> TrustLink:
    """Return the link of an address while it is good. Raises ``NoSuchLink`` for all that is not.

    It is good for as long as who made it may share: whoever left takes no view of the inside along.
    """
    try:
        public_id = _signer().unsign(address)
    except signing.BadSignature as problem:
        raise NoSuchLink from problem
    link = TrustLink.objects.filter(public_id=public_id, revoked_at=None, expires_at__gt=now).first()
    if link is None or not people.holders_among([link.made_by_id], SHARE):
        raise NoSuchLink
    return link


def _signer() -> signing.Signer:
    return signing.Signer(salt=_SALT, sep=".")


def _record(verb: str, link: TrustLink, actor: Actor, now: datetime, said: dict[str, JsonValue]) -> None:
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="trust_link",
        object_id=link.public_id,
        payload=said,
        now=now,
    )

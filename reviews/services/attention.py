"""Attention: what a reviewer had open and for how long, by the server's clock; and what they had typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib.auth.models import User
from django.core import signing
from django.db import transaction
from django.utils.translation import gettext

from hitl_site.lib import ids
from reviews.choices import ItemStatus
from reviews.models import Draft, ItemView, ReviewItem
from reviews.services.rights import current_reviewer

_SALT = "handrail.item-view"
_PARTS_LIMIT = 50
_DRAFT_LIMIT = 400 * 1024


class UnknownOpening(Exception):
    """The token was not issued to this person for this item."""


class DraftTooLarge(Exception):
    """More was typed than a draft keeps."""


@dataclass(frozen=True)
class Opening:
    """One opening of an item: what the decision says of how it was read."""

    token: str
    opened_at: datetime
    arguments_seen: bool
    parts_opened: tuple[str, ...]

    def milliseconds_until(self, now: datetime) -> int:
        """Return the time on the item, never negative and at most what the column holds (24 days)."""
        return max(0, min(int((now - self.opened_at).total_seconds() * 1000), 2_147_483_647))


def view_token(*, item: ReviewItem, reviewer: User, now: datetime) -> str:
    """Return the signed token of an opening. Making one writes nothing, so that a GET may."""
    return signing.dumps(
        {"v": ids.new("view"), "i": item.public_id, "u": reviewer.pk, "t": now.timestamp()}, salt=_SALT
    )


def opening(*, token: str, item_id: str, reviewer: User) -> Opening:
    """Return the opening that a token stands for, with what was noted of it since."""
    read = _read_token(token, item_id=item_id, reviewer=reviewer)
    row = ItemView.objects.filter(public_id=read.view_id).first()
    return Opening(
        token=token,
        opened_at=read.opened_at,
        arguments_seen=row is not None and row.arguments_seen_at is not None,
        parts_opened=tuple(row.parts_opened) if row is not None else (),
    )


@transaction.atomic
def note(
    *,
    token: str,
    item_id: str,
    reviewer: User,
    arguments_seen: bool,
    parts_opened: Sequence[str],
    editing: bool,
    now: datetime,
) -> ItemView:
    """Note that the person is still there, and what they have seen and opened. Seen things stay seen."""
    reviewer = current_reviewer(reviewer)
    read = _read_token(token, item_id=item_id, reviewer=reviewer)
    item = ReviewItem.objects.get(public_id=item_id)
    view, _ = ItemView.objects.select_for_update().get_or_create(
        public_id=read.view_id,
        defaults={
            "item": item,
            "reviewer": reviewer,
            "opened_at": read.opened_at,
            "last_seen_at": now,
        },
    )
    view.last_seen_at = now
    view.editing = editing
    if arguments_seen and view.arguments_seen_at is None:
        view.arguments_seen_at = now
    parts = dict.fromkeys([*view.parts_opened, *(part[:60] for part in parts_opened)])
    view.parts_opened = list(parts)[:_PARTS_LIMIT]
    view.save(update_fields=["last_seen_at", "editing", "arguments_seen_at", "parts_opened"])
    return view


@transaction.atomic
def save_draft(*, item_id: str, reviewer: User, form: Mapping[str, Sequence[str]], now: datetime) -> bool:
    """Keep what a person has typed. Return False once the item is closed: nothing is left to type for."""
    reviewer = current_reviewer(reviewer)
    # U+0000 cannot be stored; the replacement character shows where it was.
    kept = {
        name.replace("\0", "\ufffd"): [value.replace("\0", "\ufffd") for value in values]
        for name, values in form.items()
        if name != "csrfmiddlewaretoken"
    }
    if sum(len(name) + sum(map(len, values)) for name, values in kept.items()) > _DRAFT_LIMIT:
        raise DraftTooLarge(gettext("This is more than a draft can keep."))
    item = ReviewItem.objects.get(public_id=item_id)
    if item.status != ItemStatus.OPEN:
        return False
    Draft.objects.update_or_create(item=item, reviewer=reviewer, defaults={"form": kept, "updated_at": now})
    return True


@dataclass(frozen=True)
class _Token:
    view_id: str
    opened_at: datetime


def _read_token(token: str, *, item_id: str, reviewer: User) -> _Token:
    try:
        facts = signing.loads(token, salt=_SALT)
    except signing.BadSignature:
        raise UnknownOpening(gettext("This page was not opened here.")) from None
    if facts["i"] != item_id or facts["u"] != reviewer.pk:
        raise UnknownOpening(gettext("This page was opened by somebody else, or for another item."))
    return _Token(view_id=facts["v"], opened_at=datetime.fromtimestamp(facts["t"], tz=UTC))

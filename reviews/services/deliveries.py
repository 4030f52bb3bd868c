"""Sending: what waits in the outbox leaves for mailboxes and channels, at least once.

A worker takes every message that waits for one place, counts the attempt, commits, and then sends them as
one. One that dies in between has only delayed them: the next attempt comes by itself, later each time, and
after five the message is parked. A message says how many of what wait and where to look: the title of the
action type and a link that shows a page. Nothing that an agent wrote is in it, and no link decides anything.
"""

from __future__ import annotations

import ipaddress
import logging
import os
import socket
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import apprise
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext, gettext_noop, ngettext

from reviews.choices import DeliveryState, ItemStatus, Mail, NoticeKind
from reviews.models import Delivery, Preferences
from reviews.selectors import people, team
from reviews.selectors.inbox import my_turn
from reviews.services.queues import PREFIX

logger = logging.getLogger(__name__)

ATTEMPTS: Final = 5
_FIRST_WAIT: Final = timedelta(seconds=30)
_TOGETHER: Final = 500
_DIGEST: Final = timedelta(hours=1)
# Their messages go to their maker's own host, whatever stands in the address.
_FIXED_HOSTS: Final = frozenset(
    {"slack", "msteams", "workflow", "workflows", "discord", "tgram", "pagerduty"}
)
_ENDS: Final = {
    NoticeKind.ARRIVED: gettext_noop("waiting for an answer"),
    NoticeKind.ESCALATED: gettext_noop("passed on"),
    NoticeKind.CLAIM_LAPSED: gettext_noop("free again: a claim lapsed"),
    NoticeKind.HALF_TIME: gettext_noop("waiting, with half the time over"),
    NoticeKind.SECOND_LOOK: gettext_noop("looked at a second time"),
    NoticeKind.DIGEST: gettext_noop("waiting for you"),
}


class UnableToSend(Exception):
    """It could not be sent now. The words hold no address."""


@dataclass(frozen=True)
class Message:
    """What leaves: counted lines, and the page to open."""

    subject: str
    lines: tuple[str, ...]
    url: str


def send_due(*, now: datetime) -> int:
    """Send what is due, each place by itself. Return how many messages left."""
    sent = 0
    tried: set[tuple[int | None, int | None]] = set()
    while rows := _take(now=now, but=tried):
        first = rows[0]
        tried.add((first.user_id, first.channel_id))
        try:
            with translation.override(_language(first)):
                _send(first, message_of(rows))
        except Exception as problem:
            said = str(problem) if isinstance(problem, UnableToSend) else type(problem).__name__
            logger.warning("a message to %s was not sent: %s", first.channel or "a mailbox", said)
            _mark(rows, problem=said)
            continue
        _mark(rows, state=DeliveryState.SENT, sent_at=now, problem="")
        sent += 1
    return sent


def message_of(rows: Sequence[Delivery]) -> Message:
    """Return several messages for one place as one, in the language in force: seven refunds are one line."""
    counted = Counter((_title(row), NoticeKind(row.kind)) for row in rows if row.item is not None)
    lines = tuple(
        f"{number} × {title}: {gettext(_ENDS[kind])}" for (title, kind), number in counted.most_common(20)
    )
    items = {row.item.public_id for row in rows if row.item is not None}
    if len(items) == 1:
        path = f"/review/{min(items)}/"
    else:
        channel = rows[0].channel
        path = f"/inbox/?queue={channel.queue.slug}" if channel is not None else "/inbox/"
    number = len(items)
    several = ngettext("{n} item on Handrail", "{n} items on Handrail", number).format(n=number)
    subject = lines[0] if number == 1 else several
    return Message(subject=subject, lines=lines, url=settings.PUBLIC_URL + path)


def write_digests(*, now: datetime) -> int:
    """Write the hourly mail of everybody on duty, about what waits for them and no digest told them of.

    Return how many lines were written.
    """
    if not settings.MAIL_FROM:
        return 0
    wanting = people.reviewers().exclude(email="").filter(
        pk__in=people.reviewers().exclude(preferences__mail__in=[Mail.URGENT, Mail.OFF]).values("pk")
    )  # fmt: skip
    lately = Delivery.objects.filter(kind=NoticeKind.DIGEST, created_at__gt=now - _DIGEST)
    having = set(lately.values_list("user_id", flat=True))
    found = [person for person in wanting if person.pk not in having]
    duty = team.on_duty_among([person.pk for person in found], now=now)
    rows = []
    for person in found:
        if person.pk in duty:
            told = Delivery.objects.filter(kind=NoticeKind.DIGEST, user=person, item=OuterRef("pk"))
            new = my_turn(person).filter(~Exists(told)).order_by("due_at", "pk")
            rows += [
                Delivery(
                    user=person,
                    item_id=pk,
                    kind=NoticeKind.DIGEST,
                    key=f"digest:{person.pk}:{pk}",
                    send_at=now,
                    created_at=now,
                )
                for pk in new.values_list("pk", flat=True)[:_TOGETHER]
            ]
    return len(Delivery.objects.bulk_create(rows, ignore_conflicts=True))


@transaction.atomic
def _take(*, now: datetime, but: set[tuple[int | None, int | None]]) -> list[Delivery]:
    """Take up what waits for one place, with its attempt counted; empty where nothing is due."""
    while True:
        due = Delivery.objects.filter(state=DeliveryState.WAITING, send_at__lte=now)
        for user, channel in but:
            due = due.exclude(user=user, channel=channel)
        first = due.select_for_update(skip_locked=True, of=("self",)).order_by("send_at", "pk").first()
        if first is None:
            return []
        waiting = Delivery.objects.filter(
            state=DeliveryState.WAITING, user=first.user_id, channel=first.channel_id
        ).select_related("item__action__action_type", "channel__queue", "user")
        rows = list(waiting.select_for_update(skip_locked=True, of=("self",)).order_by("pk")[:_TOGETHER])
        rows = _still_wanted(rows, now=now)
        if rows:
            return rows
        but.add((first.user_id, first.channel_id))


def _still_wanted(rows: list[Delivery], *, now: datetime) -> list[Delivery]:
    """Put aside what is answered, given up or unwanted by now, and count the attempt for the rest."""
    quiet_until = _quiet_until(rows[0], now=now)
    taken = []
    for row in rows:
        if row.attempts >= ATTEMPTS:
            row.state = DeliveryState.PARKED
        elif not _is_wanted(row):
            row.state = DeliveryState.DROPPED
        elif quiet_until is not None:
            row.send_at = quiet_until
        else:
            row.send_at = now + _FIRST_WAIT * 2**row.attempts
            row.attempts += 1
            taken.append(row)
    Delivery.objects.bulk_update(rows, ["state", "attempts", "send_at"])
    return taken


def _is_wanted(row: Delivery) -> bool:
    if row.item is not None and row.kind != NoticeKind.SECOND_LOOK and row.item.status != ItemStatus.OPEN:
        return False
    if row.channel is not None:
        return row.channel.ended_at is None
    assert row.user is not None
    if not settings.MAIL_FROM or not row.user.email:
        return False
    # As they are now: what waits is no news for somebody who left or may not review any more.
    if not people.reviewers().filter(pk=row.user.pk).exists():
        return False
    own = Preferences.objects.filter(user=row.user).first()
    return (
        own is None or own.mail == Mail.DIGEST or (own.mail == Mail.URGENT and row.kind != NoticeKind.DIGEST)
    )


def _quiet_until(row: Delivery, *, now: datetime) -> datetime | None:
    """Return when the person's quiet hours end, by the clock where they are; None while it is not quiet."""
    own = Preferences.objects.filter(user=row.user_id).first() if row.user_id is not None else None
    if own is None or own.quiet_from is None or own.quiet_until is None:
        return None
    local = now.astimezone(ZoneInfo(own.time_zone or "UTC"))
    clock, begin, end = local.time().replace(tzinfo=None), own.quiet_from, own.quiet_until
    inside = begin <= clock < end if begin < end else clock >= begin or clock < end
    if not inside:
        return None
    ends = local.replace(hour=end.hour, minute=end.minute, second=0, microsecond=0)
    return ends if ends > local else ends + timedelta(days=1)


def _language(row: Delivery) -> str:
    """Return the language that who receives it has chosen; a channel has many readers, and English."""
    own = Preferences.objects.filter(user=row.user_id).first() if row.user_id is not None else None
    return own.language if own is not None and own.language in dict(settings.LANGUAGES) else "en"


def _send(to: Delivery, message: Message) -> None:
    if to.channel is not None:
        _send_to_channel(to.channel.name, message)
        return
    assert to.user is not None
    context = {"message": message}
    mail = EmailMultiAlternatives(
        message.subject,
        render_to_string("reviews/mail/notice.txt", context),
        settings.MAIL_FROM,
        [to.user.email],
    )
    mail.attach_alternative(render_to_string("reviews/mail/notice.html", context), "text/html")
    mail.send()


def _send_to_channel(name: str, message: Message) -> None:
    address = os.environ.get(PREFIX + name, "")
    check(address)
    # A redirect would lead past the check of the host.
    asset = apprise.AppriseAsset(http_redirects=False)
    place = apprise.Apprise(address, asset=asset)
    body = "\n".join([*message.lines, message.url])
    if not place or not place.notify(body=body, title=message.subject):
        raise UnableToSend("the channel did not take it")


def check(address: str) -> None:
    """Raise ``UnableToSend`` where an address is not among what the operator allows to connect to."""
    if not address:
        raise UnableToSend("the operator has set no address")
    scheme = address.partition("://")[0].lower()
    if scheme not in settings.NOTIFY_SCHEMES:
        raise UnableToSend(f"{scheme[:20]} is not among HANDRAIL_NOTIFY_SCHEMES")
    if scheme in _FIXED_HOSTS or settings.NOTIFY_PRIVATE:
        return
    try:
        host = urlsplit(address).hostname or ""
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except (OSError, ValueError):
        raise UnableToSend("its host is not known") from None
    if not found or not all(_is_public(str(ip)) for ip in found):
        raise UnableToSend("its host is in a private network")


def _is_public(text: str) -> bool:
    ip = ipaddress.ip_address(text.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_global and not (mapped or ip).is_multicast


def _mark(rows: Sequence[Delivery], **values: object) -> None:
    Delivery.objects.filter(pk__in=[row.pk for row in rows], state=DeliveryState.WAITING).update(**values)


def _title(row: Delivery) -> str:
    """Return the action type's own title: an undeclared type's name is an agent's word."""
    assert row.item is not None
    declared = row.item.action.action_type
    if declared is None:
        return gettext("Undeclared action")
    # It becomes the subject of a letter, which is one line: a title of two would never be sent.
    return " ".join(declared.title.split())

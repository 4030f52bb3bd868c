"""People are told once, with what it is about; messages leave together and hold no word of an agent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import time, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.models import User
from django.core import mail

from hitl_site.lib.clock import database_now
from policies.models import ActionType
from reviews.choices import DecisionKind, DeliveryState, NoticeKind
from reviews.models import Channel, Delivery, Notice, Preferences, ReviewItem
from reviews.services import claims, deliveries, notices, passing_on, reminders
from reviews.tests.cast import Cast, decide_as, held

pytestmark = pytest.mark.django_db

SOON = timedelta(minutes=1)


class Receiver(HTTPServer):
    """A webhook on this machine: it keeps what it was sent, and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), _Taking)


class _Taking(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> Iterator[Receiver]:
    found = Receiver()
    settings.NOTIFY_SCHEMES = frozenset({"json"})
    settings.NOTIFY_PRIVATE = True
    monkeypatch.setenv("HANDRAIL_CHANNEL_MONEY", f"json://127.0.0.1:{found.server_port}/hook")
    thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()
    thread.join()


@pytest.fixture
def posted(settings: LazySettings, cast: Cast) -> Cast:
    """The cast with mailboxes, and a server to send to."""
    settings.MAIL_FROM = "handrail@example.org"
    for person in (cast.alice, cast.bob):
        person.email = f"{person.username}@example.org"
        person.save(update_fields=["email"])
    return cast


def channel_of(item: ReviewItem) -> Channel:
    return Channel.objects.create(
        public_id="chn_" + "0" * 32, queue=item.queue, name="MONEY", created_at=database_now()
    )


def pass_on(cast: Cast, item: ReviewItem) -> None:
    passing_on.escalate(
        item_id=item.public_id,
        reviewer=cast.bob,
        note="Please",
        item_version=1,
        to_user=cast.alice,
        now=database_now(),
    )


def test_a_burst_leaves_as_one_message_without_a_word_of_the_agent(cast: Cast, receiver: Receiver) -> None:
    channel_of(held(cast))
    for _ in range(3):
        held(cast, arguments={"order": "SECRET-ORDER", "amount": 7, "message": "SECRET-TEXT"})
    now = database_now() + SOON
    assert deliveries.send_due(now=now) == 1
    assert deliveries.send_due(now=now + SOON) == 0
    (message,) = receiver.got
    assert "3 × Refund: waiting for an answer" in message["message"]
    assert "/inbox/?queue=general" in message["message"]
    assert "SECRET" not in json.dumps(message)


def test_what_cannot_be_delivered_is_tried_five_times_and_parked(cast: Cast, receiver: Receiver) -> None:
    channel_of(held(cast))
    held(cast)
    receiver.status = 500
    now = database_now() + SOON
    for _ in range(8):
        deliveries.send_due(now=now)
        now += timedelta(hours=1)
    row = Delivery.objects.get()
    assert (row.state, row.attempts, len(receiver.got)) == (DeliveryState.PARKED, 5, 5)
    assert "127.0.0.1" not in row.problem


def test_a_worker_that_dies_delays_a_message_and_loses_none(
    cast: Cast, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel_of(held(cast))
    held(cast)
    now = database_now() + SOON

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(deliveries, "_send", die)
        with pytest.raises(Killed):
            deliveries.send_due(now=now)
    assert receiver.got == []
    assert deliveries.send_due(now=now) == 0
    assert deliveries.send_due(now=now + SOON) == 1
    assert len(receiver.got) == 1


def test_what_was_answered_meanwhile_is_no_news(cast: Cast, receiver: Receiver) -> None:
    channel_of(held(cast))
    decide_as(cast.alice, held(cast), DecisionKind.REJECT)
    assert deliveries.send_due(now=database_now() + SOON) == 0
    assert Delivery.objects.get().state == DeliveryState.DROPPED


@pytest.mark.parametrize(
    "address",
    [
        "",
        "json://127.0.0.1/x",
        "json://10.0.0.1/x",
        "json://[::1]/x",
        "json://[::ffff:169.254.169.254]/x",
        "json://0177.1/x",
        "json://",
        "file:///etc/passwd",
        "mailtos://u:p@example.org",
    ],
)
def test_an_address_that_is_not_allowed_is_never_connected_to(address: str, settings: LazySettings) -> None:
    settings.NOTIFY_SCHEMES = frozenset({"json"})
    settings.NOTIFY_PRIVATE = False
    with pytest.raises(deliveries.UnableToSend):
        deliveries.check(address)


def test_what_is_passed_on_to_somebody_is_told_and_mailed_at_once_and_once(posted: Cast) -> None:
    item = held(posted)
    pass_on(posted, item)
    notice = Notice.objects.get()
    assert (notice.user, notice.kind) == (posted.alice, NoticeKind.ESCALATED)
    now = database_now()
    assert deliveries.send_due(now=now) == 1
    assert deliveries.send_due(now=now + SOON) == 0
    (letter,) = mail.outbox
    assert letter.to == ["alice@example.org"]
    assert f"/review/{item.public_id}/" in str(letter.body)
    assert "decide" not in str(letter.body)
    assert "Please" not in str(letter.message())


@pytest.mark.parametrize("lost", ["right", "account"])
def test_who_may_not_review_any_more_gets_no_letter(posted: Cast, lost: str) -> None:
    pass_on(posted, held(posted))
    if lost == "right":
        posted.alice.groups.clear()
    else:
        User.objects.filter(pk=posted.alice.pk).update(is_active=False)
    assert deliveries.send_due(now=database_now() + SOON) == 0
    assert Delivery.objects.get(user=posted.alice).state == DeliveryState.DROPPED
    assert mail.outbox == []


def test_a_title_of_two_lines_is_one_in_the_subject_of_a_letter(posted: Cast) -> None:
    ActionType.objects.filter(pk=posted.refund.pk).update(title="Refund\nBcc: all@example.org")
    pass_on(posted, held(posted))
    assert deliveries.send_due(now=database_now() + SOON) == 1
    (letter,) = mail.outbox
    assert letter.subject == "1 × Refund Bcc: all@example.org: passed on"
    assert letter.to == ["alice@example.org"]


def test_mail_keeps_quiet_hours_and_comes_after_them(posted: Cast) -> None:
    now = database_now()
    Preferences.objects.create(
        user=posted.alice,
        quiet_from=(now - timedelta(hours=1)).time(),
        quiet_until=time((now.hour + 2) % 24, 0),
        updated_at=now,
    )
    pass_on(posted, held(posted, timeout="20h"))
    assert deliveries.send_due(now=database_now()) == 0
    assert mail.outbox == []
    assert deliveries.send_due(now=now + timedelta(hours=2)) == 1


def test_a_digest_tells_of_each_item_once_an_hour_to_those_on_duty(posted: Cast) -> None:
    held(posted)
    held(posted)
    now = database_now()
    assert deliveries.write_digests(now=now) == 4
    assert deliveries.send_due(now=now) == 2
    assert sorted(letter.to[0] for letter in mail.outbox) == ["alice@example.org", "bob@example.org"]
    assert "2 × Refund: waiting for you" in str(mail.outbox[0].body)
    held(posted)
    assert deliveries.write_digests(now=now + timedelta(minutes=59)) == 0
    assert deliveries.write_digests(now=now + timedelta(minutes=61)) == 2


def test_a_claim_that_lapsed_ends_and_its_holder_is_told_once(cast: Cast) -> None:
    item = held(cast)
    now = database_now()
    claims.claim(item_id=item.public_id, reviewer=cast.alice, now=now)
    assert notices.end_claims(now=now) == 0
    later = now + timedelta(minutes=11)
    assert [notices.end_claims(now=later) for _ in range(2)] == [1, 0]
    item.refresh_from_db()
    assert item.claimed_by is None
    assert [(row.user, row.kind) for row in Notice.objects.all()] == [(cast.alice, NoticeKind.CLAIM_LAPSED)]


def test_half_the_time_over_is_told_to_who_holds_the_item(cast: Cast) -> None:
    item = held(cast, timeout="10m")
    now = database_now()
    claims.claim(item_id=item.public_id, reviewer=cast.alice, now=now)
    assert reminders.remind_due(now=now + timedelta(minutes=6)) == 1
    assert Notice.objects.get().kind == NoticeKind.HALF_TIME

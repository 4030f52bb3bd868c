"""News of what a person was told: the pages that are open ask for it, and a mailbox takes a real letter."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse

from hitl_site.lib.clock import database_now
from reviews.choices import DeliveryState, NoticeKind
from reviews.models import Delivery, Notice, ReviewItem
from reviews.services import deliveries, notices, passing_on
from reviews.tests.browsing import HTMX, browser_of, text_of
from reviews.tests.cast import Cast, held, make_person

pytestmark = pytest.mark.django_db


def tell(cast: Cast, *keys: str, item: ReviewItem | None = None) -> list[Notice]:
    item = item or held(cast)
    for key in keys:
        notices.tell(user=cast.alice, kind=NoticeKind.ESCALATED, item=item, key=key, now=database_now())
    return list(Notice.objects.filter(user=cast.alice).order_by("pk"))


def news_url(page: str) -> str:
    found = re.search(r'id="told"[^>]* hx-get="([^"]*)"', page)
    assert found is not None
    return found[1].replace("&amp;", "&")


def toasts(client: Client, url: str) -> list[str]:
    answer = client.get(url, headers=HTMX)
    assert answer.status_code == 200
    found = re.findall(r'<span class="grow" hx-ignore>(.*?)</span>', text_of(answer))
    return [re.sub(r"<[^>]+>", "", text) for text in found]


def test_a_page_asks_from_what_it_knows_and_hears_of_the_rest_once(cast: Cast) -> None:
    item = held(cast)
    tell(cast, "before", item=item)
    alice = browser_of(cast.alice)
    page = text_of(alice.get("/inbox/"))
    assert "<title>(1) My turn (1) · Handrail</title>" in page
    assert '<span class="count" data-unread>1</span>' in page
    url = news_url(page)
    assert alice.get(url, headers=HTMX).status_code == 204
    tell(cast, "after", item=item)
    assert toasts(alice, url) == ["Passed on to you: Refund 184 for SO-48213"]
    again = news_url(text_of(alice.get(url, headers=HTMX)))
    assert again != url
    assert alice.get(again, headers=HTMX).status_code == 204
    assert Notice.objects.filter(read_at=None).count() == 2


def test_what_was_seen_elsewhere_is_no_news_and_the_count_goes(cast: Cast) -> None:
    item, alice = held(cast), browser_of(cast.alice)
    url = news_url(text_of(alice.get("/inbox/")))
    tell(cast, "a", item=item)
    alice.post(reverse("reviews:notices_read"))
    assert toasts(alice, url) == []
    told = text_of(alice.get(url, headers=HTMX))
    assert 'data-count=""' in told
    page = text_of(alice.get("/inbox/"))
    assert "<title>My turn (1)" in page
    assert '<span class="count" data-unread hidden></span>' in page


def test_many_at_once_are_three_messages_and_a_number(cast: Cast) -> None:
    item, alice = held(cast), browser_of(cast.alice)
    url = news_url(text_of(alice.get("/inbox/")))
    tell(cast, *"abcde", item=item)
    answer = text_of(alice.get(url, headers=HTMX))
    assert len(re.findall("data-toast", answer)) == 4
    assert "2 more new notices" in answer
    assert 'data-count="5"' in answer


def test_nobody_hears_of_what_others_are_told_nor_a_stranger_of_anything(cast: Cast) -> None:
    tell(cast, "a")
    bob = browser_of(cast.bob)
    assert bob.get("/notices/news/?after=0&unread=0", headers=HTMX).status_code == 204
    assert browser_of(None).get("/notices/news/").status_code == 302
    assert browser_of(make_person("Otto")).get("/notices/news/").status_code == 403
    assert 'id="told"' not in text_of(browser_of(make_person("Mel", "ml_engineer")).get("/datasets/"))


@pytest.mark.parametrize("query", ["", "after=x&unread=-1", "after=" + "9" * 30, "after=%C2%B2"])
def test_nonsense_is_told_everything_that_is_new(cast: Cast, query: str) -> None:
    tell(cast, "a")
    assert len(toasts(browser_of(cast.alice), f"/notices/news/?{query}")) == 1


def test_an_agents_words_are_escaped_and_visible_in_a_message(cast: Cast) -> None:
    item = held(cast)
    ReviewItem.objects.filter(pk=item.pk).update(title="<img src=x>\u202eevil")
    tell(cast, "a", item=item)
    answer = text_of(browser_of(cast.alice).get("/notices/news/", headers=HTMX))
    assert "&lt;img src=x&gt;" in answer
    assert "U+202E" in answer
    assert "<img" not in answer
    assert "\u202e" not in answer


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server on this machine that keeps what it is sent (RFC 5321, as little as a client needs)."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        self.letters: list[tuple[str, list[str], EmailMessage]] = []
        super().__init__(("127.0.0.1", 0), _Conversation)


class _Conversation(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        sender = ""
        receivers: list[str] = []
        self._say("220 localhost")
        while line := self.rfile.readline().decode("ascii").rstrip("\r\n"):
            command = line[:4].upper()
            if command == "QUIT":
                self._say("221 bye")
                return
            if command == "DATA":
                self._say("354 go on")
                self.server.letters.append((sender, receivers, self._letter()))
                sender, receivers = "", []
            elif command == "MAIL":
                sender = line.partition("<")[2].partition(">")[0]
            elif command == "RCPT":
                receivers.append(line.partition("<")[2].partition(">")[0])
            self._say("250 ok")

    def _letter(self) -> EmailMessage:
        lines = []
        while (line := self.rfile.readline()) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        letter = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(letter, EmailMessage)
        return letter

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode("ascii"))


@pytest.fixture
def mailbox(settings: LazySettings) -> Iterator[Mailbox]:
    with Mailbox() as server:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", server.server_address[1]
        settings.EMAIL_HOST_USER = settings.EMAIL_HOST_PASSWORD = ""
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.MAIL_FROM = "handrail@example.org"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_real_letter_goes_out_by_smtp_in_text_and_html_with_a_link_that_only_shows(
    cast: Cast, mailbox: Mailbox, settings: LazySettings
) -> None:
    cast.alice.email = "alice@example.org"
    cast.alice.save(update_fields=["email"])
    item = held(cast)
    passing_on.escalate(
        item_id=item.public_id,
        reviewer=cast.bob,
        note="Please look",
        item_version=1,
        to_user=cast.alice,
        now=database_now(),
    )
    assert deliveries.send_due(now=database_now()) == 1
    ((sender, receivers, letter),) = mailbox.letters
    assert (sender, receivers) == ("handrail@example.org", ["alice@example.org"])
    assert letter["Subject"] == "1 × Refund: passed on"
    link = f"{settings.PUBLIC_URL}/review/{item.public_id}/"
    for kind in ("plain", "html"):
        part = letter.get_body((kind,))
        assert part is not None
        assert link in part.get_content()
        assert "Please look" not in part.get_content()
    assert browser_of(cast.alice).get(f"/review/{item.public_id}/").status_code == 200
    item.refresh_from_db()
    assert item.status == "open"


def test_a_mail_server_that_is_away_delays_the_letter_and_loses_none(cast: Cast, mailbox: Mailbox) -> None:
    cast.alice.email = "alice@example.org"
    cast.alice.save(update_fields=["email"])
    notices.tell(
        user=cast.alice, kind=NoticeKind.ESCALATED, item=held(cast), key="a", now=database_now(), mail=True
    )
    now = database_now()
    with pytest.MonkeyPatch.context() as away:
        away.setattr("smtplib.SMTP.connect", _refused)
        assert deliveries.send_due(now=now) == 0
    assert (Delivery.objects.get().state, mailbox.letters) == (DeliveryState.WAITING, [])
    assert deliveries.send_due(now=now + timedelta(hours=1)) == 1
    assert len(mailbox.letters) == 1


def _refused(*_: object) -> None:
    raise ConnectionRefusedError

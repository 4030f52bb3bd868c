"""Bodies that come slowly hold some of the places for reading, never the others' turn for good."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable
from typing import Any

import pytest

from hitl_site.lib.request_bodies import BoundedBodies, Environ, NoPlaceToRead


class Dripping:
    """A body that comes when the test says so."""

    def __init__(self) -> None:
        self.asked, self.comes = threading.Event(), threading.Event()

    def read(self, size: int = -1) -> bytes:
        self.asked.set()
        self.comes.wait(30)
        return b"late"


def reading(environ: Environ, start_response: Any) -> Iterable[bytes]:
    try:
        return [environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))]
    except NoPlaceToRead:
        return [b"no place"]


def answer(application: BoundedBodies, body: Any, **environ: str) -> bytes:
    return b"".join(application({"wsgi.input": body, "CONTENT_LENGTH": "9", **environ}, None))  # type: ignore[arg-type]  # nobody starts a response


def test_a_body_is_read_as_it_came() -> None:
    application = BoundedBodies(reading, places=1, longest=100)
    assert answer(application, io.BytesIO(b"something and more")) == b"something"


def test_while_slow_senders_hold_all_places_others_are_refused_and_afterwards_not() -> None:
    application = BoundedBodies(reading, places=1, longest=100)
    slow, answers = Dripping(), []
    sender = threading.Thread(target=lambda: answers.append(answer(application, slow)))
    sender.start()
    assert slow.asked.wait(30)
    assert answer(application, io.BytesIO(b"something")) == b"no place"
    slow.comes.set()
    sender.join(30)
    assert answers == [b"late"]
    assert answer(application, io.BytesIO(b"something")) == b"something"


def test_one_address_leaves_a_place_to_others() -> None:
    application = BoundedBodies(reading, places=3, each=2, longest=100)
    drips = [Dripping(), Dripping()]
    senders = [
        threading.Thread(target=answer, args=(application, slow), kwargs={"REMOTE_ADDR": "192.0.2.1"})
        for slow in drips
    ]
    for sender, slow in zip(senders, drips, strict=True):
        sender.start()
        assert slow.asked.wait(30)
    quick = io.BytesIO(b"something")
    assert answer(application, quick, REMOTE_ADDR="192.0.2.1") == b"no place"
    assert answer(application, quick, REMOTE_ADDR="192.0.2.2") == b"something"
    for sender, slow in zip(senders, drips, strict=True):
        slow.comes.set()
        sender.join(30)
    assert answer(application, io.BytesIO(b"something"), REMOTE_ADDR="192.0.2.1") == b"something"


@pytest.mark.parametrize(
    ("sent", "length"), [(b"", 0), (b"ten bytes.", 10), (b"x" * 101, 101), (b"x" * 500, 101)]
)
def test_a_chunked_body_gets_the_length_it_has_and_never_much_more_than_the_limit(
    sent: bytes, length: int
) -> None:
    seen: list[str] = []

    def application(environ: Environ, start_response: Any) -> Iterable[bytes]:
        seen.append(environ["CONTENT_LENGTH"])
        return [environ["wsgi.input"].read()]

    bounded = BoundedBodies(application, places=1, longest=100)
    assert answer(bounded, io.BytesIO(sent), HTTP_TRANSFER_ENCODING="chunked") == sent[:101]
    assert seen == [str(length)]

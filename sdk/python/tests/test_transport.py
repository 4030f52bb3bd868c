"""The transport by itself, against a server of a few lines that takes its time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from handrail.transport import Transport
from handrail.wire import Lost, Request, Response

BODY = b'{"ok": true}'


@contextmanager
def _server(*pieces: bytes) -> Iterator[str]:
    """Answer one request with ``pieces``, a moment apart, and close."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                for piece in pieces:
                    connection.sendall(piece)
                    time.sleep(0.15)

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        thread.join(5)


def _get(url: str) -> Response | Lost:
    request = Request(method="GET", url=url, timeout=5.0)
    return Transport(key="hr_live_x", user_agent="test").send(request)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    "pieces",
    [
        (HEAD + b"Content-Length: 12\r\n\r\n", BODY),
        (HEAD + b"Content-Length: 12\r\n\r\n", BODY[:5], BODY[5:]),
        (HEAD + b"\r\n", BODY),
        (HEAD[:20], HEAD[20:] + b"Content-Length: 12\r\n\r\n" + BODY),
    ],
    ids=["body after head", "body in parts", "body until the end", "head in parts"],
)
def test_a_last_answer_is_read_to_its_end_however_it_arrives(pieces: tuple[bytes, ...]) -> None:
    with _server(*pieces) as url:
        response = _get(url)
    assert isinstance(response, Response)
    assert (response.status, response.body) == (200, BODY)


def test_an_answer_that_ends_early_is_lost() -> None:
    with _server(HEAD + b"Content-Length: 12\r\n\r\n", BODY[:5]) as url:
        assert isinstance(_get(url), Lost)

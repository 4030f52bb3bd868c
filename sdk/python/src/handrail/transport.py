"""Blocking HTTP/1.1 on the standard library: no redirects, no proxies, one deadline for the whole exchange.

One connection a request. A reused connection that the server has just closed looks exactly like a lost
answer; at a few requests per held action the handshake is the cheaper of the two.
"""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

from handrail.wire import Lost, Request, Response

_CHUNK = 64 * 1024


class Transport:
    """Sends requests with the agent's key. Safe to share between threads."""

    def __init__(self, *, key: str, user_agent: str, ssl_context: ssl.SSLContext | None = None) -> None:
        self._key = key
        self._user_agent = user_agent
        self._ssl_context = ssl_context

    def send(self, request: Request) -> Response | Lost:
        """Return the response, whatever its status, or ``Lost``; never raise for the network's sake."""
        deadline = time.monotonic() + request.timeout
        try:
            connection, sock = self._connection(request, deadline)
        except (OSError, ValueError) as exc:
            return Lost(f"cannot connect: {exc}")
        try:
            return _exchange(connection, request, self._headers(request))
        except http.client.RemoteDisconnected:
            return Lost("the connection was closed without an answer")
        except http.client.IncompleteRead:
            return Lost("the connection was closed within the answer")
        except (http.client.HTTPException, ValueError) as exc:
            return Lost(f"not HTTP: {type(exc).__name__}", retryable=False)
        except OSError as exc:
            return Lost(f"the connection failed: {exc or type(exc).__name__}")
        finally:
            connection.close()
            sock.close()

    def _connection(
        self, request: Request, deadline: float
    ) -> tuple[http.client.HTTPConnection, socket.socket]:
        url = urlsplit(request.url)
        host = url.hostname or ""
        port = url.port or (443 if url.scheme == "https" else 80)
        plain = socket.create_connection((host, port), timeout=request.timeout)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.settimeout(_remaining(deadline))
            sock = plain
            if url.scheme == "https":
                context = self._ssl_context or ssl.create_default_context()
                sock = context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        connection = http.client.HTTPConnection(host, port)
        connection.sock = cast("socket.socket", _DeadlineSocket(sock, deadline))
        return connection, sock

    def _headers(self, request: Request) -> Mapping[str, str]:
        return {
            "Host": urlsplit(request.url).netloc,
            "Authorization": f"Bearer {self._key}",
            "User-Agent": self._user_agent,
            "Accept": "application/json, application/x-ndjson, application/problem+json",
            "Accept-Encoding": "identity",
            "Connection": "close",
            **request.headers,
        }


class _DeadlineSocket:
    """The three methods of a socket that ``http.client`` uses, each bounded by one deadline.

    A socket's own timeout starts anew with every byte, so a server that drips could hold an agent for ever.
    """

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._sock.settimeout(_remaining(self._deadline))
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_DeadlineReader(self._sock, self._deadline))

    def close(self) -> None:
        """Leave the socket open: ``http.client`` closes its own end before the body of a last answer is read.

        The transport, which made the socket, closes it when the exchange is over.
        """


class _DeadlineReader(io.RawIOBase):
    def __init__(self, sock: socket.socket, deadline: float) -> None:
        super().__init__()
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer is private
        self._sock.settimeout(_remaining(self._deadline))
        return self._sock.recv_into(buffer)


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("no whole answer in time")
    return left


def _exchange(
    connection: http.client.HTTPConnection, request: Request, headers: Mapping[str, str]
) -> Response | Lost:
    url = urlsplit(request.url)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    connection.request(request.method, target, body=request.body, headers=dict(headers))
    answer = connection.getresponse()
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        return Lost("the answer is compressed, which was not asked for", retryable=False)
    body = bytearray()
    while chunk := answer.read(_CHUNK):
        body += chunk
        if len(body) > request.limit:
            return Lost(f"the answer is longer than {request.limit} bytes", retryable=False)
    if answer.length:  # read(n) ends quietly where read() would raise
        return Lost("the connection was closed within the answer")
    return Response(
        answer.status, {name.lower(): value for name, value in answer.headers.items()}, bytes(body)
    )

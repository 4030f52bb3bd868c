"""Bodies of requests with bounds: senders that drip or stop never keep all of the site's threads.

The server hands a body over as it comes, and nothing can interrupt a read that waits for a sender. So only
some of the threads may read bodies at once. While slow senders hold all of those places, others that send a
body are refused for the moment, and whatever needs no body (pages, waits, health) is served as ever.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

# A read takes a millisecond as a rule: whoever has waited this long for a place is behind slow senders.
_PATIENCE_SECONDS: Final = 0.25

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class NoPlaceToRead(OSError):
    """Too many bodies are being read at this moment."""


class _Readable(Protocol):
    def read(self, size: int = ..., /) -> bytes: ...


class BoundedBodies:
    """A WSGI application around another that lets at most ``places`` requests read their bodies at once.

    A body without a length (chunked) is read up to ``longest`` bytes and one more, which is what the limit of
    its address then refuses.
    """

    def __init__(self, application: Application, *, places: int, longest: int) -> None:
        self._application = application
        self._places = threading.BoundedSemaphore(places)
        self._longest = longest

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request."""
        body = _Body(environ["wsgi.input"], self._places)
        environ["wsgi.input"] = body
        if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
            environ["CONTENT_LENGTH"] = str(body.fill(self._longest + 1))
        return self._application(environ, start_response)


class _Body(io.RawIOBase):
    """The body of one request, which takes a place for as long as a read of it lasts."""

    def __init__(self, source: _Readable, places: threading.BoundedSemaphore) -> None:
        super().__init__()
        self._source = source
        self._places = places
        self._ahead: io.BytesIO | None = None
        self._refusal: NoPlaceToRead | None = None

    def readable(self) -> bool:
        return True

    def fill(self, size: int) -> int:
        """Read up to ``size`` bytes ahead and return how many; a refusal is kept for whoever reads."""
        try:
            found = self._fetch(size)
        except NoPlaceToRead as refusal:
            self._refusal = refusal
            return size
        self._ahead = io.BytesIO(found)
        return len(found)

    def read(self, size: int | None = -1, /) -> bytes:
        if self._refusal is not None:
            raise self._refusal
        wanted = -1 if size is None else size
        return self._ahead.read(wanted) if self._ahead is not None else self._fetch(wanted)

    def readall(self) -> bytes:
        return self.read()

    def readinto(self, buffer: Any, /) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _fetch(self, size: int) -> bytes:
        if not self._places.acquire(timeout=_PATIENCE_SECONDS):
            raise NoPlaceToRead("Too many requests are being read at this moment.")
        try:
            # The server's own object takes no negative number for "all of it".
            return self._source.read(size) if size >= 0 else self._source.read()
        finally:
            self._places.release()

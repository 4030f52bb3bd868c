"""A proxy that breaks connections on command: between an agent and the site, or the site and its servers.

It runs an event loop in a thread of its own, so that tests steer it from theirs. What it does to a connection
is decided when bytes pass, so a fault reaches the connections that are open already.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

_CHUNK: Final = 64 * 1024
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER of nought: closing sends RST

Upstream = Path | tuple[str, int]
T = TypeVar("T")


class FaultProxy:
    """Listens on a loopback port and passes everything on to ``upstream``, until a test says otherwise."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self.port = 0
        self.delay = 0.0
        self.swallow = False
        self.answers_to_lose = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._do(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def heal(self) -> None:
        """Pass everything on again, and drop the connections that hang."""
        hung = self.swallow
        self.delay, self.swallow, self.answers_to_lose = 0.0, False, 0
        if hung:
            self.reset()

    def black_hole(self) -> None:
        """Take connections and bytes, pass nothing on, say nothing: what a cut cable looks like."""
        self.swallow = True

    def slow_down(self, seconds: float) -> None:
        """Hold every piece back for a while."""
        self.delay = seconds

    def lose_answers(self, count: int = 1) -> None:
        """Let this many requests through and drop their answers: done, and nobody knows."""
        self.answers_to_lose = count

    def reset(self) -> None:
        """Break every open connection."""
        self._loop.call_soon_threadsafe(self._reset)

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        self._reset()
        running = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _reset(self) -> None:
        for writer in list(self._open):
            _abort(writer)
        self._open.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            while self.swallow:
                await asyncio.sleep(0.02)
            if isinstance(self._upstream, Path):
                answers, there = await asyncio.open_unix_connection(str(self._upstream))
            else:
                answers, there = await asyncio.open_connection(*self._upstream)
            self._open.add(there)
            await asyncio.gather(self._up(reader, there), self._down(answers, writer))
        except (OSError, asyncio.IncompleteReadError):
            _abort(writer)
        finally:
            for end in (writer, there):
                if end is not None:
                    self._open.discard(end)
                    with suppress(OSError):
                        end.close()

    async def _up(self, reader: asyncio.StreamReader, there: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._hold_back()
            there.write(data)
            await there.drain()
        with suppress(OSError):
            there.write_eof()

    async def _down(self, answers: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await answers.read(_CHUNK):
            await self._hold_back()
            if self.answers_to_lose > 0:
                self.answers_to_lose -= 1
                raise ConnectionResetError("the answer is lost")
            writer.write(data)
            await writer.drain()
        with suppress(OSError):
            writer.write_eof()

    async def _hold_back(self) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        while self.swallow:
            await asyncio.sleep(0.02)


def _abort(writer: asyncio.StreamWriter) -> None:
    sock: socket.socket | None = writer.get_extra_info("socket")
    if sock is not None:
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()

"""The ASGI application of the stream process.

Two addresses wait here; everything else is refused, since the site answers on its own port.

- ``GET /api/v1/actions/{id}?wait=N``: holds until the action is final or the time is up, then lets Django
  answer as it would without ``wait``.
- ``GET /live/inbox``: server-sent events for a signed-in person; each says only "look again".
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore
from django.core.asgi import get_asgi_application
from django.core.handlers.asgi import ASGIRequest
from django.db import InterfaceError, OperationalError, close_old_connections
from django.http.cookie import parse_cookie
from django.utils.crypto import constant_time_compare
from psycopg import AsyncConnection
from psycopg.conninfo import make_conninfo
from psycopg_pool import AsyncConnectionPool

from hitl_site.lib import shutdown
from hitl_site.lib.problems import ProblemError
from policies.api import agent_key
from policies.choices import Scope as AgentScope
from reviews.selectors.actions import of_key
from reviews.selectors.inbox import may_look
from reviews.stream.wakeups import Wakeups

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LONGEST_WAIT = 30.0
HEARTBEAT = 15.0
STREAM_ENDS_AFTER = 300.0
# Changes that come in one burst are one look for the browser.
_SETTLE = 0.25
_ACTION = re.compile(r"/api/v1/actions/(act_[0-9a-f]{32})")
_HEADERS = [
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class StreamApplication:
    """Holds the waiting requests of one process."""

    def __init__(self) -> None:
        self._django = get_asgi_application()
        self._wakeups = Wakeups()
        self._pool: AsyncConnectionPool[AsyncConnection[Any]] | None = None
        self._listener: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and scope["path"] == "/live/inbox":
            await self._inbox(scope, receive, send)
        elif scope["type"] == "http" and (match := _ACTION.fullmatch(scope["path"])):
            await self._action(match[1], scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == "/livez":
            await _plain(send, 200, b"ok")
        elif scope["type"] == "http":
            await _plain(send, 404, b"This port holds long waits; the site answers on its own port.")

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._hear_of_the_end(asyncio.get_running_loop())
                conninfo = _conninfo()
                self._pool = AsyncConnectionPool(
                    conninfo, min_size=1, max_size=4, open=False, check=AsyncConnectionPool.check_connection
                )
                await self._pool.open()
                self._listener = asyncio.create_task(self._wakeups.listen(conninfo))
                await send({"type": "lifespan.startup.complete"})
            else:
                if self._listener is not None:
                    self._listener.cancel()
                if self._pool is not None:
                    await self._pool.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    def _hear_of_the_end(self, loop: asyncio.AbstractEventLoop) -> None:
        def on_stop() -> None:
            loop.call_soon_threadsafe(self._wakeups.stop)

        shutdown.tell(on_stop)

    async def _action(self, action_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        seconds = _seconds(scope["query_string"])
        if scope["method"] == "GET" and seconds > 0 and await sync_to_async(_may_wait)(scope, action_id):
            with self._wakeups.of_action(action_id) as changed:
                await self._until_final(action_id, changed, seconds, receive)
            scope = {**scope, "query_string": b""}
        # Django checks the key again and reads the row: a stranger's 401 or 404 comes at once.
        await self._django(dict(scope), _no_body(), send)  # type: ignore[arg-type]  # Send takes any mapping

    async def _until_final(
        self, action_id: str, changed: asyncio.Event, seconds: float, receive: Receive
    ) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + seconds
        gone = asyncio.create_task(_until_disconnected(receive))
        try:
            while (
                not gone.done()
                and not shutdown.asked()
                and (left := ends - loop.time()) > 0
                and await self._is_pending(action_id)
            ):
                change = asyncio.create_task(changed.wait())
                await asyncio.wait({change, gone}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
                changed.clear()
        finally:
            gone.cancel()

    async def _is_pending(self, action_id: str) -> bool:
        if self._pool is None:
            return False
        try:
            async with self._pool.connection() as connection:
                row = await (
                    await connection.execute(
                        "SELECT state FROM reviews_actionrequest WHERE public_id = %s", [action_id]
                    )
                ).fetchone()
        except psycopg.Error as error:
            # Django says what is the matter: it answers 503 when the database is gone.
            logger.warning("a wait could not look (%s)", error)
            return False
        return row is not None and row[0] == "pending_review"

    async def _inbox(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = dict(scope["headers"])
        try:
            person = await sync_to_async(_follower)(headers.get(b"cookie", b"").decode("latin-1"))
        except (OperationalError, InterfaceError) as error:
            logger.warning("nobody can follow the inbox now (%s)", error)
            await _plain(send, 503, b"The database does not answer.")
            return
        if person is None:
            await _plain(send, 403, b"Sign in to follow the inbox.")
            return
        gone = asyncio.create_task(_until_disconnected(receive))
        loop = asyncio.get_running_loop()
        ends = loop.time() + STREAM_ENDS_AFTER
        try:
            # Before the answer begins: whoever has it misses nothing from then on.
            with self._wakeups.of_inbox() as changed, self._wakeups.of_notices(person) as told:
                start = {"type": "http.response.start", "status": 200}
                await send({**start, "headers": [*_HEADERS, *_cors(headers)]})
                await _write(send, b"retry: 2000\nevent: hello\ndata: {}\n\n")
                while not gone.done() and not shutdown.asked() and loop.time() < ends:
                    await _until_one_of(changed, told, gone=gone)
                    if shutdown.asked():
                        break
                    events = {b"inbox-changed": changed, b"notices-changed": told}
                    news = [name for name, event in events.items() if event.is_set()]
                    for name in news:
                        events[name].clear()
                        await _write(send, b"event: %s\ndata: {}\n\n" % name)
                    if news:
                        await asyncio.sleep(_SETTLE)
                    else:
                        await _write(send, b": still here\n\n")
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()


def _may_wait(scope: Scope, action_id: str) -> bool:
    """Say whether the key may read this action: when another agent's is decided is nothing to wait for."""
    close_old_connections()
    try:
        key = agent_key(ASGIRequest(dict(scope), BytesIO()))
    except (ProblemError, OperationalError, InterfaceError):
        return False  # Django says what is the matter
    return AgentScope.ACTIONS_READ in key.scopes and of_key(key).filter(public_id=action_id).exists()


async def _until_one_of(*events: asyncio.Event, gone: asyncio.Task[None]) -> None:
    """Wait until one of the events is set, the follower is gone, or it is time for a sign of life."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait({*waits, gone}, timeout=HEARTBEAT, return_when=asyncio.FIRST_COMPLETED)
    for wait in waits:
        wait.cancel()


def _follower(cookies: str) -> int | None:
    """Return the key of the person whose session the cookie names, None unless they may see the inbox."""
    # No request of Django's begins here, which would let go of a connection that has died.
    close_old_connections()
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME)
    session = SessionStore(key)
    try:
        user = User.objects.get(pk=session[SESSION_KEY], is_active=True)
        if not constant_time_compare(session[HASH_SESSION_KEY], user.get_session_auth_hash()):
            return None
    except (KeyError, User.DoesNotExist, ValueError):
        return None
    return user.pk if may_look(user) else None


def _conninfo() -> str:
    database = settings.DATABASES["default"]
    return make_conninfo(
        dbname=database["NAME"],
        user=database["USER"] or None,
        password=database["PASSWORD"] or None,
        host=database["HOST"] or None,
        port=database["PORT"] or None,
        connect_timeout=2,
        application_name="handrail-stream",
    )


def _seconds(query: bytes) -> float:
    """Return how long to wait; 0 for whatever Django will refuse by itself."""
    raw = parse_qs(query.decode("latin-1")).get("wait", ["0"])[-1]
    return min(float(raw), LONGEST_WAIT) if raw.isascii() and raw.isdigit() and len(raw) <= 3 else 0.0


def _cors(headers: dict[bytes, bytes]) -> list[tuple[bytes, bytes]]:
    """Let the site's own pages read the stream, which is another port of the same host."""
    origin = headers.get(b"origin", b"").decode("latin-1")
    if not _is_own(origin, host=headers.get(b"host", b"").decode("latin-1")):
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"origin"),
    ]


def _is_own(origin: str, *, host: str) -> bool:
    """Say whether the origin is the site's: its public address, or its port on the host that was asked."""
    try:
        parts, asked = urlsplit(origin), urlsplit(f"//{host}")
        port = parts.port or (443 if parts.scheme == "https" else 80)
        same_host = parts.hostname is not None and parts.hostname == asked.hostname
    except ValueError:
        return False
    return origin == settings.PUBLIC_URL or (same_host and port == settings.HANDRAIL_PORT)


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _no_body() -> Receive:
    """Return a receive channel that gives an empty body once, and then stays silent."""
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> MutableMapping[str, Any]:
        message = next(messages, None)
        if message is None:
            await asyncio.Event().wait()
        return message or {"type": "http.disconnect"}

    return receive


async def _write(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})


async def _plain(send: Send, status: int, body: bytes) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", b"text/plain; charset=utf-8")],
        }
    )
    await send({"type": "http.response.body", "body": body})

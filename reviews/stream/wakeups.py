"""One LISTEN connection a process, fanned out to whoever waits here.

A wake-up carries no data that anyone relies on: whoever is woken reads the row again. When the connection is
lost everybody is woken, and again when it stands: what was missed meanwhile cannot be known.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterator

import psycopg

from reviews.services.wakeups import ACTION_CHANGED, INBOX_CHANGED, NOTICES_CHANGED

logger = logging.getLogger(__name__)

_RECONNECT_AFTER = 1.0


class Wakeups:
    """Who waits for what in this process."""

    def __init__(self) -> None:
        # By channel, and what of it.
        self._waiting: dict[tuple[str, str], set[asyncio.Event]] = defaultdict(set)
        self._inboxes: set[asyncio.Event] = set()

    def of_action(self, action_id: str) -> contextlib.AbstractContextManager[asyncio.Event]:
        """Give an event that is set whenever this action changes."""
        return self._of(ACTION_CHANGED, action_id)

    def of_notices(self, person_id: int) -> contextlib.AbstractContextManager[asyncio.Event]:
        """Give an event that is set whenever this person is told something, or has seen it."""
        return self._of(NOTICES_CHANGED, str(person_id))

    @contextlib.contextmanager
    def of_inbox(self) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever an item comes, goes or changes."""
        event = asyncio.Event()
        self._inboxes.add(event)
        try:
            yield event
        finally:
            self._inboxes.discard(event)

    async def listen(self, conninfo: str) -> None:
        """Hear notifications until cancelled; connect again, for ever, when the database went away."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(conninfo, autocommit=True) as connection:
                    for channel in (ACTION_CHANGED, INBOX_CHANGED, NOTICES_CHANGED):
                        await connection.execute(f"LISTEN {channel}")
                    self._wake_all()
                    async for notification in connection.notifies():
                        self._wake(notification.channel, notification.payload)
            except (psycopg.Error, OSError) as error:
                logger.warning("the live line was cut (%s); connecting again", error)
            self._wake_all()
            await asyncio.sleep(_RECONNECT_AFTER)

    def stop(self) -> None:
        """Wake everybody because this process ends: each gives the answer of the moment."""
        self._wake_all()

    @contextlib.contextmanager
    def _of(self, channel: str, what: str) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        self._waiting[channel, what].add(event)
        try:
            yield event
        finally:
            self._waiting[channel, what].discard(event)
            if not self._waiting[channel, what]:
                del self._waiting[channel, what]

    def _wake(self, channel: str, payload: str) -> None:
        events = self._inboxes if channel == INBOX_CHANGED else self._waiting.get((channel, payload), ())
        for event in events:
            event.set()

    def _wake_all(self) -> None:
        for events in [*self._waiting.values(), self._inboxes]:
            for event in events:
                event.set()

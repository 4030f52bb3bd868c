"""Wake-ups: PostgreSQL notifications that leave at commit. Whoever hears one reads the row again.

A lost wake-up costs a waiter at most its poll interval, never an answer.
"""

from __future__ import annotations

from django.db import connection

ACTION_CHANGED = "handrail_action"
INBOX_CHANGED = "handrail_inbox"
NOTICES_CHANGED = "handrail_notices"


def action_changed(action_id: str) -> None:
    """Wake the agents that wait for this action."""
    _notify(ACTION_CHANGED, action_id)


def inbox_changed(item_id: str) -> None:
    """Tell open inboxes that an item came, went or changed."""
    _notify(INBOX_CHANGED, item_id)


def notices_changed(person_id: int) -> None:
    """Tell the open pages of one person that they were told something, or have seen what they were told."""
    _notify(NOTICES_CHANGED, str(person_id))


def _notify(channel: str, payload: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, %s)", [channel, payload])

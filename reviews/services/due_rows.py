"""Working off rows whose time has come: each by itself, so that one that cannot be done holds up no other."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.db.models import Q, QuerySet

logger = logging.getLogger(__name__)

_BATCH = 200


def work_off(
    rows: QuerySet[Any], *, due: str, act: Callable[[int, datetime], bool], now: datetime, batch: int = _BATCH
) -> int:
    """Act on every row whose column ``due`` has passed, soonest first; return how many acts were done.

    ``act`` takes a row's key in a transaction of its own, looks again whether there is anything to do, and
    says whether it did it. A row that raises is logged and left for the next sweep: the walk goes on behind
    it, so that any number of such rows keeps nothing from the rest.
    """
    done = 0
    waiting = rows.filter(**{f"{due}__lte": now}).order_by(due, "pk")
    page = list(waiting.values_list(due, "pk")[:batch])
    while page:
        for _, key in page:
            try:
                done += act(key, now)
            except (InterfaceError, OperationalError):
                # A deadlock or a lock that never came is this row's trouble alone. A connection that is gone
                # is everybody's.
                if not _connected():
                    raise
                logger.exception("row %s of a sweep failed and will be tried again", key)
            except Exception:
                logger.exception("row %s of a sweep failed and will be tried again", key)
        at, last = page[-1]
        beyond = Q(**{f"{due}__gt": at}) | Q(**{due: at, "pk__gt": last})
        page = list(waiting.filter(beyond).values_list(due, "pk")[:batch])
    return done


def _connected() -> bool:
    return connection.connection is not None and connection.is_usable()

"""Rates: how many requests an agent may send. A token bucket for each, kept in Valkey for all processes.

A process takes a few tokens at a time and hands them out, so that most requests ask nobody. Where Valkey does
not answer, each process counts for itself and is stricter than the shared bucket would be: an outage never
opens the gate to a flood. A broken line is tried again by one request every few seconds; the others do not
wait for it.

The answers' header fields are those of draft-ietf-httpapi-ratelimit-headers: ``RateLimit-Policy`` and
``RateLimit``.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from policies.models import Agent

logger = logging.getLogger(__name__)

_TIMEOUT: Final = 0.25
_TRY_AGAIN_AFTER: Final = 5.0
# What a process takes at once lasts a twentieth of a second at the full rate, and is given up after a second.
_HANDFULS_A_MINUTE: Final = 1200
_KEPT_FOR: Final = 1.0
# Without Valkey: half of the rate, shared by as many processes as this machine runs.
_SHARE: Final = 2 * (os.cpu_count() or 1)
_AGENTS_KEPT: Final = 10_000

# Takes up to ARGV[3] whole tokens from a bucket that holds ARGV[2] and gains ARGV[1] a second.
# Answers how many were there, how many are left, and the milliseconds until the next one.
_TAKE: Final = """
local rate, burst, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] + clock[2] / 1000000
local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens, at = tonumber(kept[1]) or burst, tonumber(kept[2]) or now
tokens = math.min(burst, tokens + math.max(0, now - at) * rate)
local given = math.min(wanted, math.floor(tokens))
tokens = tokens - given
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.6f', now))
redis.call('PEXPIRE', KEYS[1], math.ceil(burst / rate * 1000) + 1000)
return {given, math.floor(tokens), math.ceil((1 - tokens % 1) / rate * 1000)}
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests a minute, and so many at once after a rest."""

    per_minute: int
    burst: int


@dataclass(frozen=True, slots=True)
class Rate:
    """Whether one request may go on, and what the agent is told about the next ones."""

    allowed: bool
    limit: Limit
    remaining: int
    wait_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        """Return the fields of the answer."""
        full_again = math.ceil((self.limit.burst - self.remaining) * 60 / self.limit.per_minute)
        reset = max(self.wait_seconds, full_again)
        return {
            "RateLimit-Policy": f'"agent";q={self.limit.per_minute};w=60',
            "RateLimit": f'"agent";r={self.remaining};t={reset}',
        }


@dataclass(slots=True)
class _Hand:
    """Tokens that this process has taken and not handed out yet."""

    tokens: int
    left: int
    until: float


@dataclass(slots=True)
class _Bucket:
    """The bucket of this process alone, for as long as there is no shared one."""

    tokens: float
    at: float


_lock = threading.Lock()
_hands: OrderedDict[str, _Hand] = OrderedDict()
_buckets: OrderedDict[str, _Bucket] = OrderedDict()
_line: redis.Redis | None = None
_silent_until = 0.0


def limit_of(agent: Agent) -> Limit:
    """Return the agent's own limit, or what the settings say for every agent. A sixth may come at once."""
    per_minute = agent.rate_per_minute or settings.RATE_PER_MINUTE
    return Limit(per_minute, agent.rate_burst or max(1, per_minute // 6))


def take(*, agent: Agent) -> Rate:
    """Count one request of this agent, and say whether it may go on."""
    limit, now = limit_of(agent), time.monotonic()
    with _lock:
        hand = _hands.get(agent.public_id)
        if hand is not None and hand.tokens > 0 and now < hand.until:
            hand.tokens -= 1
            return Rate(True, limit, hand.left + hand.tokens, 0)
    shared = _take_shared(agent, limit, now)
    return shared if shared is not None else _take_alone(agent, limit, now)


def forget() -> None:
    """Begin as a new process does: with empty hands, and a line that nobody has tried."""
    global _line, _silent_until
    with _lock:
        _hands.clear()
        _buckets.clear()
        _line, _silent_until = None, 0.0


def _take_shared(agent: Agent, limit: Limit, now: float) -> Rate | None:
    """Take a handful from the shared bucket and hand out one; None when nobody keeps one."""
    handful = max(1, min(limit.burst, limit.per_minute // _HANDFULS_A_MINUTE))
    answer = _ask(agent.public_id, limit, handful, now)
    if answer is None:
        return None
    given, left, milliseconds = answer
    if given == 0:
        return Rate(False, limit, 0, max(1, math.ceil(milliseconds / 1000)))
    with _lock:
        _hands[agent.public_id] = _Hand(given - 1, left, now + _KEPT_FOR)
        _hands.move_to_end(agent.public_id)
        if len(_hands) > _AGENTS_KEPT:
            _hands.popitem(last=False)
    return Rate(True, limit, left + given - 1, 0)


def _take_alone(agent: Agent, limit: Limit, now: float) -> Rate:
    rate = limit.per_minute / 60 / _SHARE
    burst = max(1.0, limit.burst / _SHARE)
    with _lock:
        bucket = _buckets.setdefault(agent.public_id, _Bucket(burst, now))
        bucket.tokens = min(burst, bucket.tokens + max(0.0, now - bucket.at) * rate)
        bucket.at = now
        allowed = bucket.tokens >= 1
        if allowed:
            bucket.tokens -= 1
        wait = 0 if allowed else max(1, math.ceil((1 - bucket.tokens) / rate))
        remaining = int(bucket.tokens)
        if len(_buckets) > _AGENTS_KEPT:
            _buckets.popitem(last=False)
    return Rate(allowed, limit, remaining, wait)


def _ask(agent_id: str, limit: Limit, handful: int, now: float) -> tuple[int, int, int] | None:
    global _line, _silent_until
    with _lock:
        if now < _silent_until:
            return None
        # Should this one hang, the others do not try as well; when it ends well the line is open again.
        was_silent, _silent_until = _silent_until > 0, (now + _TRY_AGAIN_AFTER if _silent_until else 0.0)
        if _line is None:
            _line = redis.Redis.from_url(
                settings.REDIS_URL,
                socket_timeout=_TIMEOUT,
                socket_connect_timeout=_TIMEOUT,
                retry=Retry(NoBackoff(), 0),
            )
        line = _line
    try:
        given, left, milliseconds = line.register_script(_TAKE)(
            keys=[f"handrail:rate:{agent_id}"], args=[limit.per_minute / 60, limit.burst, handful]
        )
    except (redis.RedisError, OSError, ValueError) as error:
        with _lock:
            _silent_until = time.monotonic() + _TRY_AGAIN_AFTER
        if not was_silent:
            logger.warning("no shared rates (%s); every process counts for itself, and stricter", error)
        return None
    if was_silent:
        with _lock:
            _silent_until = 0.0
            _buckets.clear()
    return int(given), int(left), int(milliseconds)

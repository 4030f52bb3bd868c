"""Keys: how agents sign in.

A key reads ``hr_live_<id>_<secret>_<check>``: eight characters that find it, 43 that prove it (256 bits), and
six that catch a slip of the pen or a cut-off paste before any question to the database: CRC-32 over all
before the last underscore, in base 62. Digits are ``0-9A-Za-z``, so an underscore only ever separates. Stored
is ``HMAC-SHA256(pepper, everything before the check)``: whoever reads the table alone cannot even try keys.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
import string
import zlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext

from hitl_site.lib import ids, parts, rows
from hitl_site.lib.parts import Part
from policies.choices import AgentState, Scope
from policies.models import Agent, AgentKey
from policies.services import ledger
from policies.services.ledger import Actor

LONGEST_OVERLAP: Final = timedelta(days=30)
_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_TOKEN: Final = re.compile(r"(hr_live_([0-9A-Za-z]{8})_[0-9A-Za-z]{43})_([0-9A-Za-z]{6})")
_USE_IS_NOTED_EVERY: Final = timedelta(minutes=1)
_PARTS: Final = (Part.of(AgentKey, "k"), Part.of(Agent, "a"))
_MOST_NAMES: Final = 4096
# By lookup: whose the key was when it was last good here.
_names: dict[str, str] = {}
# A row comes in any case, since the time does. Filled with names of columns alone.
_BY_LOOKUP: Final = f"""
    SELECT clock_timestamp(), {parts.columns(_PARTS)}
    FROM (VALUES ($1)) AS asked(lookup)
    LEFT JOIN policies_agentkey k ON k.lookup = asked.lookup
    LEFT JOIN policies_agent a ON a.id = k.agent_id
"""  # noqa: S608 - names of tables and columns of ours


class UnableToCreateKey(ValueError):
    """The key cannot be made as asked."""


class KeyReplaced(UnableToCreateKey):
    """The key is being replaced already, or its predecessor is still good."""


class UnknownKey(Exception):
    """No live key reads like this. Whether it never was, ran out or was revoked is not told."""


class WrongAddress(Exception):
    """The key is live, but not good from where it was used."""


def create_key(
    *,
    agent: Agent,
    scopes: Collection[str],
    environments: Collection[str] = (),
    addresses: Collection[str] = (),
    expires_at: datetime | None = None,
    actor: Actor,
    now: datetime,
) -> tuple[AgentKey, str]:
    """Make a further key for the agent; return it with its text, which is told this once and never again.

    ``addresses`` are networks in CIDR form from which alone the key is good; none means from anywhere.
    """
    unknown = sorted(set(scopes) - set(Scope))
    if unknown:
        told = gettext("Unknown scope {unknown}; there are {known}.")
        known = ", ".join(scope.value for scope in Scope)
        raise UnableToCreateKey(told.format(unknown=", ".join(unknown), known=known))
    if not scopes:
        raise UnableToCreateKey(gettext("A key without a scope opens nothing: name at least one."))
    if expires_at is not None and expires_at <= now:
        raise UnableToCreateKey(gettext("A key has to expire in the future."))
    if agent.state == AgentState.RETIRED:
        raise UnableToCreateKey(gettext("{name} is retired.").format(name=agent.name))
    return _make(
        agent=agent,
        scopes=sorted(set(scopes)),
        environments=sorted(set(environments)),
        addresses=_networks(addresses),
        expires_at=expires_at,
        replaces=None,
        actor=actor,
        now=now,
    )


def rotate_key(*, key: AgentKey, overlap: timedelta, actor: Actor, now: datetime) -> tuple[AgentKey, str]:
    """Replace a key by one that may do the same; return the new one with its text, told this once.

    Both are good for the length of ``overlap``, so that whoever uses the old one can change over without a
    gap; then the old one ends. Never more than these two: a key that is being replaced, or whose predecessor
    is still good, waits until that is over.
    """
    if not timedelta(0) <= overlap <= LONGEST_OVERLAP:
        raise UnableToCreateKey(
            gettext("Both keys are good together for {days} days at most.").format(days=LONGEST_OVERLAP.days)
        )
    with transaction.atomic():
        # The agent first: two rotations at once are one after the other.
        agent = Agent.objects.select_for_update(no_key=True).get(pk=key.agent_id)
        old = AgentKey.objects.select_for_update(of=("self",)).select_related("replaces").get(pk=key.pk)
        if agent.state == AgentState.RETIRED:
            raise UnableToCreateKey(gettext("{name} is retired.").format(name=agent.name))
        if not _is_live(old, now):
            raise UnableToCreateKey(gettext("This key is not good any more; make a new one."))
        successors = AgentKey.objects.filter(replaces=old)
        if any(_is_live(each, now) for each in successors):
            raise KeyReplaced(gettext("This key has been replaced already, and ends by itself."))
        if old.replaces is not None and _is_live(old.replaces, now):
            told = gettext("The key …{key} before it is still good: let it end, or revoke it.")
            raise KeyReplaced(told.format(key=old.replaces.lookup))
        made = _make(
            agent=agent,
            scopes=list(old.scopes),
            environments=list(old.environments),
            addresses=list(old.addresses),
            # It lives as long as the one before it was made to live.
            expires_at=now + (old.expires_at - old.created_at) if old.expires_at is not None else None,
            replaces=old,
            actor=actor,
            now=now,
        )
        ends_at = now + overlap
        if old.expires_at is None or ends_at < old.expires_at:
            before, old.expires_at = old.expires_at, ends_at
            old.save(update_fields=["expires_at"])
            ledger.record(
                actor=actor,
                verb="key.replaced",
                object_kind="agent_key",
                object_id=old.public_id,
                now=now,
                payload={
                    "agent": agent.public_id,
                    "lookup": old.lookup,
                    "replaced_by": made[0].public_id,
                    "before": {"expires_at": before.isoformat() if before else None},
                    "after": {"expires_at": ends_at.isoformat()},
                },
            )
    key.expires_at = old.expires_at
    return made


def sign_in(*, token: str, address: str = "") -> tuple[AgentKey, datetime]:
    """Return what ``authenticate`` does, at the database's own time, which comes along."""
    key, now = _key_of(token)
    _check(key, token=token, address=address, now=now)
    assert key is not None
    return key, now


def authenticate(*, token: str, address: str = "", now: datetime) -> AgentKey:
    """Return the live key of this text with its agent, or raise ``UnknownKey`` or ``WrongAddress``.

    One query, and the comparison takes as long for a wrong secret as for a key that never was. A paused agent
    signs in: it may read what became of its actions, and the gate denies it new ones. The time of use is
    written at most once a minute.
    """
    key, _ = _key_of(token)
    _check(key, token=token, address=address, now=now)
    assert key is not None
    return key


def lookup_in(token: str) -> str:
    """Return what finds the key that a token names. Raises ``UnknownKey`` where it does not read like one."""
    match = _TOKEN.fullmatch(token)
    if match is None or not hmac.compare_digest(_checksum(match[1]), match[3]):
        raise UnknownKey
    return match[2]


def name_seen(lookup: str) -> str | None:
    """Return the name of the agent whose key was good here before: to prepare for it, nothing else."""
    return _names.get(lookup)


def prove(key: AgentKey | None, *, token: str, address: str, now: datetime) -> AgentKey:
    """Return the key that a caller has just read by its lookup, with its agent, once the token proves it.

    For a statement that asks for more than the key (``policies.selectors.standing``). Raises as ``sign_in``.
    """
    _check(key, token=token, address=address, now=now)
    assert key is not None
    return key


def _key_of(token: str) -> tuple[AgentKey | None, datetime]:
    """Return the key that a token names, proved or not, with its agent; and the database's time."""
    now, *values = rows.first_answer(_BY_LOOKUP, [lookup_in(token)])
    key, agent = parts.instances(_PARTS, values)
    if key is not None:
        key.agent = agent
    return key, now


def _check(key: AgentKey | None, *, token: str, address: str, now: datetime) -> None:
    """Raise ``UnknownKey`` or ``WrongAddress`` unless the token proves the key and the key is good."""
    expected = bytes(key.secret_hmac) if key is not None else bytes(32)
    is_same = hmac.compare_digest(_digest(token.rpartition("_")[0]), expected)
    if key is None or not is_same or not _is_live(key, now):
        raise UnknownKey
    if key.addresses and not _is_within(address, key.addresses):
        raise WrongAddress
    if key.last_used_at is None or key.last_used_at <= now - _USE_IS_NOTED_EVERY:
        _note_use(key, now)
    if len(_names) >= _MOST_NAMES:
        _names.clear()
    _names[key.lookup] = key.agent.name


def revoke_key(*, key: AgentKey, actor: Actor, now: datetime) -> None:
    """End the key now. Revoking it again changes nothing."""
    with transaction.atomic():
        if AgentKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=now):
            ledger.record(
                actor=actor,
                verb="key.revoked",
                object_kind="agent_key",
                object_id=key.public_id,
                now=now,
                payload={"agent": key.agent.public_id, "lookup": key.lookup},
            )
    key.refresh_from_db(fields=["revoked_at"])


def _make(
    *,
    agent: Agent,
    scopes: list[str],
    environments: list[str],
    addresses: list[str],
    expires_at: datetime | None,
    replaces: AgentKey | None,
    actor: Actor,
    now: datetime,
) -> tuple[AgentKey, str]:
    lookup, token = _new_token()
    with transaction.atomic():
        key = AgentKey.objects.create(
            public_id=ids.new("key"),
            agent=agent,
            lookup=lookup,
            secret_hmac=_digest(token.rpartition("_")[0]),
            scopes=scopes,
            environments=environments,
            addresses=addresses,
            replaces=replaces,
            created_at=now,
            expires_at=expires_at,
        )
        ledger.record(
            actor=actor,
            verb="key.created",
            object_kind="agent_key",
            object_id=key.public_id,
            now=now,
            payload={
                "agent": agent.public_id,
                "lookup": lookup,
                "scopes": list(scopes),
                "environments": list(environments),
                "addresses": list(addresses),
                "replaces": replaces.public_id if replaces else None,
                "expires_at": expires_at.isoformat() if expires_at else None,
            },
        )
    return key, token


def _networks(texts: Collection[str]) -> list[str]:
    """Return networks in their one canonical form. Raises ``UnableToCreateKey`` for what is none."""
    found = []
    for text in texts:
        try:
            found.append(str(ipaddress.ip_network(text.strip())))
        except ValueError:
            told = gettext("{text!r} is not a network: write 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32.")
            raise UnableToCreateKey(told.format(text=text.strip()[:60])) from None
    return sorted(set(found))


def _is_within(address: str, networks: Collection[str]) -> bool:
    """Say whether the caller's address lies in one of the networks. No address lies in none."""
    try:
        caller = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(caller in ipaddress.ip_network(network) for network in networks)


def _is_live(key: AgentKey, now: datetime) -> bool:
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > now)


def _note_use(key: AgentKey, now: datetime) -> None:
    # The old state is in the filter: of many requests at once, one writes and the others find it done.
    stale = Q(last_used_at=None) | Q(last_used_at__lte=now - _USE_IS_NOTED_EVERY)
    if AgentKey.objects.filter(stale, pk=key.pk).update(last_used_at=now):
        Agent.objects.filter(pk=key.agent_id).update(last_seen_at=now)
    key.last_used_at = now


def _new_token() -> tuple[str, str]:
    lookup = "".join(secrets.choice(_DIGITS) for _ in range(8))
    secret = "".join(secrets.choice(_DIGITS) for _ in range(43))
    body = f"hr_live_{lookup}_{secret}"
    return lookup, f"{body}_{_checksum(body)}"


def _checksum(body: str) -> str:
    value, digits = zlib.crc32(body.encode("ascii")), ""
    for _ in range(6):
        value, digit = divmod(value, 62)
        digits = _DIGITS[digit] + digits
    return digits


def _digest(body: str) -> bytes:
    return hmac.new(settings.AGENT_KEY_PEPPER, body.encode("ascii"), hashlib.sha256).digest()

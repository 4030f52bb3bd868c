"""Agents, their versions, and the keys they sign in with.

A key reads ``hr_live_<id>_<secret>_<check>``: eight characters that find it, 43 that prove it (256 bits), and
six that catch a slip of the pen or a cut-off paste before any question to the database: CRC-32 over all
before the last underscore, in base 62. Digits are ``0-9A-Za-z``, so an underscore only ever separates. Stored
is ``HMAC-SHA256(pepper, everything before the check)``: whoever reads the table alone cannot even try keys.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q

from hitl_site.lib import ids
from policies.choices import AgentState, Scope
from policies.models import Agent, AgentKey, AgentVersion
from policies.services import kill_switch, ledger
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

UNVERSIONED: Final = "unversioned"
MAX_LABEL: Final = 120
MAX_NAME: Final = 120
_DIGITS: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_TOKEN: Final = re.compile(r"(hr_live_([0-9A-Za-z]{8})_[0-9A-Za-z]{43})_([0-9A-Za-z]{6})")
_USE_IS_NOTED_EVERY: Final = timedelta(minutes=1)


class UnableToCreateAgent(ValueError):
    """The agent cannot be made as asked."""


class NameTaken(UnableToCreateAgent):
    """Another agent has this name."""


class InvalidVersion(ValueError):
    """The label cannot name a version of an agent."""


class UnableToCreateKey(ValueError):
    """The key cannot be made as asked."""


class UnknownKey(Exception):
    """No live key reads like this. Whether it never was, ran out or was revoked is not told."""


class AgentRetired(Exception):
    """A retired agent stays retired."""


def create_agent(
    *, name: str, owner: User | None = None, description: str = "", actor: Actor, now: datetime
) -> Agent:
    """Register an agent under a name of its own."""
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise UnableToCreateAgent(f"An agent's name has 1 to {MAX_NAME} printable characters.")
    with transaction.atomic():
        try:
            with transaction.atomic():
                agent = Agent.objects.create(
                    public_id=ids.new("agt"), name=name, owner=owner, description=description, created_at=now
                )
        except IntegrityError:
            raise NameTaken(f"There is an agent named {name} already.") from None
        _record("agent.created", agent, actor=actor, now=now, owner=owner.get_username() if owner else None)
    return agent


def version_label(text: str) -> str:
    """Return the label under which a version is kept. Raises ``InvalidVersion``."""
    label = text.strip() or UNVERSIONED
    if len(label) > MAX_LABEL or not label.isprintable():
        raise InvalidVersion(f"A version's label has at most {MAX_LABEL} printable characters.")
    return label


def see_version(*, agent: Agent, label: str, now: datetime) -> AgentVersion:
    """Return the agent's version of this label, noting it when it is seen for the first time.

    An agent that names no version is ``unversioned``. Two first sights at once make one version.
    """
    label = version_label(label)
    known = AgentVersion.objects.filter(agent=agent, label=label).first()
    if known is not None:
        return known
    with transaction.atomic():
        version, is_new = AgentVersion.objects.get_or_create(
            agent=agent, label=label, defaults={"public_id": ids.new("agv"), "first_seen_at": now}
        )
        if is_new:
            ledger.record(
                actor=Actor.agent(agent),
                verb="agent.version_seen",
                object_kind="agent_version",
                object_id=version.public_id,
                now=now,
                payload={"agent": agent.public_id, "label": label},
            )
    return version


def create_key(
    *,
    agent: Agent,
    scopes: Collection[str],
    environments: Collection[str] = (),
    expires_at: datetime | None = None,
    actor: Actor,
    now: datetime,
) -> tuple[AgentKey, str]:
    """Make a further key for the agent; return it with its text, which is told this once and never again."""
    unknown = sorted(set(scopes) - set(Scope))
    if unknown:
        raise UnableToCreateKey(
            f"Unknown scope {', '.join(unknown)}; there are {', '.join(scope.value for scope in Scope)}."
        )
    if not scopes:
        raise UnableToCreateKey("A key without a scope opens nothing: name at least one.")
    if expires_at is not None and expires_at <= now:
        raise UnableToCreateKey("A key has to expire in the future.")
    if agent.state == AgentState.RETIRED:
        raise UnableToCreateKey(f"{agent.name} is retired.")
    lookup, token = _new_token()
    with transaction.atomic():
        key = AgentKey.objects.create(
            public_id=ids.new("key"),
            agent=agent,
            lookup=lookup,
            secret_hmac=_digest(token.rpartition("_")[0]),
            scopes=sorted(set(scopes)),
            environments=sorted(set(environments)),
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
                "scopes": list(key.scopes),
                "environments": list(key.environments),
                "expires_at": expires_at.isoformat() if expires_at else None,
            },
        )
    return key, token


def authenticate(*, token: str, now: datetime) -> AgentKey:
    """Return the live key of this text with its agent, or raise ``UnknownKey``.

    One query, and the comparison takes as long for a wrong secret as for a key that never was. A paused agent
    signs in: it may read what became of its actions, and the gate denies it new ones. The time of use is
    written at most once a minute.
    """
    match = _TOKEN.fullmatch(token)
    if match is None or not hmac.compare_digest(_checksum(match[1]), match[3]):
        raise UnknownKey
    key = AgentKey.objects.select_related("agent").filter(lookup=match[2]).first()
    expected = bytes(key.secret_hmac) if key is not None else bytes(32)
    is_same = hmac.compare_digest(_digest(match[1]), expected)
    if key is None or not is_same or not _is_live(key, now):
        raise UnknownKey
    if key.last_used_at is None or key.last_used_at <= now - _USE_IS_NOTED_EVERY:
        _note_use(key, now)
    return key


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


def pause_agent(*, agent: Agent, reason: str, actor: Actor, now: datetime) -> Agent:
    """Stop the agent: from now on the gate denies what it proposes and no permit of it is consumed."""
    return _move(agent, AgentState.PAUSED, "agent.paused", reason=reason, actor=actor, now=now)


def resume_agent(*, agent: Agent, reason: str, actor: Actor, now: datetime) -> Agent:
    """Let a paused agent go on."""
    return _move(agent, AgentState.ACTIVE, "agent.resumed", reason=reason, actor=actor, now=now)


def retire_agent(*, agent: Agent, reason: str, actor: Actor, now: datetime) -> Agent:
    """End the agent for good, and with it every key it has. Its record stays."""
    with transaction.atomic():
        retired = _move(agent, AgentState.RETIRED, "agent.retired", reason=reason, actor=actor, now=now)
        for key in AgentKey.objects.select_related("agent").filter(agent=agent, revoked_at=None):
            revoke_key(key=key, actor=actor, now=now)
    return retired


def _move(agent: Agent, state: AgentState, verb: str, *, reason: str, actor: Actor, now: datetime) -> Agent:
    with transaction.atomic():
        # NO KEY: actions of this agent that are coming in meanwhile are not made to wait.
        locked = Agent.objects.select_for_update(no_key=True).get(pk=agent.pk)
        if locked.state == state:
            return locked
        if locked.state == AgentState.RETIRED:
            raise AgentRetired(f"{locked.name} is retired.")
        before, locked.state = locked.state, state
        locked.save(update_fields=["state"])
        _record(verb, locked, actor=actor, now=now, reason=reason, before=before, after=state.value)
        if state != AgentState.ACTIVE:
            # As with a stop: what is being committed ends first, and nothing is committed afterwards.
            kill_switch.hold_commits()
    agent.state = state
    return locked


def _record(verb: str, agent: Agent, *, actor: Actor, now: datetime, **payload: str | None) -> None:
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="agent",
        object_id=agent.public_id,
        now=now,
        payload={"name": agent.name, **payload},
    )


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

"""The kill switch: a person stops everything, one agent, or one action type, and lifts the stop again."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.db import OperationalError, connection, transaction
from django.db.models import Q

from hitl_site.lib import ids
from policies.choices import KillSwitchScope
from policies.models import ActionType, Agent, KillSwitch
from policies.services import ledger
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

STOP_LOCK: Final = 0x68725F73746F7073  # "hr_stops", a key of PostgreSQL's advisory locks


class InvalidStop(ValueError):
    """The scope and what it names do not fit, or a reason is missing."""


class NotEngaged(Exception):
    """The switch has been lifted already."""


def engage(
    *,
    scope: KillSwitchScope,
    agent: Agent | None = None,
    action_type: ActionType | None = None,
    reason: str,
    engaged_by: User,
    now: datetime,
) -> KillSwitch:
    """Stop what is in scope: once this has returned and its transaction is committed, no permit is consumed.

    Where the same scope is stopped already, that stop stands and is returned.
    """
    fits = {
        KillSwitchScope.EVERYTHING: agent is None and action_type is None,
        KillSwitchScope.AGENT: agent is not None and action_type is None,
        KillSwitchScope.ACTION_TYPE: agent is None and action_type is not None,
    }
    if not fits[KillSwitchScope(scope)]:
        raise InvalidStop("A stop names exactly what it stops: one agent, one action type, or everything.")
    if not reason.strip():
        raise InvalidStop("A stop needs a reason: others will read it.")
    actor = Actor.person(engaged_by)
    with transaction.atomic():
        _wait_for_consumers()
        live = KillSwitch.objects.filter(scope=scope, agent=agent, action_type=action_type, lifted_at=None)
        new_id = ids.new("kil")
        switch = None
        # More than once only when the stop that stood in the way is lifted at this very moment.
        while switch is None:
            # ON CONFLICT DO NOTHING: two people who press it at once make one stop and see no error.
            KillSwitch.objects.bulk_create(
                [
                    KillSwitch(
                        public_id=new_id,
                        scope=scope,
                        agent=agent,
                        action_type=action_type,
                        reason=reason,
                        engaged_by=engaged_by,
                        engaged_by_name=actor.name,
                        engaged_at=now,
                    )
                ],
                ignore_conflicts=True,
            )
            switch = live.select_related("agent", "action_type").first()
        if switch.public_id == new_id:
            _record("kill_switch.engaged", switch, reason=reason, actor=actor, now=now)
    return switch


def lift(*, kill_switch: KillSwitch, reason: str, lifted_by: User, now: datetime) -> KillSwitch:
    """End a stop. What it denied stays denied."""
    if not reason.strip():
        raise InvalidStop("Lifting a stop needs a reason: others will read it.")
    with transaction.atomic():
        lifted = KillSwitch.objects.filter(pk=kill_switch.pk, lifted_at=None).update(
            lifted_at=now, lifted_by=lifted_by, lift_reason=reason
        )
        if not lifted:
            raise NotEngaged("This stop has been lifted already.")
        switch = KillSwitch.objects.select_related("agent", "action_type").get(pk=kill_switch.pk)
        _record("kill_switch.lifted", switch, reason=reason, actor=Actor.person(lifted_by), now=now)
    return switch


def stopped(*, agent_id: int, action_type_id: int | None, lock: bool = False) -> bool:
    """Say whether a stop covers this agent or this action type.

    With ``lock`` no stop can come between the answer and the end of the caller's transaction. A stop that
    does not exist yet has no row to lock, so both sides share an advisory lock: askers hold it shared, and
    ``engage`` waits for them.
    """
    if lock:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [STOP_LOCK])
    covers = Q(scope=KillSwitchScope.EVERYTHING) | Q(scope=KillSwitchScope.AGENT, agent_id=agent_id)
    if action_type_id is not None:
        covers |= Q(scope=KillSwitchScope.ACTION_TYPE, action_type_id=action_type_id)
    return KillSwitch.objects.filter(covers, lifted_at=None).exists()


def _wait_for_consumers() -> None:
    """Let those who asked ``stopped(lock=True)`` finish, a second at most: no stop is put off for long."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '1s'")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [STOP_LOCK])
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    except OperationalError:
        logger.warning("A stop was engaged while a permit was being consumed; that one may still run.")


def _record(verb: str, switch: KillSwitch, *, reason: str, actor: Actor, now: datetime) -> None:
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="kill_switch",
        object_id=switch.public_id,
        now=now,
        payload={
            "scope": str(switch.scope),
            "agent": switch.agent.public_id if switch.agent else None,
            "action_type": switch.action_type.name if switch.action_type else None,
            "reason": reason,
        },
    )

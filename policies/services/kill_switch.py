"""The kill switch: somebody stops everything, one agent, or one action type, and people lift the stop again.

A stop holds from its commit on, whatever was under way: a transaction that allows an action or uses a permit
up is asked by the database at its own commit (``policies_refuse_what_is_stopped``), under a lock that the
stop holds alone for its last moment. So a commit is either over before the stop, or it sees the stop and
fails. No clock, no timeout and no client's good manners come into it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.conf import settings
from django.db import DatabaseError, OperationalError, connection, transaction
from django.db.models import Q, QuerySet

from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
from policies.choices import ActorKind, KillSwitchScope
from policies.models import ActionType, Agent, KillSwitch, LedgerEntry
from policies.selectors import people
from policies.services import ledger, rights
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

logger = logging.getLogger(__name__)

STOP_LOCK: Final = 0x68725F73746F7073  # "hr_stops", a key of PostgreSQL's advisory locks
STOP: Final = "policies.use_kill_switch"
STOPPED: Final = "HR001"  # the SQLSTATE with which the database refuses such a commit


class InvalidStop(ValueError):
    """The scope and what it names do not fit, or a reason is missing."""


class NotEngaged(Exception):
    """The switch has been lifted already."""


class AlreadyStopped(Exception):
    """A stop of this scope is in force, so there is nothing to rehearse."""


class NotYoursToLift(Exception):
    """Software lifts what it stopped itself, and nothing that people stopped."""


class StoppedMeanwhile(OperationalError):
    """A stop came between the verdict and the commit: nothing was committed."""


@dataclass(frozen=True, slots=True)
class Lift:
    """What became of the wish to lift a stop: it is lifted, or a second person has to agree."""

    stop: KillSwitch
    lifted: bool


def engage(
    *,
    scope: KillSwitchScope,
    agent: Agent | None = None,
    action_type: ActionType | None = None,
    reason: str,
    engaged_by: User | None = None,
    actor: Actor | None = None,
    reject_pending: bool = False,
    drill: bool = False,
    now: datetime,
) -> KillSwitch:
    """Stop what is in scope: once this is committed, nothing in it is allowed and no permit is used up.

    Either a person stops (``engaged_by``) or an ``actor``: an agent, the command line. Where the same scope
    is stopped already, that stop stands and is returned; it is theirs as well from then on, a wish to close
    what is pending is added to it, and one to lift it is taken back. ``AlreadyStopped`` for a drill.
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
    actor = _actor(engaged_by, actor)
    with transaction.atomic():
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
                        reject_pending=reject_pending,
                        drill=drill,
                    )
                ],
                ignore_conflicts=True,
            )
            # Held: what is being lifted at this moment is waited for, and is no stop that stands.
            held = live.select_for_update(of=("self",), no_key=True)
            switch = held.select_related("agent", "action_type").first()
        if switch.public_id == new_id:
            _record("kill_switch.engaged", switch, actor=actor, now=now, reason=reason, **_manner(switch))
        elif drill:
            raise AlreadyStopped("This is stopped already; a drill needs something that runs.")
        else:
            _join(switch, reason=reason, actor=actor, now=now)
            _harden(switch, reject_pending=reject_pending, reason=reason, actor=actor, now=now)
        hold_commits()
    return switch


def lift(
    *,
    kill_switch: KillSwitch,
    reason: str,
    lifted_by: User | None = None,
    actor: Actor | None = None,
    drill_alone: bool = False,
    now: datetime,
) -> Lift:
    """End a stop, or note the first wish where two people have to agree. What it denied stays denied.

    An agent lifts only what it alone stopped, and never a stop of its own name. The command line is the
    operator's own hand and lifts alone. ``drill_alone`` lifts nothing that has become real meanwhile.
    """
    if not reason.strip():
        raise InvalidStop("Lifting a stop needs a reason: others will read it.")
    actor = _actor(lifted_by, actor)
    with transaction.atomic():
        # NO KEY: what refers to the stop is not made to wait.
        found = KillSwitch.objects.select_for_update(of=("self",), no_key=True)
        switch = found.select_related("agent", "action_type", "lift_asked_by").get(pk=kill_switch.pk)
        if switch.lifted_at is not None:
            raise NotEngaged("This stop has been lifted already.")
        if drill_alone and not switch.drill:
            return Lift(switch, lifted=False)
        if actor.kind == ActorKind.AGENT:
            _refuse_foreign_lift(switch, actor)
        asked_by_id = _who_still_asks(switch)
        if lifted_by is not None and needs_second(switch) and asked_by_id in {None, lifted_by.pk}:
            if asked_by_id is None:
                switch.lift_asked_by, switch.lift_asked_by_name = lifted_by, actor.name
                switch.lift_asked_at = now
                switch.save(update_fields=["lift_asked_by", "lift_asked_by_name", "lift_asked_at"])
                _record("kill_switch.lift_asked", switch, actor=actor, now=now, reason=reason)
            return Lift(switch, lifted=False)
        switch.lifted_at, switch.lifted_by, switch.lift_reason = now, lifted_by, reason
        switch.save(update_fields=["lifted_at", "lifted_by", "lift_reason"])
        asked_by: JsonValue = switch.lift_asked_by_name or None
        _record("kill_switch.lifted", switch, actor=actor, now=now, reason=reason, asked_by=asked_by)
    return Lift(switch, lifted=True)


def note_drill(*, kill_switch: KillSwitch, held_after_ms: int, now: datetime) -> None:
    """Keep how long a drill took until it was seen to hold."""
    with transaction.atomic():
        if KillSwitch.objects.filter(pk=kill_switch.pk, drill=True, held_after_ms=None).update(
            held_after_ms=held_after_ms
        ):
            actor = Actor.system("drill")
            _record("kill_switch.drill_held", kill_switch, actor=actor, now=now, held_after_ms=held_after_ms)


def needs_second(switch: KillSwitch) -> bool:
    """Say whether two people have to agree before this stop is lifted. A drill lifts itself."""
    wanted = settings.LIFT_NEEDS_SECOND
    return not switch.drill and (
        wanted == "always" or (wanted == "everything" and switch.scope == KillSwitchScope.EVERYTHING)
    )


def stopped(*, agent_id: int, action_type_id: int | None) -> bool:
    """Say whether a stop covers this agent or this action type as of now.

    A friendly answer in good time: what is committed is asked again by the database (see above).
    """
    covers = Q(scope=KillSwitchScope.EVERYTHING) | Q(scope=KillSwitchScope.AGENT, agent_id=agent_id)
    if action_type_id is not None:
        covers |= Q(scope=KillSwitchScope.ACTION_TYPE, action_type_id=action_type_id)
    return KillSwitch.objects.filter(covers, lifted_at=None).exists()


def refuses_commits(*, agent_id: int, action_type_id: int | None) -> bool:
    """Ask the database the very question that it asks at a commit."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT policies_refuse_what_is_stopped(%s, %s)", [agent_id, action_type_id])
    except DatabaseError as error:
        if _says_stopped(error):
            return True
        raise
    return False


@contextmanager
def noticed_at_commit() -> Iterator[None]:
    """Turn the database's refusal of a commit within into ``StoppedMeanwhile``."""
    try:
        yield
    except DatabaseError as error:
        if _says_stopped(error):
            raise StoppedMeanwhile("A stop came into force before this was committed.") from error
        raise


def hold_commits() -> None:
    """Let commits that are under way end, and keep others waiting until the caller's transaction has.

    The last act of a transaction that stops something. Those who hold the lock are inside their commit, so it
    comes within milliseconds; should the database hang over one, the stop is not put off for it.
    """
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('lock_timeout', '1s', true)")
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [STOP_LOCK])
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    except OperationalError:
        logger.warning("A stop was engaged while a commit hung in the database; that one may still stand.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('handrail.stopping', 'on', true)")


def _who_still_asks(switch: KillSwitch) -> int | None:
    """Return who asked to lift it and may stop agents still: whoever lost that right counts for nobody."""
    asked_by_id = switch.lift_asked_by_id
    if asked_by_id is None:
        return None
    rights.hold([asked_by_id])
    return asked_by_id if people.holders_among([asked_by_id], STOP) else None


def _actor(person: User | None, actor: Actor | None) -> Actor:
    if (person is None) == (actor is None):
        raise TypeError("either a person acts, or somebody named by an actor")
    return Actor.person(person) if person is not None else actor  # type: ignore[return-value]  # exactly one of both is given


def _join(switch: KillSwitch, *, reason: str, actor: Actor, now: datetime) -> None:
    """Keep that somebody else wants the stop too; whoever asked to lift it did not know of that."""
    asked_by: JsonValue = switch.lift_asked_by_name or None
    by_them = _pressed(switch).filter(actor_kind=actor.kind, actor_id=actor.id, actor_name=actor.name)
    if asked_by is None and by_them.exists():
        return
    if switch.lift_asked_at is not None:
        switch.lift_asked_by, switch.lift_asked_by_name, switch.lift_asked_at = None, "", None
        switch.save(update_fields=["lift_asked_by", "lift_asked_by_name", "lift_asked_at"])
    _record(
        "kill_switch.engaged_again",
        switch,
        actor=actor,
        now=now,
        reason=reason,
        before={"lift_asked_by": asked_by},
        after={"lift_asked_by": None},
    )


def _pressed(switch: KillSwitch) -> QuerySet[LedgerEntry]:
    """Return who stopped it: the first one, and whoever wanted the same while it stood."""
    return LedgerEntry.objects.filter(
        verb__in=["kill_switch.engaged", "kill_switch.engaged_again"],
        object_kind="kill_switch",
        object_id=switch.public_id,
    )


def _harden(switch: KillSwitch, *, reject_pending: bool, reason: str, actor: Actor, now: datetime) -> None:
    """Make what stands as strict as what was asked for now: never looser."""
    changed = KillSwitch.objects.filter(pk=switch.pk, lifted_at=None)
    if reject_pending and changed.filter(reject_pending=False).update(reject_pending=True):
        switch.reject_pending = True
        _record("kill_switch.pending_rejected", switch, actor=actor, now=now, reason=reason)
    # Somebody means it: what began as a drill no longer ends by itself.
    if changed.filter(drill=True).update(drill=False):
        switch.drill = False
        _record("kill_switch.drill_became_real", switch, actor=actor, now=now, reason=reason)


def _refuse_foreign_lift(switch: KillSwitch, actor: Actor) -> None:
    by_itself = {"actor_kind": ActorKind.AGENT, "actor_id": actor.id}
    pressed = _pressed(switch)
    own = pressed.filter(**by_itself).exists() and not pressed.exclude(**by_itself).exists()
    itself = switch.agent is not None and switch.agent.public_id == actor.id
    if not own or itself or needs_second(switch):
        raise NotYoursToLift("People lift this stop: an agent lifts what it stopped itself, and not itself.")


def _says_stopped(error: DatabaseError) -> bool:
    return getattr(error.__cause__, "sqlstate", None) == STOPPED


def _manner(switch: KillSwitch) -> dict[str, JsonValue]:
    return {"reject_pending": switch.reject_pending, "drill": switch.drill}


def _record(verb: str, switch: KillSwitch, *, actor: Actor, now: datetime, **payload: JsonValue) -> None:
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
            **payload,
        },
    )

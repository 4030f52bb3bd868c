"""Changes to a declaration by people: what tightens counts at once, what loosens waits for a second person.

A declaration decides as much as a policy: its risk says how many approve, its schema what is in scope, its
cap what may ever run alone. So a change that loosens takes as many people as a looser policy of that type,
whoever asks counting as one. Where one form does both, what does not loosen is in force at once and the rest
waits; where that rest cannot be taken away without breaking the declaration, all of it waits.

How many people it takes is worked out again at the moment it takes effect, with the rights that they have
then. All acts take the action type's row first: of two at once the second finds what the first did.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Unpack, cast

from django.db import transaction
from django.utils.translation import gettext

from hitl_site.lib import ids
from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.strict_json import JsonValue
from policies.choices import PublicationState
from policies.engine.declaration_loosening import changes, loosening
from policies.engine.difference import Effect
from policies.models import ActionType, DeclarationApproval, DeclarationChange
from policies.selectors import declaration_changes as found
from policies.selectors.publications import Requirement, Standing
from policies.services import action_types, ledger, policies
from policies.services.action_types import Declaration, Document, InvalidActionType
from policies.services.ledger import Actor
from policies.services.rights import NotAllowed, current_manager, hold_managers

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = [
    "AlreadyAsked",
    "AlreadyCounted",
    "ChangedMeanwhile",
    "NoReason",
    "NotAllowed",
    "NotWaiting",
    "Saved",
    "approve",
    "ask",
    "declare",
    "withdraw",
]

_NAME_LENGTH: Final = 200


class AlreadyAsked(Exception):
    """A change that loosens this declaration waits already."""


class NotWaiting(Exception):
    """The change is over: in force, or withdrawn."""


class AlreadyCounted(Exception):
    """This person stands for it already, and that is not enough."""


class ChangedMeanwhile(Exception):
    """The declaration, or what is to be changed of it, is not what the person has read."""


class NoReason(Exception):
    """Others will be asked to approve it, and nothing is said to them."""


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What became of a change: ``in_force`` names the fields that count already, ``waiting`` is the rest."""

    action_type: ActionType
    in_force: tuple[str, ...]
    waiting: DeclarationChange | None


def declare(*, name: str, person: User, now: datetime, **declaration: Unpack[Declaration]) -> ActionType:
    """Declare a kind of act, as a person who may. Raises ``NotAllowed`` and ``InvalidActionType``."""
    with transaction.atomic():
        actor = Actor.person(current_manager(person))
        return action_types.declare(name=name, actor=actor, now=now, **declaration)


def ask(
    *,
    action_type: ActionType,
    person: User,
    reason: str,
    seen_at: datetime | None,
    now: datetime,
    **declaration: Unpack[Declaration],
) -> Saved:
    """Change what is given of a declaration, as far as one person may; ask for the rest.

    ``seen_at`` is the ``updated_at`` of what the person has read. Raises ``ChangedMeanwhile``,
    ``AlreadyAsked``, ``NoReason``, ``NotAllowed`` and ``InvalidActionType``, each with nothing changed.
    """
    with transaction.atomic():
        current = policies.lock(action_type)
        actor = Actor.person(current_manager(person))
        if current.updated_at != seen_at:
            raise ChangedMeanwhile(gettext("Somebody changed this declaration while you worked on it."))
        wanted, alone = _split(current, declaration)
        takes = _requirement(current, wanted)
        if takes.people == 1:
            alone, wanted = declaration, Declaration()
        waiting = found.waiting_for(current)
        if wanted and waiting is not None:
            told = gettext(
                "{person} has asked to loosen this declaration already. It waits: withdraw"
                " that before you ask for something else."
            )
            raise AlreadyAsked(told.format(person=waiting.asked_by_name))
        if wanted and not reason:
            raise NoReason(gettext("Say why: this loosens, and somebody else has to approve it."))
        before = action_types.document_of(current)
        current = action_types.change(
            action_type=current,
            actor=actor,
            now=now,
            authority=_alone(actor, takes) if takes.loosens and not wanted else None,
            **alone,
        )
        after = action_types.document_of(current)
        asked = _ask(current, wanted, actor=actor, person=person, reason=reason, now=now) if wanted else None
    return Saved(
        action_type=current,
        in_force=tuple(field for field, value in after.items() if before[field] != value),
        waiting=asked,
    )


def approve(
    *, change: DeclarationChange, person: User, content_sha256: str, now: datetime
) -> DeclarationChange:
    """Stand for a change. Where that makes it enough, it is in force.

    Doing it twice is doing it once. Raises ``NotWaiting``, ``ChangedMeanwhile``, ``AlreadyCounted`` and
    ``NotAllowed``.
    """
    with transaction.atomic():
        current = _take(change)
        approver = current_manager(person)
        if content_sha256 != current.content_sha256:
            raise ChangedMeanwhile(gettext("That is not the change that you have read: read it again."))
        before = _standing(current)
        if before.includes(approver):
            if before.missing:
                raise AlreadyCounted(gettext("You count already: somebody else has to approve it."))
        else:
            DeclarationApproval.objects.create(
                change=current,
                person=approver,
                person_name=Actor.person(approver).name[:_NAME_LENGTH],
                content_sha256=content_sha256,
                approved_at=now,
            )
            _record("declaration_change.approved", current, actor=Actor.person(approver), now=now)
        _settle(current, actor=Actor.person(approver), now=now)
    return current


def withdraw(*, change: DeclarationChange, person: User, reason: str, now: datetime) -> DeclarationChange:
    """Take a change back: the declaration stays as it is. Raises ``NotWaiting`` and ``NotAllowed``."""
    with transaction.atomic():
        current = _take(change)
        who = current_manager(person)
        action_types.close_change(
            current, state=PublicationState.WITHDRAWN, because=reason, actor=Actor.person(who), now=now
        )
    return current


def _split(current: ActionType, declaration: Declaration) -> tuple[Declaration, Declaration]:
    """Return what loosens, and what need not wait for it. Raises ``InvalidActionType`` for the whole."""
    before, after = _amended(current, declaration)
    changed = changes(before, after)
    waits = {each.field for each in changed if each.effect is Effect.LOOSENS}
    parts = cast(dict[str, Any], declaration)
    alone = {field: value for field, value in parts.items() if field not in waits}
    try:
        _amended(current, cast(Declaration, alone))
    except InvalidActionType:
        waits, alone = {each.field for each in changed}, {}
    wanted = {field: value for field, value in parts.items() if field in waits}
    return cast(Declaration, wanted), cast(Declaration, alone)


def _amended(action_type: ActionType, declaration: Declaration) -> tuple[Document, Document]:
    """Return the declaration before and after, with nothing stored and the instance left alone."""
    return action_types.amend(ActionType.objects.get(pk=action_type.pk), declaration)


def _requirement(current: ActionType, wanted: Declaration) -> Requirement:
    before, after = _amended(current, wanted)
    return found.requirement(current, [each.sentence for each in loosening(before, after)])


def _ask(
    current: ActionType, wanted: Declaration, *, actor: Actor, person: User, reason: str, now: datetime
) -> DeclarationChange:
    before, after = _amended(current, wanted)
    fields = [field for field, value in after.items() if before[field] != value]
    frozen = {"before": {field: before[field] for field in fields}, "after": {f: after[f] for f in fields}}
    takes = found.requirement(current, [each.sentence for each in loosening(before, after)])
    change = DeclarationChange.objects.create(
        public_id=ids.new("dch"),
        action_type=current,
        before=frozen["before"],
        after=frozen["after"],
        loosening=list(takes.loosening),
        content_sha256=_sha256(cast(JsonValue, frozen)),
        declared_sha256=_sha256(before),
        reason=reason,
        people_required=takes.people,
        asked_by=person,
        asked_by_name=actor.name[:_NAME_LENGTH],
        asked_at=now,
    )
    _record(
        "declaration_change.asked",
        change,
        actor=actor,
        now=now,
        before=cast(JsonValue, frozen["before"]),
        after=cast(JsonValue, frozen["after"]),
        loosening=list(takes.loosening),
        people_required=takes.people,
    )
    return change


def _take(change: DeclarationChange) -> DeclarationChange:
    """Return the change as it is now, with its action type locked. Raises ``NotWaiting``."""
    policies.lock(ActionType(pk=change.action_type_id))
    current = found.by_id(change.public_id)
    if current is None or current.state != PublicationState.OPEN:
        raise NotWaiting(
            gettext("This change is gone already.")
            if current is None
            else gettext("This change is in force already.")
            if current.state == PublicationState.DONE
            else gettext("This change is withdrawn already.")
        )
    return current


def _standing(change: DeclarationChange) -> Standing:
    return found.standing(change, managers=hold_managers(found.people_of(change)))


def _settle(change: DeclarationChange, *, actor: Actor, now: datetime) -> bool:
    """Put the change in force if nobody is missing any more; the caller holds the lock."""
    stands = _standing(change)
    if stands.missing:
        return False
    current = change.action_type
    if _sha256(action_types.document_of(current)) != change.declared_sha256:
        # Every way to change a declaration withdraws what waits; this is for the one that did not.
        raise ChangedMeanwhile(
            gettext("The declaration is not the one that this was asked against. Ask again.")
        )
    action_types.close_change(change, state=PublicationState.DONE, because="In force.", actor=actor, now=now)
    action_types.change(
        action_type=current,
        actor=actor,
        now=now,
        authority={"declaration_change": change.public_id, **stands.document()},
        **cast(Declaration, change.after),
    )
    return True


def _alone(actor: Actor, takes: Requirement) -> dict[str, JsonValue]:
    """Return what the ledger says of a change that loosens and that one person was enough for."""
    because = "nobody relied on it yet" if takes.first else "switched off"
    return {
        "four_eyes": "on" if takes.four_eyes else "off",
        "people_required": 1,
        "because": because,
        "people": [{"id": actor.id, "name": actor.name, "roles": ["asked"]}],
    }


def _sha256(document: JsonValue) -> str:
    return sha256_hex(canonicalize(document))


def _record(
    verb: str, change: DeclarationChange, *, actor: Actor, now: datetime, **payload: JsonValue
) -> None:
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="declaration_change",
        object_id=change.public_id,
        now=now,
        payload={
            "action_type": change.action_type.name,
            "content_sha256": change.content_sha256,
            "reason": change.reason,
            **payload,
        },
    )

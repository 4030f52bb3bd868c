"""Publications: a version goes live when enough different people stand for its text, and its time has come.

The people are the author of the text, the one who asked, and those who approved it. How many it takes is
worked out again at the very moment of going live, against the version then in force and with the rights
that these people have then. All acts take the action type's row first: of two at once the second finds what
the first did.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import DatabaseError, transaction
from django.utils.translation import gettext

from hitl_site.lib import ids
from hitl_site.lib.strict_json import JsonValue
from policies.choices import PublicationState
from policies.models import ActionType, PolicyVersion, Publication, PublicationApproval
from policies.selectors import policies as versions
from policies.selectors import publications as found
from policies.selectors.publications import Standing
from policies.selectors.version_words import changed_meanwhile, is_in_state, named
from policies.services import ledger, policies
from policies.services.ledger import Actor
from policies.services.policies import DraftChanged, NotADraft
from policies.services.rights import NotAllowed, current_manager, hold_managers

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = [
    "AlreadyAsked",
    "AlreadyCounted",
    "DraftChanged",
    "DraftInTheWay",
    "NotADraft",
    "NotAllowed",
    "NotWaiting",
    "WrongTime",
    "approve",
    "ask",
    "publish_due",
    "roll_back",
    "withdraw",
]

logger = logging.getLogger(__name__)
LONGEST_AHEAD: Final = timedelta(days=366)
_NAME_LENGTH: Final = 200
_CLOCK: Final = Actor.system("scheduled publication")


class AlreadyAsked(Exception):
    """A publication of this action type waits already."""


class NotWaiting(Exception):
    """The publication is over: published or withdrawn."""


class AlreadyCounted(Exception):
    """This person stands for it already, and that is not enough."""


class WrongTime(Exception):
    """The time to publish at lies in the past, or too far ahead."""


class DraftInTheWay(Exception):
    """Somebody's draft would be replaced that the person has not seen."""


def ask(
    *,
    version: PolicyVersion,
    person: User,
    reason: str,
    content_sha256: str,
    publish_at: datetime | None = None,
    now: datetime,
) -> Publication:
    """Ask to put a draft, or what is in shadow, in force: now, or at a time. It is, if nobody else is needed.

    ``content_sha256`` names the text that the person has read. Raises ``NotADraft``, ``DraftChanged``,
    ``AlreadyAsked``, ``WrongTime`` and ``NotAllowed``.
    """
    with transaction.atomic():
        policies.lock(version.action_type)
        asker = current_manager(person)
        chosen = PolicyVersion.objects.select_related("action_type").get(pk=version.pk)
        if not found.is_publishable(chosen):
            raise NotADraft(is_in_state(chosen))
        _require_text(chosen, content_sha256)
        waiting = found.waiting_for(chosen.action_type)
        if waiting is not None:
            told = gettext("{person} has asked to publish {version} already. It waits.")
            raise AlreadyAsked(
                told.format(person=waiting.asked_by_name, version=named(waiting.version)),
            )
        if publish_at is not None and publish_at <= now:
            raise WrongTime(gettext("That time is over: choose a later one, or publish now."))
        if publish_at is not None and publish_at > now + LONGEST_AHEAD:
            raise WrongTime(gettext("At most a year ahead."))
        takes = found.requirement(chosen)
        publication = Publication.objects.create(
            public_id=ids.new("pub"),
            action_type=chosen.action_type,
            version=chosen,
            content_sha256=chosen.content_sha256,
            reason=reason,
            publish_at=publish_at,
            loosens=takes.loosens,
            people_required=takes.people,
            asked_by=asker,
            asked_by_name=Actor.person(asker).name[:_NAME_LENGTH],
            asked_at=now,
        )
        _record(
            "publication.asked",
            publication,
            actor=Actor.person(asker),
            now=now,
            publish_at=publish_at.isoformat() if publish_at is not None else None,
            loosening=list(takes.loosening),
            people_required=takes.people,
        )
        _settle(publication, actor=Actor.person(asker), now=now)
    return publication


def approve(*, publication: Publication, person: User, content_sha256: str, now: datetime) -> Publication:
    """Stand for a publication. Where that makes it enough, and its time has come, it goes live.

    Doing it twice is doing it once. Somebody who counts already adds nobody: what is complete by now (since
    less is needed than before) goes live, else ``AlreadyCounted``. Raises ``NotWaiting``, ``DraftChanged``
    and ``NotAllowed`` as well.
    """
    with transaction.atomic():
        current = _take(publication)
        approver = current_manager(person)
        _require_text(current.version, content_sha256)
        if content_sha256 != current.content_sha256:
            raise DraftChanged(gettext("The text is not the one that was asked for: read it again."))
        before = _standing(current)
        if before.includes(approver):
            if before.missing:
                raise AlreadyCounted(gettext("You count already: somebody else has to approve it."))
        else:
            PublicationApproval.objects.create(
                publication=current,
                person=approver,
                person_name=Actor.person(approver).name[:_NAME_LENGTH],
                content_sha256=content_sha256,
                approved_at=now,
            )
            _record("publication.approved", current, actor=Actor.person(approver), now=now)
        _settle(current, actor=Actor.person(approver), now=now)
    return current


def withdraw(*, publication: Publication, person: User, reason: str, now: datetime) -> Publication:
    """Take a publication back: the version stays as it is. Raises ``NotWaiting`` and ``NotAllowed``."""
    with transaction.atomic():
        current = _take(publication)
        who = current_manager(person)
        policies.close_publication(
            current, state=PublicationState.WITHDRAWN, because=reason, actor=Actor.person(who), now=now
        )
    return current


def roll_back(
    *, to: PolicyVersion, person: User, reason: str, draft_sha256: str, now: datetime
) -> Publication:
    """Write an old text as the next version, and ask to publish it at once: by the same rule as any.

    ``draft_sha256`` is the draft that the person agreed to replace, "" for none: another one is not
    overwritten (``DraftInTheWay``). What waited is withdrawn. Raises what ``ask`` raises.
    """
    with transaction.atomic():
        policies.lock(to.action_type)
        who = current_manager(person)
        draft = versions.draft_version(to.action_type)
        if (draft.content_sha256 if draft is not None else "") != draft_sha256:
            told = gettext("{person} saved another draft meanwhile: look again.")
            raise DraftInTheWay(
                told.format(person=draft.author_name)
                if draft is not None
                else gettext("The draft is gone: look again.")
            )
        waiting = found.waiting_for(to.action_type)
        if waiting is not None:
            policies.close_publication(
                waiting,
                state=PublicationState.WITHDRAWN,
                because=f"Rolled back to version {to.number} instead.",
                actor=Actor.person(who),
                now=now,
            )
        again = policies.save_draft(
            action_type=to.action_type,
            document=to.document,
            author=who,
            reason=reason,
            rollback_of=to,
            now=now,
        )
        return ask(version=again, person=who, reason=reason, content_sha256=again.content_sha256, now=now)


def publish_due(*, now: datetime) -> int:
    """Put in force what was scheduled and has its people; return how many. Safe to run twice at once.

    What lacks a person stays, and goes live with that person's approval. One that fails holds no other up.
    """
    published = 0
    for publication in found.due(now=now):
        try:
            published += _publish_if_due(publication, now=now)
        except NotWaiting:
            continue
        except DatabaseError:
            raise
        except Exception:
            logger.exception("the publication %s failed and stays as it is", publication.public_id)
    return published


def _publish_if_due(publication: Publication, *, now: datetime) -> bool:
    with transaction.atomic():
        current = _take(publication)
        return _settle(current, actor=_CLOCK, now=now)


def _take(publication: Publication) -> Publication:
    """Return the publication as it is now, with its action type locked. Raises ``NotWaiting``."""
    policies.lock(ActionType(pk=publication.action_type_id))
    current = found.by_id(publication.public_id)
    if current is None or current.state != PublicationState.OPEN:
        raise NotWaiting(
            gettext("This publication is gone already.")
            if current is None
            else gettext("This publication is published already.")
            if current.state == PublicationState.DONE
            else gettext("This publication is withdrawn already.")
        )
    return current


def _standing(publication: Publication) -> Standing:
    return found.standing(publication, managers=hold_managers(found.people_of(publication)))


def _settle(publication: Publication, *, actor: Actor, now: datetime) -> bool:
    """Put the version in force if nothing is missing any more; the caller holds the lock."""
    stands = _standing(publication)
    takes = stands.requirement
    if (publication.people_required, publication.loosens) != (takes.people, takes.loosens):
        _take_anew(publication, stands, now=now)
    if stands.missing or (publication.publish_at is not None and publication.publish_at > now):
        return False
    _require_text(publication.version, publication.content_sha256)
    policies.close_publication(
        publication, state=PublicationState.DONE, because="Published.", actor=actor, now=now
    )
    policies.go_live(
        version=publication.version,
        reason=publication.reason,
        actor=actor,
        authority={
            "publication": publication.public_id,
            **stands.document(),
            "loosening": list(takes.loosening),
        },
        now=now,
    )
    return True


def _take_anew(publication: Publication, stands: Standing, *, now: datetime) -> None:
    """Write down that it takes another number of people than when it was asked: what is live has changed."""
    takes = stands.requirement
    before: dict[str, JsonValue] = {
        "people_required": publication.people_required,
        "loosens": publication.loosens,
    }
    publication.people_required, publication.loosens = takes.people, takes.loosens
    publication.save(update_fields=["people_required", "loosens"])
    _record(
        "publication.weighed_again",
        publication,
        actor=Actor.system(),
        now=now,
        before=before,
        after={"people_required": takes.people, "loosens": takes.loosens},
    )


def _require_text(version: PolicyVersion, content_sha256: str) -> None:
    if content_sha256 != version.content_sha256:
        raise DraftChanged(changed_meanwhile(version))


def _record(
    verb: str, publication: Publication, *, actor: Actor, now: datetime, **payload: JsonValue
) -> None:
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="publication",
        object_id=publication.public_id,
        now=now,
        payload={
            "action_type": publication.action_type.name,
            "number": publication.version.number,
            "content_sha256": publication.content_sha256,
            "reason": publication.reason,
            **payload,
        },
    )

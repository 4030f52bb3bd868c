"""Policy versions: a draft is written, put in shadow or in force, and retired. Published texts never change.

Who may put a version in force, and how many people that takes, is asked in ``publications``; every way into
force that a page has goes through there. Each act takes the action type's row first, so that all changes to
one action type's policies take turns.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext

from hitl_site.lib import ids
from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.strict_json import JsonValue
from policies.choices import PolicyState, PublicationState
from policies.engine.policy import InvalidPolicy, PolicyDocument
from policies.models import ActionType, PolicyVersion, Publication
from policies.selectors import score_basis
from policies.selectors.version_words import changed_meanwhile, is_in_state, named, state_of
from policies.services import demotions, ledger
from policies.services.ledger import Actor
from policies.services.rights import current_manager

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = [
    "DraftChanged",
    "InvalidPolicy",
    "NotADraft",
    "NotInThatState",
    "close_publication",
    "content_hash",
    "end_shadow",
    "go_live",
    "lock",
    "put_in_force",
    "retire",
    "save_draft",
    "start_shadow",
]

_NAME_LENGTH: Final = 200
_BY_COMMAND: Final = Actor.system("command line")


class NotInThatState(Exception):
    """The version is not (any more) in the state that this act begins with."""


class NotADraft(NotInThatState):
    """Only a draft, or what is in shadow, can be published, and only once."""


class DraftChanged(Exception):
    """The text is not the one that the person has read."""


def content_hash(document: Mapping[str, object]) -> str:
    """Return the SHA-256 of a whole policy text, as versions carry it. Raises ``InvalidPolicy``."""
    return sha256_hex(canonicalize(_content(document)))


def save_draft(
    *,
    action_type: ActionType,
    document: Mapping[str, object],
    author: User | None,
    reason: str = "",
    rollback_of: PolicyVersion | None = None,
    now: datetime,
) -> PolicyVersion:
    """Write the action type's one draft, new or over the one there is. Raises ``InvalidPolicy``.

    Without an author it came by command, and counts for nobody. A publication of the draft that waits is
    withdrawn: people have read another text.
    """
    content = _content(document)
    actor = Actor.person(author) if author is not None else _BY_COMMAND
    with transaction.atomic():
        lock(action_type)
        versions = PolicyVersion.objects.filter(action_type=action_type)
        version = versions.filter(state=PolicyState.DRAFT).first()
        before = version.document if version is not None else None
        if version is None:
            newest = versions.aggregate(newest=Max("number"))["newest"] or 0
            version = PolicyVersion(
                public_id=ids.new("pov"), action_type=action_type, number=newest + 1, created_at=now
            )
        else:
            _withdraw_publications(version, because="The draft was changed.", actor=actor, now=now)
        version.document = content
        version.content_sha256 = sha256_hex(canonicalize(content))
        version.reason = reason
        version.rollback_of = rollback_of
        version.author = author
        version.author_name = actor.name[:_NAME_LENGTH]
        version.save()
        _record("policy.drafted", version, actor=actor, now=now, before=before, after=content)
    return version


def put_in_force(
    *, action_type: ActionType, document: Mapping[str, object], author: User, reason: str, now: datetime
) -> PolicyVersion:
    """Write and publish in one act, over any draft that lay there: for seeding by commands, not for pages.

    Nobody is asked for a second look, and the ledger says so.
    """
    with transaction.atomic():
        draft = save_draft(action_type=action_type, document=document, author=author, reason=reason, now=now)
        return go_live(
            version=draft,
            reason=reason,
            actor=Actor.person(author),
            authority={"four_eyes": "seeded"},
            now=now,
        )


def go_live(
    *,
    version: PolicyVersion,
    reason: str,
    actor: Actor,
    authority: Mapping[str, JsonValue],
    now: datetime,
) -> PolicyVersion:
    """Put a draft, or what is in shadow, in force in place of the version before it. Raises ``NotADraft``.

    ``authority`` goes into the ledger: who stood for it, and by what rule. The caller has asked that
    already. Where the new text goes by another score, levels that rest on a threshold of the one before end.
    """
    with transaction.atomic():
        lock(version.action_type)
        chosen = PolicyVersion.objects.select_related("action_type").get(pk=version.pk)
        if chosen.state not in {PolicyState.DRAFT, PolicyState.SHADOW}:
            raise NotADraft(is_in_state(chosen))
        before = PolicyVersion.objects.filter(action_type=chosen.action_type, state=PolicyState.LIVE).first()
        if before is not None:
            _set_retired(before, now=now)
            _record("policy.retired", before, actor=actor, now=now, replaced_by=chosen.number)
        chosen.state, chosen.published_at = PolicyState.LIVE, now
        chosen.reason = reason or chosen.reason
        chosen.save(update_fields=["state", "published_at", "reason"])
        _record(
            "policy.published",
            chosen,
            actor=actor,
            now=now,
            before=before.document if before is not None else None,
            after=chosen.document,
            authority=dict(authority),
        )
        if score_basis.is_other_score(chosen.document, score_basis.text_before(chosen)):
            demotions.end_thresholds(action_type=chosen.action_type, now=now)
    return chosen


def retire(*, version: PolicyVersion, person: User, reason: str, now: datetime) -> PolicyVersion:
    """Take the version in force out of force with none in its place: from then on everything is held.

    It only tightens, so one person may. Raises ``NotInThatState`` and ``NotAllowed``.
    """
    with transaction.atomic():
        lock(version.action_type)
        who = current_manager(person)
        live = _in_state(version, PolicyState.LIVE)
        _set_retired(live, now=now)
        _record(
            "policy.retired", live, actor=Actor.person(who), now=now, retired_because=reason, replaced_by=None
        )
    return live


def start_shadow(
    *, version: PolicyVersion, person: User | None, content_sha256: str, now: datetime
) -> PolicyVersion:
    """Let a draft be asked about live traffic beside the one in force; it holds nothing.

    Its text is fixed from then on. What was in shadow before is retired. ``person`` is None for a command.
    Raises ``NotADraft``, ``DraftChanged`` and ``NotAllowed``.
    """
    with transaction.atomic():
        lock(version.action_type)
        actor = Actor.person(current_manager(person)) if person is not None else _BY_COMMAND
        draft = PolicyVersion.objects.select_related("action_type").get(pk=version.pk)
        if draft.state != PolicyState.DRAFT:
            told = gettext("{version} is {state}: only a draft goes into shadow.")
            raise NotADraft(told.format(version=named(draft), state=state_of(draft)))
        if draft.content_sha256 != content_sha256:
            raise DraftChanged(changed_meanwhile(draft))
        earlier = PolicyVersion.objects.filter(
            action_type=draft.action_type, state=PolicyState.SHADOW
        ).first()
        if earlier is not None:
            _end_shadow(earlier, because=f"Version {draft.number} took its place.", actor=actor, now=now)
        draft.state, draft.shadowed_at = PolicyState.SHADOW, now
        draft.save(update_fields=["state", "shadowed_at"])
        _record("policy.shadow_started", draft, actor=actor, now=now, after=draft.document)
    return draft


def end_shadow(*, version: PolicyVersion, person: User, reason: str, now: datetime) -> PolicyVersion:
    """Stop asking a version in shadow and retire it. Raises ``NotInThatState`` and ``NotAllowed``."""
    with transaction.atomic():
        lock(version.action_type)
        who = current_manager(person)
        shadow = _in_state(version, PolicyState.SHADOW)
        _end_shadow(shadow, because=reason, actor=Actor.person(who), now=now)
    return shadow


def close_publication(
    publication: Publication, *, state: PublicationState, because: str, actor: Actor, now: datetime
) -> None:
    """Close a publication that waits, with its entry; the caller holds the action type's lock."""
    publication.state, publication.closed_at, publication.closed_because = state, now, because
    publication.save(update_fields=["state", "closed_at", "closed_because"])
    ledger.record(
        actor=actor,
        verb=f"publication.{state}",
        object_kind="publication",
        object_id=publication.public_id,
        now=now,
        payload={
            "action_type": publication.action_type.name,
            "number": publication.version.number,
            "content_sha256": publication.content_sha256,
            "because": because,
            "before": {"state": PublicationState.OPEN.value},
            "after": {"state": state.value},
        },
    )


def lock(action_type: ActionType) -> ActionType:
    """Let changes to one action type's policies take turns; NO KEY, so that the gate's rows do not wait."""
    return ActionType.objects.select_for_update(no_key=True).get(pk=action_type.pk)


def _content(document: Mapping[str, object]) -> dict[str, JsonValue]:
    """Return the whole text with its defaults, so that a published version says everything it does."""
    return cast(dict[str, JsonValue], PolicyDocument.from_document(document).to_document())


def _in_state(version: PolicyVersion, state: PolicyState) -> PolicyVersion:
    current = PolicyVersion.objects.select_related("action_type").get(pk=version.pk)
    if current.state != state:
        told = (
            gettext("{version} is not in force any more: it is {state}.")
            if state == PolicyState.LIVE
            else gettext("{version} is not in shadow any more: it is {state}.")
        )
        raise NotInThatState(told.format(version=named(current), state=state_of(current)))
    return current


def _set_retired(version: PolicyVersion, *, now: datetime) -> None:
    version.state, version.retired_at = PolicyState.RETIRED, now
    version.save(update_fields=["state", "retired_at"])


def _end_shadow(version: PolicyVersion, *, because: str, actor: Actor, now: datetime) -> None:
    _withdraw_publications(version, because="The version left shadow.", actor=actor, now=now)
    _set_retired(version, now=now)
    _record("policy.shadow_ended", version, actor=actor, now=now, because=because)


def _withdraw_publications(version: PolicyVersion, *, because: str, actor: Actor, now: datetime) -> None:
    waiting = Publication.objects.select_related("action_type", "version").filter(
        version=version, state=PublicationState.OPEN
    )
    for publication in waiting:
        close_publication(
            publication, state=PublicationState.WITHDRAWN, because=because, actor=actor, now=now
        )


def _record(verb: str, version: PolicyVersion, *, actor: Actor, now: datetime, **payload: JsonValue) -> None:
    ledger.record(
        actor=actor,
        verb=verb,
        object_kind="policy_version",
        object_id=version.public_id,
        now=now,
        payload={
            "action_type": version.action_type.name,
            "number": version.number,
            "content_sha256": version.content_sha256,
            "reason": version.reason,
            **payload,
        },
    )

"""Policies: a draft is written, published under the next number, and replaced by the one after it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Final, cast

from django.db import transaction
from django.db.models import Max

from hitl_site.lib import ids
from hitl_site.lib.canonical import canonicalize, sha256_hex
from hitl_site.lib.strict_json import JsonValue
from policies.choices import PolicyState
from policies.engine.policy import InvalidPolicy, PolicyDocument
from policies.models import ActionType, PolicyVersion
from policies.services import ledger
from policies.services.ledger import Actor

if TYPE_CHECKING:
    from django.contrib.auth.models import User

__all__ = ["DraftChanged", "InvalidPolicy", "NotADraft", "publish", "put_in_force", "save_draft"]

_NAME_LENGTH: Final = 200


class NotADraft(Exception):
    """Only a draft can be published, and only once."""


class DraftChanged(Exception):
    """The draft is not the one that the publisher has read."""


def save_draft(
    *,
    action_type: ActionType,
    document: Mapping[str, object],
    author: User,
    reason: str = "",
    now: datetime,
) -> PolicyVersion:
    """Write the action type's one draft, new or over the one there is. Raises ``InvalidPolicy``."""
    # The whole text with its defaults, so that a published version says everything it does.
    content = cast(dict[str, JsonValue], PolicyDocument.from_document(document).to_document())
    with transaction.atomic():
        _lock(action_type)
        versions = PolicyVersion.objects.filter(action_type=action_type)
        version = versions.filter(state=PolicyState.DRAFT).first()
        if version is None:
            newest = versions.aggregate(newest=Max("number"))["newest"] or 0
            version = PolicyVersion(
                public_id=ids.new("pov"), action_type=action_type, number=newest + 1, created_at=now
            )
        version.document = content
        version.content_sha256 = sha256_hex(canonicalize(content))
        version.reason = reason
        version.author = author
        version.author_name = Actor.person(author).name[:_NAME_LENGTH]
        version.save()
        _record("policy.drafted", version, actor=Actor.person(author), now=now)
    return version


def publish(
    *,
    version: PolicyVersion,
    publisher: User,
    reason: str,
    content_sha256: str | None = None,
    now: datetime,
) -> PolicyVersion:
    """Put a draft in force in place of the version before it; from here on neither changes any more.

    ``content_sha256`` names the text that the publisher has read: another one is not published.
    """
    actor = Actor.person(publisher)
    with transaction.atomic():
        _lock(version.action_type)
        draft = PolicyVersion.objects.select_related("action_type").get(pk=version.pk)
        if draft.state != PolicyState.DRAFT:
            raise NotADraft(f"{draft} is {draft.state}.")
        if content_sha256 is not None and content_sha256 != draft.content_sha256:
            raise DraftChanged(f"{draft.author_name} changed {draft} after you read it: read it again.")
        before = PolicyVersion.objects.filter(action_type=draft.action_type, state=PolicyState.LIVE).first()
        if before is not None:
            before.state, before.retired_at = PolicyState.RETIRED, now
            before.save(update_fields=["state", "retired_at"])
            _record("policy.retired", before, actor=actor, now=now)
        draft.state, draft.published_at = PolicyState.LIVE, now
        draft.reason = reason or draft.reason
        draft.save(update_fields=["state", "published_at", "reason"])
        _record(
            "policy.published",
            draft,
            actor=actor,
            now=now,
            before=before.document if before is not None else None,
            after=draft.document,
        )
    return draft


def put_in_force(
    *, action_type: ActionType, document: Mapping[str, object], author: User, reason: str, now: datetime
) -> PolicyVersion:
    """Write and publish in one act, over any draft that lay there."""
    with transaction.atomic():
        draft = save_draft(action_type=action_type, document=document, author=author, reason=reason, now=now)
        return publish(version=draft, publisher=author, reason=reason, now=now)


def _lock(action_type: ActionType) -> None:
    """Let changes to one action type's policies take turns; NO KEY, so that the gate's rows do not wait."""
    ActionType.objects.select_for_update(no_key=True).get(pk=action_type.pk)


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

"""Questions about policies: which one is in force, and what it says."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from policies.choices import PolicyState
from policies.engine.policy import PolicyDocument
from policies.models import ActionType, PolicyVersion

_MOST_KEPT = 512
_kept: OrderedDict[str, PolicyDocument] = OrderedDict()
_kept_lock = Lock()


def live_version(action_type: ActionType) -> PolicyVersion | None:
    """Return the policy version in force, or None where nothing was published."""
    return PolicyVersion.objects.filter(action_type=action_type, state=PolicyState.LIVE).first()


def draft_version(action_type: ActionType) -> PolicyVersion | None:
    """Return the draft of the next version, or None where nobody began one."""
    return PolicyVersion.objects.filter(action_type=action_type, state=PolicyState.DRAFT).first()


def shadow_version(action_type: ActionType) -> PolicyVersion | None:
    """Return the version in shadow, or None."""
    return PolicyVersion.objects.filter(action_type=action_type, state=PolicyState.SHADOW).first()


def live_document(version: PolicyVersion) -> PolicyDocument:
    """Return what a version says, compiled.

    A published version is read once a process, by its public id: the database lets none change, so the copy
    is never stale. A draft is read every time.
    """
    if version.state == PolicyState.DRAFT:
        return PolicyDocument.from_document(version.document)
    with _kept_lock:
        if version.public_id in _kept:
            _kept.move_to_end(version.public_id)
            return _kept[version.public_id]
    document = PolicyDocument.from_document(version.document)
    with _kept_lock:
        _kept[version.public_id] = document
        if len(_kept) > _MOST_KEPT:
            _kept.popitem(last=False)
    return document

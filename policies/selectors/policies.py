"""Questions about policies: which one is in force, and what it says."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

from hitl_site.lib import parts, rows
from hitl_site.lib.parts import Part
from policies.choices import PolicyState
from policies.engine.policy import PolicyDocument
from policies.models import ActionType, PolicyVersion

_MOST_KEPT = 512
# Asked for every answer of a person, so as one statement that PostgreSQL plans once. There is one at most.
_VERSION: Final = (Part.of(PolicyVersion, "p", private=True),)
_LIVE: Final = f"""SELECT {parts.columns(_VERSION)} FROM policies_policyversion p
    WHERE p.action_type_id = $1::bigint AND p.state = $2
"""  # noqa: S608 - names of columns of ours; every value is a parameter
_kept: OrderedDict[str, PolicyDocument] = OrderedDict()
_kept_lock = Lock()


def live_version(action_type: ActionType) -> PolicyVersion | None:
    """Return the policy version in force, or None where nothing was published."""
    with rows.server_side_cursor() as cursor:
        cursor.execute(_LIVE, [str(action_type.pk), PolicyState.LIVE.value])
        row = cursor.fetchone()
    if row is None:
        return None
    (version,) = parts.instances(_VERSION, row)
    assert isinstance(version, PolicyVersion)
    return version


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

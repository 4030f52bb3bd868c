"""A rule drafted from corrections that are alike: it stands in a draft and changes nothing."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext

from datasets.selectors.failures import Cluster
from hitl_site.lib.strict_json import JsonValue
from policies.models import ActionType, PolicyVersion
from policies.selectors import policies as questions
from policies.services import policies, rights

if TYPE_CHECKING:
    from django.contrib.auth.models import User

MANAGE: Final = "policies.manage_policies"


class UnableToDraft(Exception):
    """There is no such rule to draft. Nothing has changed."""


def draft(*, cluster: Cluster, person: User, now: datetime) -> PolicyVersion:
    """Add a rule that holds such actions to the draft, or to a new one of what is in force.

    Twice is as once. What the draft says already stays; only publishing it changes anything.
    """
    if not cluster.condition:
        raise UnableToDraft(gettext("No rule can be made of a field inside of a list."))
    with rights.acting(person, MANAGE):
        action_type = ActionType.objects.filter(name=cluster.action_type).first()
        if action_type is None:
            raise UnableToDraft(gettext("This action type is not declared, so it has no policy."))
        policies.lock(action_type)
        begun = questions.draft_version(action_type)
        base = begun or questions.live_version(action_type)
        if base is None:
            raise UnableToDraft(gettext("No policy is in force for this action type. Write one first."))
        document: dict[str, JsonValue] = dict(base.document)
        given = document.get("rules")
        rules: list[JsonValue] = [*given] if isinstance(given, list) else []
        code = code_of(cluster)
        if begun is not None and any(isinstance(each, dict) and each.get("code") == code for each in rules):
            return begun
        rules = [each for each in rules if not (isinstance(each, dict) and each.get("code") == code)]
        document["rules"] = [
            *rules,
            {
                "code": code,
                "title": f"Often corrected: {cluster.pointer} ({cluster.kind.replace('_', ' ')})"[:120],
                "when": cluster.condition,
                "then": "review",
                "trigger": "policy_edge",
            },
        ]
        return policies.save_draft(
            action_type=action_type,
            document=document,
            author=person,
            reason=f"{cluster.count} corrections of {cluster.pointer} were alike",
            now=now,
        )


def code_of(cluster: Cluster) -> str:
    """Return a code that the same cluster has again."""
    said = "\n".join([cluster.pointer, cluster.kind, cluster.reason])
    return f"often_corrected_{hashlib.sha256(said.encode()).hexdigest()[:8]}"

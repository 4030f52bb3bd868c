"""Trying an action: what the gate would say of a submission, by any text of the policy. Nothing is kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from django.utils.translation import gettext

from policies.engine.evaluation import Evaluation, evaluate
from policies.engine.facts import Facts, Level
from policies.models import ActionType, AgentKey, AgentVersion, PolicyVersion
from policies.selectors import policies
from policies.services import gate, shadow
from reviews.adapters.submission import SubmissionBody
from reviews.services import ingest


class Text(StrEnum):
    """Which text of the policy is asked."""

    LIVE = "live"
    DRAFT = "draft"
    SHADOW = "shadow"


class NoSuchText(Exception):
    """The action type has no such version at the moment."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What the gate would say. ``in_shadow`` is said by ``shadow_version``, where there is one."""

    evaluation: Evaluation
    action_type: ActionType | None
    policy_version: PolicyVersion | None
    shadow_version: PolicyVersion | None
    in_shadow: Evaluation | None


def try_action(
    *,
    version: AgentVersion,
    body: SubmissionBody,
    text: Text = Text.LIVE,
    level: Level | None = None,
    now: datetime,
) -> Trial:
    """Ask the gate as a dry run of this agent would, by the text that is named.

    ``level`` overrules the grant. Raises ``NoSuchText``.
    """
    # A key of nobody, good everywhere: what an agent may send is not asked here.
    proposal = replace(
        ingest.dry_proposal(key=AgentKey(agent=version.agent, environments=[]), body=body),
        agent_version=version,
    )
    outlook = gate.evaluate(proposal=proposal, now=now)
    if outlook.facts is not None and level is not None and outlook.action_type is not None:
        facts = replace(outlook.facts, level=level)
        outlook = replace(outlook, facts=facts, evaluation=evaluate(facts))
    under = gate.facts_under(proposal=proposal, outlook=outlook, now=now)
    chosen = _chosen(outlook, text)
    evaluation = outlook.evaluation
    if chosen is not None and chosen != outlook.policy_version:
        evaluation = _said_by(chosen, outlook.facts, under) or evaluation
    return Trial(
        evaluation=evaluation,
        action_type=outlook.action_type,
        policy_version=chosen,
        shadow_version=outlook.in_shadow,
        in_shadow=_said_by(outlook.in_shadow, outlook.facts, under),
    )


def _chosen(outlook: gate.Outlook, text: Text) -> PolicyVersion | None:
    if text is Text.LIVE:
        return outlook.policy_version
    found = None
    if outlook.action_type is not None:
        found = outlook.in_shadow if text is Text.SHADOW else policies.draft_version(outlook.action_type)
    if found is None:
        raise NoSuchText(
            gettext("There is no draft of this action type's policy.")
            if text is Text.DRAFT
            else gettext("No version of this action type's policy is in shadow.")
        )
    return found


def _said_by(
    version: PolicyVersion | None, facts: Facts | None, under: shadow.FactsUnder
) -> Evaluation | None:
    if version is None or facts is None:
        return None
    return shadow.would_say(version=version, facts=facts, facts_under=under)

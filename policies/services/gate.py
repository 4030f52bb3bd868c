"""The gate: the point of control. It loads facts, asks the pure engine, and keeps the answer.

One statement asks for all that is known of the agent, the action type and its policy, the level granted and
the stops (``policies.selectors.standing``); the past is asked where the policy looks back. Whatever fails on
the way, short of the database itself, holds the action for a person: there is no path from an error to an
allow. Without a database nothing is answered at all, which the client takes as "do not run".
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Protocol, cast

from django.conf import settings
from django.db import Error as DatabaseError

from hitl_site.lib import ids, rows
from hitl_site.lib.canonical import canonicalize
from hitl_site.lib.instances import made
from hitl_site.lib.strict_json import JsonValue
from policies import choices
from policies.engine.documents import value_at
from policies.engine.evaluation import Evaluation, reevaluate
from policies.engine.evaluation import evaluate as ask_engine
from policies.engine.explanation import Reason
from policies.engine.facts import (
    ActionTypeFacts,
    AgentFacts,
    ConversationFacts,
    Facts,
    GrantTerms,
    Level,
    Mode,
    Route,
    Trigger,
    Verdict,
)
from policies.engine.measures import Measure, Unmeasured, measured, own_share
from policies.engine.policy import PolicyDocument
from policies.engine.sampling import audit_draw
from policies.models import ActionType, Agent, AgentVersion, GateCheck, PolicyVersion
from policies.selectors import policies as policy_selectors
from policies.selectors.standing import Granted, Standing
from policies.selectors.standing import load as load_standing
from policies.services import shadow
from policies.services.kill_switch import stopped
from policies.services.reasons import reason_document

__all__ = [
    "Outlook",
    "Past",
    "Proposal",
    "action_type_facts",
    "check",
    "cluster_key",
    "evaluate",
    "facts_under",
    "judge",
    "recheck",
    "stopped",
]

logger = logging.getLogger(__name__)

_LONGEST_CLUSTER_KEY: Final = 200


class Past(Protocol):
    """What came before an action. Whoever keeps the actions answers."""

    def measure(
        self, *, measures: Sequence[Measure], proposal: Proposal, now: datetime
    ) -> Mapping[str, Decimal | Unmeasured]:
        """Return for each measure, by name, what the earlier actions in its window come to."""

    def refused_before(
        self, *, proposal: Proposal, action_type: ActionType | None, since: datetime
    ) -> str | None:
        """Return the latest act refused since then that looks the same, None when there is none."""

    def without_waiting(self) -> Past:
        """Return the same past for an answer that nothing rests on: it waits for nobody."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What an agent asks leave for, as the gate needs it. The agent is read in the same request.

    Without a ``past`` the action stands alone: a measure counts no other, and nothing was refused before.
    ``canary_key`` is what a canary draws by: the same for an act that is proposed again, so that asking often
    is of no use. Without it the action draws for itself.
    """

    action_id: str
    agent: Agent
    agent_version: AgentVersion
    action_type_name: str
    arguments: JsonValue
    mode: str = Mode.GATED
    confidence: float | None = None
    judge_score: float | None = None
    sample_agreement: float | None = None
    environment: str = "production"
    subject: str | None = None
    conversation_id: str = ""
    context: JsonValue = None
    past: Past | None = None
    canary_key: str = ""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """The engine's answer, and what it rests on."""

    evaluation: Evaluation
    action_type: ActionType | None
    policy_version: PolicyVersion | None
    cluster_key: str
    facts: Facts | None = None
    in_shadow: PolicyVersion | None = None

    @property
    def trigger(self) -> Trigger | None:
        """Return why a person looks at it: the first, strictest reason, or the audit draw."""
        if self.evaluation.reasons and self.evaluation.verdict is not Verdict.ALLOW:
            return self.evaluation.reasons[0].trigger
        return Trigger.AUDIT if self.evaluation.audit_selected else None


def check(*, proposal: Proposal, now: datetime) -> GateCheck:
    """Answer the proposal and keep the answer with all that cannot be reconstructed later.

    Never an allow by mistake: an error is a stored review with the reason ``gate_error``. Errors of the
    database pass through, for then nothing can be stored and nothing may run.
    """
    answer = judge(proposal=proposal, now=now)
    rows.insert(answer)
    return answer


def judge(
    *, proposal: Proposal, now: datetime, standing: Standing | None = None, drill: bool = False
) -> GateCheck:
    """Return what ``check`` keeps, for a caller who writes it together with the action.

    ``standing`` is what the caller has read in this very transaction; without it the gate reads by itself.
    What the version in shadow says is kept right away, but not of a ``drill``: nobody proposed it.
    """
    outlook = evaluate(proposal=proposal, now=now, standing=standing)
    found = outlook.evaluation
    answer = made(
        GateCheck,
        public_id=ids.new("chk"),
        action_id=proposal.action_id,
        action_type_name=proposal.action_type_name,
        action_type=outlook.action_type,
        agent=proposal.agent,
        agent_version=proposal.agent_version,
        policy_version=outlook.policy_version,
        verdict=found.verdict.value,
        route=found.route.value,
        trigger=outlook.trigger.value if outlook.trigger else None,
        reasons=[reason_document(reason) for reason in found.reasons],
        nearest_miss=found.nearest_miss or "",
        score=found.score,
        score_source=found.score_source.value if found.score_source else "",
        threshold=found.threshold,
        level=found.level.value,
        propensity=found.propensity,
        min_propensity=found.min_propensity,
        audit_selected=found.audit_selected,
        blind=found.blind,
        drill=drill,
        cluster_key=outlook.cluster_key,
        approvals_required=found.approvals_required,
        history=dict(found.history),
        evaluated_at=now,
    )
    if outlook.facts is not None and outlook.in_shadow is not None and not drill:
        shadow.record(
            version=outlook.in_shadow,
            action_id=proposal.action_id,
            facts=outlook.facts,
            agent=proposal.agent,
            live=found,
            facts_under=facts_under(proposal=proposal, outlook=outlook, now=now),
            now=now,
        )
    return answer


def facts_under(*, proposal: Proposal, outlook: Outlook, now: datetime) -> shadow.FactsUnder:
    """Return what gives the facts of an outlook as another version of the policy needs them.

    Nothing rests on such an answer, so that it waits for no other action with the same past.
    """
    quiet = replace(proposal, past=proposal.past.without_waiting() if proposal.past is not None else None)

    def under(version: PolicyVersion, document: PolicyDocument) -> Facts:
        assert outlook.facts is not None
        return replace(
            outlook.facts,
            policy=document,
            policy_version=version.number,
            history=_history(quiet, document, now),
            denied_before=_denied_before(quiet, outlook.action_type, document, now),
        )

    return under


def evaluate(*, proposal: Proposal, now: datetime, standing: Standing | None = None) -> Outlook:
    """Answer the proposal without keeping anything. Its draws are those that ``check`` would make."""
    action_type: ActionType | None = None
    policy_version: PolicyVersion | None = None
    facts: Facts | None = None
    in_shadow: PolicyVersion | None = None
    key = ""
    try:
        standing = standing if standing is not None else _standing(proposal, now)
        action_type, policy_version = standing.action_type, standing.policy_version
        in_shadow = standing.shadow_version
        if action_type is not None:
            key = cluster_key(action_type, proposal.arguments)
        facts = _facts(proposal, standing, now)
        evaluation = ask_engine(facts)
    except DatabaseError:
        raise
    except Exception as error:  # whatever it is, it must hold the action
        logger.exception("The gate failed on %s and holds it.", proposal.action_id)
        evaluation = _held_for(error, action_type)
    return Outlook(
        evaluation=evaluation,
        action_type=action_type,
        policy_version=policy_version,
        cluster_key=key,
        facts=facts,
        in_shadow=in_shadow,
    )


def recheck(
    *, proposal: Proposal, previous_verdict: choices.Verdict | Verdict | str, now: datetime
) -> Evaluation:
    """Ask the policy in force again, for edited arguments or before a run; the stricter answer wins."""
    previous = Verdict(str(previous_verdict))
    action_type: ActionType | None = None
    try:
        standing = _standing(proposal, now)
        action_type = standing.action_type
        return reevaluate(previous, _facts(proposal, standing, now))
    except DatabaseError:
        raise
    except Exception as error:  # as in evaluate
        logger.exception("The gate failed on %s again and holds it.", proposal.action_id)
        return _held_for(error, action_type, at_least=previous)


def cluster_key(action_type: ActionType, arguments: JsonValue) -> str:
    """Return the value that marks actions which are one event, "" where the type or the arguments name none.

    The action type points at it by RFC 6901. A long value is represented by its SHA-256.
    """
    if not action_type.cluster_pointer:
        return ""
    try:
        node = value_at(arguments, action_type.cluster_pointer)
    except LookupError:
        return ""
    text = node if isinstance(node, str) else canonicalize(cast(JsonValue, node)).decode()
    if len(text) <= _LONGEST_CLUSTER_KEY:
        return text
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _standing(proposal: Proposal, now: datetime) -> Standing:
    return load_standing(
        agent=proposal.agent,
        version=proposal.agent_version,
        action_type_name=proposal.action_type_name,
        now=now,
    )


def _facts(proposal: Proposal, standing: Standing, now: datetime) -> Facts:
    action_type, policy_version = standing.action_type, standing.policy_version
    granted = standing.granted
    # Nobody has declared it: a person decides every one, and what a person approves may run.
    level = Level.REVIEW_ALL
    if action_type is not None:
        # The cap is the engine's to apply, so that it can say so; here only what was granted counts.
        level = Level(str(granted.level if granted else action_type.first_contact_level))
    document = policy_selectors.live_document(policy_version) if policy_version is not None else None
    context = proposal.context if isinstance(proposal.context, dict) else {}
    messages = context.get("messages")
    stated = context.get("facts")
    return Facts(
        action_type=action_type_facts(action_type) if action_type is not None else None,
        arguments=proposal.arguments,  # type: ignore[arg-type]  # what is no object is the engine's to refuse
        agent=AgentFacts(name=proposal.agent.name, version=proposal.agent_version.label, known_version=True),
        level=level,
        policy=document,
        policy_version=policy_version.number if policy_version is not None else None,
        draw=audit_draw(settings.AUDIT_DRAW_SECRET, proposal.action_id, "audit"),
        blind_draw=audit_draw(settings.AUDIT_DRAW_SECRET, proposal.action_id, "blind"),
        kill_switch=standing.stopped,
        agent_active=standing.agent_state == choices.AgentState.ACTIVE,
        confidence=proposal.confidence,
        judge_score=proposal.judge_score,
        sample_agreement=proposal.sample_agreement,
        mode=Mode(proposal.mode),
        environment=proposal.environment,
        subject=proposal.subject,
        conversation=ConversationFacts(
            id=proposal.conversation_id or None,
            message_count=len(messages) if isinstance(messages, list) else 0,
        ),
        platform_facts=stated if isinstance(stated, dict) else {},
        now=now,
        history=_history(proposal, document, now) if document is not None else {},
        denied_before=_denied_before(proposal, action_type, document, now) if document is not None else None,
        heard=proposal.context,
        terms=_terms(granted) if granted is not None else GrantTerms(),
        canary_draw=audit_draw(
            settings.AUDIT_DRAW_SECRET, proposal.canary_key or proposal.action_id, "canary"
        ),
    )


def _terms(granted: Granted) -> GrantTerms:
    return GrantTerms(
        threshold=granted.threshold,
        audit_rate=granted.audit_rate,
        canary_share=granted.canary_share,
        canary_base=Level(granted.canary_base) if granted.canary_base else None,
    )


def _history(proposal: Proposal, document: PolicyDocument, now: datetime) -> dict[str, float | Unmeasured]:
    """Return the policy's measures: what was before, and what this action adds."""
    if not document.measures:
        return {}
    earlier: Mapping[str, Decimal | Unmeasured] = {}
    if proposal.past is not None:
        earlier = proposal.past.measure(measures=document.measures, proposal=proposal, now=now)
    return {
        measure.name: measured(
            # What nobody answered for is not nothing.
            earlier.get(measure.name, Unmeasured("nobody knows its past")) if proposal.past else Decimal(0),
            own_share(measure, action_type=proposal.action_type_name, arguments=proposal.arguments),
        )
        for measure in document.measures
    }


def _denied_before(
    proposal: Proposal, action_type: ActionType | None, document: PolicyDocument, now: datetime
) -> str | None:
    if proposal.past is None or not document.denial_memory_seconds:
        return None
    since = now - timedelta(seconds=document.denial_memory_seconds)
    return proposal.past.refused_before(proposal=proposal, action_type=action_type, since=since)


def action_type_facts(action_type: ActionType) -> ActionTypeFacts:
    """Return a declared type as the engine reads it."""
    schema = action_type.argument_schema
    if schema is not None and not isinstance(schema, Mapping):
        raise TypeError("an argument schema is an object")
    return ActionTypeFacts(
        name=action_type.name,
        title=action_type.title,
        risk=str(action_type.risk),
        irreversible=action_type.irreversible,
        argument_schema=schema,
        autonomy_cap=Level(str(action_type.autonomy_cap)),
        widens_rights=action_type.widens_rights,
    )


def _held_for(
    error: Exception, action_type: ActionType | None, *, at_least: Verdict = Verdict.REVIEW
) -> Evaluation:
    """Return the answer to a failure of the gate: what an action without any facts gets, and never less."""
    verdict = Verdict.strictest(Verdict.REVIEW, at_least)
    looked_at = 0.0 if verdict is Verdict.DENY else 1.0
    reason = Reason(
        code="gate_error",
        trigger=Trigger.POLICY_EDGE,
        title="The gate failed",
        detail=f"The gate could not look at this action ({type(error).__name__}), so a person decides.",
        strictness=verdict,
    )
    return Evaluation(
        verdict=verdict,
        reasons=(reason,),
        score=None,
        score_source=None,
        threshold=None,
        level=Level.REVIEW_ALL,
        route=Route.DENIED if verdict is Verdict.DENY else Route.HELD,
        propensity=looked_at,
        min_propensity=looked_at,
        audit_selected=False,
        blind=False,
        # Two for a critical action, as anywhere; what its policy asks is not known here.
        approvals_required=2 if action_type is not None and action_type.risk == choices.Risk.CRITICAL else 1,
        nearest_miss=None,
    )

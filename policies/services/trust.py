"""Trust: each comparison of an agent with a person is kept once, as it was."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction

from hitl_site.lib import ids, rows
from hitl_site.lib.instances import made
from policies.choices import AutonomyLevel, KillSwitchScope, MissingLabelReason, Route
from policies.models import ActionType, GateCheck, MissingLabel, Observation
from policies.selectors.evidence_limits import settings_of
from policies.services import demotions, kill_switch
from policies.services.demotions import Demotion
from policies.services.ledger import Actor


@transaction.atomic
def observe(
    *,
    gate_check: GateCheck,
    decision_id: str,
    audited: bool,
    error: bool,
    considered: bool,
    blind: bool,
    reasons: Sequence[str] = (),
    decision_ms: int | None = None,
    now: datetime,
) -> Observation | None:
    """Keep what a released decision says of the agent; return None where it says nothing.

    A drill says nothing of the agent, and what had no chance of being looked at (a denied action) has no
    weight. Nor does what was looked at for another reason than that it was held or drawn: a sample of
    complaints is not a sample. Of one gate check the first comparison counts: again, or twice at once, gives
    the same one. An error that the person's ``reasons`` make critical takes autonomy away here and now.
    """
    if gate_check.drill or gate_check.propensity <= 0 or not is_sampled(gate_check):
        return None
    severity = severity_of(gate_check.action_type, reasons) if error else 0.0
    observation = made(
        Observation,
        public_id=ids.new("obs"),
        gate_check=gate_check,
        action_type_id=gate_check.action_type_id,
        agent_version_id=gate_check.agent_version_id,
        decision_id=decision_id,
        audited=audited,
        error=error,
        considered=considered,
        blind=blind,
        score=gate_check.score,
        propensity=gate_check.propensity,
        min_propensity=gate_check.min_propensity,
        cluster_key=gate_check.cluster_key,
        severity=severity,
        decision_ms=decision_ms,
        observed_at=now,
    )
    if not rows.insert(observation, unless_taken=["gate_check_id"]):
        return Observation.objects.get(gate_check=gate_check)
    if considered and error:
        _answer_what_is_critical(observation, gate_check, reasons, now=now)
    return observation


def is_sampled(gate_check: GateCheck) -> bool:
    """Say whether the gate itself chose a person to look at this action: it held it, or drew it."""
    return gate_check.route == Route.HELD or gate_check.audit_selected


def severity_of(action_type: ActionType | None, reasons: Sequence[str]) -> float:
    """Return the loss that an error stands for: the gravest of its reasons, 1 where nobody said less."""
    declared = action_type.severities if action_type is not None else {}
    named = [float(declared[reason]) for reason in reasons if reason in declared]
    return max(named, default=1.0)


def note_missing(*, gate_check: GateCheck, reason: MissingLabelReason, now: datetime) -> MissingLabel | None:
    """Note that a person was to look at an action and never will; return None where nobody was to.

    The evidence goes on past it: a missing label counts neither as right nor as wrong. Whoever closes an item
    without an answer calls this in the same transaction. Twice changes nothing.
    """
    if gate_check.drill or not is_sampled(gate_check):
        return None
    if Observation.objects.filter(gate_check=gate_check).exists():
        return None
    missing, _ = MissingLabel.objects.get_or_create(
        gate_check=gate_check, defaults={"reason": reason, "noted_at": now}
    )
    return missing


def _answer_what_is_critical(
    observation: Observation, gate_check: GateCheck, reasons: Sequence[str], *, now: datetime
) -> None:
    action_type = gate_check.action_type
    if action_type is None:
        return
    # Only a reason that somebody declared to be grave: else every error without one would be.
    grave = [code for code in reasons if code in action_type.severities]
    settings = settings_of(action_type)
    if not grave or observation.severity < settings.critical_severity:
        return
    demotions.demote(
        agent_version=observation.agent_version,
        action_type=action_type,
        because=Demotion.CRITICAL_ERROR,
        says="A person confirmed a critical error.",
        facts={
            "decision_id": observation.decision_id,
            "severity": observation.severity,
            "reasons": list(grave),
        },
        at_most=AutonomyLevel.REVIEW_ALL,
        now=now,
    )
    if settings.critical_suspends and gate_check.level != AutonomyLevel.SHADOW:
        # In Shadow nothing of it runs that a stop could end.
        kill_switch.engage(
            scope=KillSwitchScope.AGENT,
            agent=observation.agent_version.agent,
            reason=f"A person confirmed a critical error with {action_type.name}: {', '.join(grave)}.",
            actor=Actor.system(),
            now=now,
        )

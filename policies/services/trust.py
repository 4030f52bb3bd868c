"""Trust: each comparison of an agent with a person is kept once, as it was."""

from __future__ import annotations

from datetime import datetime

from hitl_site.lib import ids
from policies.models import GateCheck, Observation


def observe(
    *,
    gate_check: GateCheck,
    decision_id: str,
    audited: bool,
    error: bool,
    considered: bool,
    blind: bool,
    now: datetime,
) -> Observation | None:
    """Keep what a released decision says of the agent; return None where it says nothing.

    A drill says nothing of the agent, and what had no chance of being looked at (a denied action) has no
    weight. Of one gate check the first comparison counts: again, or twice at once, gives the same one.
    """
    if gate_check.drill or gate_check.propensity <= 0:
        return None
    observation, _ = Observation.objects.get_or_create(
        gate_check=gate_check,
        defaults={
            "public_id": ids.new("obs"),
            "action_type_id": gate_check.action_type_id,
            "agent_version_id": gate_check.agent_version_id,
            "decision_id": decision_id,
            "audited": audited,
            "error": error,
            "considered": considered,
            "blind": blind,
            "score": gate_check.score,
            "propensity": gate_check.propensity,
            "min_propensity": gate_check.min_propensity,
            "cluster_key": gate_check.cluster_key,
            "observed_at": now,
        },
    )
    return observation

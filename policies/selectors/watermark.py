"""What holds the watermark: the first action that nobody has answered, and what waits behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from policies.models import EvidenceSample
from policies.selectors import evidence_samples as samples
from policies.selectors.evidence import Evidence


@dataclass(frozen=True, kw_only=True, slots=True)
class Holdup:
    """The first action that nobody has answered: what came later does not count before it is.

    ``drawn`` says that it ran alone and was drawn for a check; ``behind`` is how many labels wait for it.
    """

    action_id: str
    since: datetime
    drawn: bool
    overdue: bool
    behind: int


def holdup_of(found: Evidence) -> Holdup | None:
    """Return what the evidence waits for, None where everything is answered."""
    first = samples.waiting(found.track).select_related("gate_check").order_by("seq").first()
    if first is None:
        return None
    check = first.gate_check
    behind = EvidenceSample.objects.filter(
        agent_version=found.track.agent_version_id,
        action_type=found.track.action_type_id,
        seq__gt=first.seq,
        gate_check__observation__considered=True,
    ).count()
    due = check.evaluated_at + timedelta(hours=found.settings.audit_due_hours)
    return Holdup(
        action_id=check.action_id,
        since=check.evaluated_at,
        drawn=first.drawn,
        overdue=first.drawn and due < found.now,
        behind=behind,
    )

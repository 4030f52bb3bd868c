"""The very actions behind each number of the trust page, as many as it says."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from policies.choices import Route, Trigger
from policies.selectors.trust import TrustFilter, during
from reviews.choices import DecisionKind, ItemKind, ItemStatus
from reviews.models import ActionRequest, Incident, ReviewItem
from reviews.selectors import trust_facts

TRIGGERS = (Trigger.HIGH_RISK, Trigger.LOW_CONFIDENCE, Trigger.POLICY_EDGE)
STATES = {
    "alone": gettext_lazy("Ran alone"),
    "denied": gettext_lazy("Denied"),
    "held": gettext_lazy("Held"),
    "approved": gettext_lazy("Held, then approved"),
    "corrected": gettext_lazy("Held, then corrected"),
    "rejected": gettext_lazy("Held, then rejected"),
    "answered": gettext_lazy("Held, then decided"),
    "overridden": gettext_lazy("Held, then corrected or rejected"),
    "looked": gettext_lazy("Looked at by a person"),
}
AUDITED = {
    "drawn": gettext_lazy("Drawn for a routine check"),
    "checked": gettext_lazy("Checked"),
    "wrong": gettext_lazy("Checked and wrong"),
    "weak": gettext_lazy("Checked too fast to count"),
}
_KINDS = {
    "approved": (DecisionKind.APPROVE,),
    "corrected": (DecisionKind.CORRECT,),
    "rejected": (DecisionKind.REJECT,),
    "overridden": (DecisionKind.CORRECT, DecisionKind.REJECT),
    "answered": (DecisionKind.APPROVE, DecisionKind.CORRECT, DecisionKind.REJECT),
}
DEADLINES = {
    "kept": gettext_lazy("Answered before its deadline"),
    "late": gettext_lazy("Answered late, or not at all"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemFilter:
    """Which actions stand behind a number. ``state`` is of ``STATES``, ``audited`` of ``AUDITED``."""

    period: TrustFilter
    state: str = ""
    trigger: str = ""
    audited: str = ""
    deadline: str = ""
    reason: str = ""
    field: str = ""
    incidents: bool = False


def items(filters: ItemFilter) -> QuerySet[ActionRequest]:
    """Return the actions behind a number, in no order: as many as the page says."""
    found = (
        ActionRequest.objects.filter(during(filters.period, "gate_check__"), gate_check__drill=False)
        .select_related("agent", "agent_version", "gate_check")
        .defer("arguments", "arguments_canonical", "final_arguments_canonical")
    )
    if filters.trigger:
        found = found.filter(gate_check__route=Route.HELD, gate_check__trigger=filters.trigger)
    if filters.audited == "drawn":
        found = found.filter(gate_check__audit_selected=True)
    elif filters.audited:
        considered = filters.audited != "weak"
        found = found.filter(
            gate_check__observation__audited=True, gate_check__observation__considered=considered
        )
        if filters.audited == "wrong":
            found = found.filter(gate_check__observation__error=True)
    if filters.deadline:
        found = found.filter(_about_deadline(filters.deadline))
    mine = trust_facts.decided().filter(action=OuterRef("pk"), item__kind__in=trust_facts.LOOKED_AT)
    if filters.reason:
        found = found.filter(Exists(mine.filter(reasons__contains=[filters.reason])))
    if filters.field:
        found = found.filter(Exists(mine.filter(patch__contains=[{"path": filters.field}])))
    if filters.incidents:
        found = found.filter(Exists(Incident.objects.filter(action=OuterRef("pk"))))
    return _in_state(found, filters.state)


def _about_deadline(which: str) -> Exists | Q:
    answered = trust_facts.decided().filter(action=OuterRef("pk"), item__kind=ItemKind.GATE)
    if which == "kept":
        return Exists(answered.filter(trust_facts.IN_TIME))
    items = trust_facts.unanswered(now=Now()).filter(action=OuterRef("pk"))
    return Q(Exists(answered.exclude(trust_facts.IN_TIME))) | Q(Exists(items))


def undecided_blind(found: QuerySet[ActionRequest]) -> QuerySet[ActionRequest]:
    """Return those of ``found`` that somebody still has to decide without knowing why: a list would tell."""
    return found.filter(Exists(_blind_items()))


def without_undecided_blind(found: QuerySet[ActionRequest]) -> QuerySet[ActionRequest]:
    """Return the others."""
    return found.filter(~Exists(_blind_items()))


def _blind_items() -> QuerySet[ReviewItem]:
    waiting = (ItemStatus.OPEN, ItemStatus.RECORDED)
    return ReviewItem.objects.filter(action=OuterRef("pk"), blind=True, status__in=waiting)


def _in_state(found: QuerySet[ActionRequest], state: str) -> QuerySet[ActionRequest]:
    routes = {"alone": Route.ALONE, "denied": Route.DENIED, "held": Route.HELD}
    if state in routes:
        found = found.filter(gate_check__route=routes[state])
    mine = trust_facts.decided().filter(action=OuterRef("pk"))
    if state in _KINDS:
        found = found.filter(Exists(mine.filter(item__kind=ItemKind.GATE, kind__in=_KINDS[state])))
    elif state == "looked":
        found = found.filter(Exists(mine.filter(item__kind__in=trust_facts.LOOKED_AT)))
    return found

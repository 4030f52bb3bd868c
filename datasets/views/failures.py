"""The page of what people keep correcting, and the rule that can be drafted from it."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from datasets.selectors import failures
from datasets.services import rule_drafts
from datasets.views.access import SEE
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.engine.policy import InvalidPolicy
from policies.models import ActionType
from reviews.selectors.reasons import reason_labels

DAYS: Final = (7, 30, 90)
_USUAL: Final = 30
_LONGEST: Final = 300


@require_safe
@needs_one_of("policies.view_observation", *SEE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """Show corrections by version, field and reason, and those that are alike."""
    days = _days(request.GET.get("days"))
    name, agent = (request.GET.get(each, "")[:_LONGEST].replace("\x00", "") for each in ("type", "agent"))
    since = database_now() - timedelta(days=days)
    context = {
        "found": failures.failures(since=since, action_type=name, agent=agent),
        "days": days,
        "all_days": DAYS,
        "type": name,
        "agent": agent,
        "types": list(ActionType.objects.order_by("name").values_list("name", flat=True)),
        "reasons": reason_labels(),
        "may_draft": request.user.has_perm(rule_drafts.MANAGE),
        "may_see_cases": any(request.user.has_perm(right) for right in SEE),
        "most": failures.MOST_READ,
        "bar_title": gettext("Failures"),
    }
    return render(request, "datasets/failures/page.html", context)


@require_POST
@needs_one_of(rule_drafts.MANAGE)
def draft(request: AuthenticatedRequest) -> HttpResponse:
    """Draft a rule from a cluster, and lead to where it is looked at: its what-if stands beside it."""
    now = database_now()
    wanted = {name: request.POST.get(name, "")[:_LONGEST] for name in ("type", "pointer", "kind", "reason")}
    days = _days(request.POST.get("days"))
    back = f"{reverse('datasets:failures')}?{urlencode({'days': days})}"
    cluster = failures.cluster(
        since=now - timedelta(days=days),
        action_type=wanted["type"].replace("\x00", ""),
        pointer=wanted["pointer"],
        kind=wanted["kind"],
        reason=wanted["reason"],
    )
    if cluster is None:
        messages.error(request, gettext("There are no such corrections any more."))
        return redirect(back)
    try:
        rule_drafts.draft(cluster=cluster, person=request.user, now=now)
    except (rule_drafts.UnableToDraft, InvalidPolicy) as problem:
        messages.error(request, str(problem))
        return redirect(back)
    said = gettext("The rule is in the draft. It changes nothing until it is published.")
    messages.success(request, said)
    return redirect("policies:policy_edit", name=cluster.action_type)


def _days(text: str | None) -> int:
    return int(text) if text in {str(days) for days in DAYS} else _USUAL

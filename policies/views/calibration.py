"""The calibration page: what a score is worth, and a new map for it as a draft."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_safe

from hitl_site.lib import wording
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.engine.policy import PolicyDocument
from policies.models import ActionType
from policies.selectors import calibration, calibration_plots, policy_words, what_if
from policies.selectors import policies as questions
from policies.selectors.score_changes import score_change
from policies.services import policies as acts
from policies.views.action_types import MANAGE, SEE


@require_safe
@needs_one_of(*SEE)
def show(request: AuthenticatedRequest, name: str) -> HttpResponse:
    """Show what the scores of an action type are worth."""
    action_type = get_object_or_404(ActionType, name=name)
    page = calibration.page(action_type=action_type, live=_live(action_type), now=database_now())
    shown = page.calibrated or page.raw
    before = page.raw if page.calibrated is not None else None
    context = {
        "action_type": action_type,
        "page": page,
        "shown": shown,
        "source": policy_words.score_source(page.source),
        "reliability": shown
        and calibration_plots.reliability(
            "reliability", now=shown, before=before, before_label=gettext("Raw score")
        ),
        "drift": calibration_plots.drift(page.weeks) if page.weeks else None,
        "coverage": shown and calibration_plots.risk_coverage(shown),
        "may_manage": request.user.has_perm(MANAGE),
        "may_refit": page.labels >= calibration.FEWEST_TO_FIT,
        "fewest": calibration.FEWEST_TO_FIT,
        "bar_title": gettext("Calibration"),
    }
    return render(request, "policies/calibration/page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(MANAGE)
def refit(request: AuthenticatedRequest, name: str) -> HttpResponse:
    """Show what a new map would change, and write it into the draft."""
    action_type = get_object_or_404(ActionType, name=name)
    live, now = _live(action_type), database_now()
    found = calibration.refit(action_type=action_type, live=live, now=now)
    if found is None:
        context: dict[str, object] = {"action_type": action_type, "fewest": calibration.FEWEST_TO_FIT}
        status = 409 if request.method == "POST" else 200
        return render(request, "policies/calibration/none.html", context, status=status)
    draft = questions.draft_version(action_type)
    base = questions.live_document(draft) if draft is not None else live or PolicyDocument()
    document = calibration.with_calibration(base, found.calibration)
    if request.method == "POST":
        acts.save_draft(
            action_type=action_type,
            document=document.to_document(),
            author=request.user,
            reason=f"Calibrated by {wording.plain_number(found.fitted_on)} labels (isotonic).",
            now=now,
        )
        return redirect("policies:publish", name)
    answer = what_if.ask(action_type=action_type, draft=document, live=live, now=now)
    context = {
        "action_type": action_type,
        "refit": found,
        "draft": draft,
        "answer": answer,
        "score_change": score_change(action_type, document.to_document()),
        "reliability": calibration_plots.reliability(
            "refit", now=found.after, before=found.before, before_label=gettext("As it is")
        ),
        "bar_title": gettext("Calibration"),
    }
    return render(request, "policies/calibration/refit.html", context)


def _live(action_type: ActionType) -> PolicyDocument | None:
    version = questions.live_version(action_type)
    return None if version is None else questions.live_document(version)

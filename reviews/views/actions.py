"""The story of one action, for people."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.models import ActionRequest
from reviews.selectors.story import story
from reviews.services.rights import STOP
from reviews.views.access import for_those_who_look


@for_those_who_look
@require_safe
def show(request: AuthenticatedRequest, action_id: str) -> HttpResponse:
    """Show what was proposed, what the gate said, who decided and what came of it."""
    try:
        told = story(action_id=action_id, viewer=request.user)
    except ActionRequest.DoesNotExist:
        raise Http404(gettext("There is no such action.")) from None
    context = {
        "story": told,
        "may_revoke": request.user.has_perm(STOP),
        "now": database_now(),
        "bar_title": gettext("Action"),
    }
    return render(request, "reviews/actions/page.html", context)

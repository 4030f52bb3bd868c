"""The page of capacity: how many people reviewing takes, and what waits if it goes on like this."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.models import ActionType
from reviews.selectors import capacity


@require_safe
@needs_one_of("policies.view_observation")
def show(request: AuthenticatedRequest) -> HttpResponse:
    """Show the people needed, the forecast, and what another threshold of a type would take."""
    types = list(ActionType.objects.order_by("name"))
    name = request.GET.get("type", "")
    chosen = next((each for each in types if each.name == name), None)
    if name and chosen is None:
        raise Http404("There is no such action type.")
    context = {
        "found": capacity.capacity(action_type=chosen, now=database_now()),
        "types": types,
        "chosen": chosen,
        "fewest": capacity.FEWEST_LOOKS,
        "bar_title": gettext("Capacity"),
    }
    return render(request, "reviews/capacity/page.html", context)

"""The pages of trust: the numbers of a period, and the actions behind each of them."""

from __future__ import annotations

from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from hitl_site.lib import pagination
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.selectors import trust
from reviews.views.trust_filters import PERIODS, ItemFilterForm, TrustFilterForm, action_type_names

SEE = "policies.view_observation"
PAGE = 50


@require_GET
@needs_one_of(SEE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """Show what agents did in a period and how far that can be trusted."""
    form = TrustFilterForm(request.GET)
    if not form.is_valid():
        raise BadRequest("There is no such filter.")
    now = database_now()
    context = {
        "trust": trust.page(form.period(now), now=now),
        "form": form,
        "days": form.chosen_days,
        "query": form.query,
        "periods": PERIODS,
        "action_types": action_type_names(),
        "filtered": bool(form.cleaned_data["type"] or form.cleaned_data["agent"]),
        "may_see_policies": request.user.has_perm("policies.view_actiontype"),
        "now": now,
        "bar_title": "Trust",
    }
    return render(request, "reviews/trust/page.html", context)


@require_GET
@needs_one_of(SEE)
def items(request: AuthenticatedRequest) -> HttpResponse:
    """List the actions behind a number, newest first, a page at a time."""
    form = ItemFilterForm(request.GET)
    if not form.is_valid():
        raise BadRequest("There is no such filter.")
    query = request.GET.copy()
    cursor = (query.pop("after", None) or query.pop("before", None) or [""])[0]
    every = trust.items(form.filters(database_now()))
    # Who may still be asked about a blind item must not read here why it is held.
    may_decide = request.user.has_perm("reviews.review_item")
    found = trust.without_undecided_blind(every) if may_decide else every
    try:
        page = pagination.page(
            found, order_by=["-id"], limit=PAGE, scope=f"trust?{_scope(form)}", cursor=cursor
        )
    except pagination.InvalidCursor:
        # An old bookmark: the first page is what it asks for now.
        return redirect(f"{reverse('reviews:trust_items')}?{query.urlencode()}")
    context = {
        "page": page,
        "total": every.count(),
        "hidden": trust.undecided_blind(every).count() if may_decide else 0,
        "form": form,
        "days": form.chosen_days,
        "bar_title": "Trust",
    }
    return render(request, "reviews/trust_items/page.html", context)


def _scope(form: ItemFilterForm) -> str:
    return "&".join(f"{name}={value}" for name, value in form.cleaned_data.items())

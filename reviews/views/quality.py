"""Pages of reviewing well: everybody's for those who lead, one's own for everybody who reviews."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from hitl_site.lib.access import TEMPLATE, missing_right, needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.selectors import agreements, coaching, quality
from reviews.selectors.independence import ADJUDICATE

REVIEW: Final = "reviews.review_item"


@require_safe
@needs_one_of(ADJUDICATE, REVIEW)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """Show everybody to those who lead, by name; send everybody else to their own page."""
    if not request.user.has_perm(ADJUDICATE):
        return redirect("reviews:quality_of", username=request.user.get_username())
    now = database_now()
    context = {
        "people": quality.of_everybody(now=now),
        "agreements": agreements.by_type(now=now),
        "enough": quality.ENOUGH,
        "bar_title": gettext("Reviewing well"),
    }
    return render(request, "reviews/quality/page.html", context)


@require_safe
@needs_one_of(ADJUDICATE, REVIEW)
def person(request: AuthenticatedRequest, username: str) -> HttpResponse:
    """Show one person's numbers and what can be learnt from: to them, and to those who lead."""
    own = username == request.user.get_username()
    if not own and not request.user.has_perm(ADJUDICATE):
        return render(request, TEMPLATE, {"right": missing_right(ADJUDICATE)}, status=403)
    of = get_object_or_404(User, username=username)
    now = database_now()
    since = now - quality.PERIOD
    context = {
        "of": of,
        "own": own,
        "found": quality.of_person(of, now=now),
        "missed": coaching.missed_drills(of, since=since),
        "overturned": coaching.overturned(of, since=since),
        "enough": quality.ENOUGH,
        "leads": request.user.has_perm(ADJUDICATE),
        "bar_title": gettext("Reviewing well"),
    }
    return render(request, "reviews/quality_of/page.html", context)

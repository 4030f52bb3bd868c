"""Pages of reviewing well: everybody's for those who lead, one's own for everybody who reviews."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from hitl_site.lib.access import TEMPLATE, missing_right, needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.forms_team import EndForm, StartForm
from reviews.selectors import agreements, coaching, floor_times, quality
from reviews.selectors import second_reviews as questions
from reviews.selectors.independence import ADJUDICATE
from reviews.services import second_reviews
from reviews.services.rights import NotAllowed
from reviews.services.second_reviews import UnableToReview

REVIEW: Final = "reviews.review_item"


@require_safe
@needs_one_of(ADJUDICATE, REVIEW)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """Show everybody to those who lead, by name; send everybody else to their own page."""
    if not request.user.has_perm(ADJUDICATE):
        return redirect("reviews:quality_of", username=request.user.get_username())
    now = database_now()
    floors = floor_times.by_type(since=now - quality.PERIOD)
    context = {
        "people": quality.of_everybody(floors=floor_times.measured(floors), now=now),
        "under_review": questions.people_under_review(at=now),
        "agreements": agreements.by_type(now=now),
        "floors": floors,
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
    return person_page(request, get_object_or_404(User, username=username))


@require_POST
@needs_one_of(ADJUDICATE)
def start_second_review(request: AuthenticatedRequest, username: str) -> HttpResponse:
    """Let a second person answer whatever this one answers, for a time."""
    of = get_object_or_404(User, username=username, is_active=True)
    form = StartForm(request.POST)
    if not form.is_valid():
        return person_page(request, of, start=form)
    now = database_now()
    try:
        second_reviews.start(
            reviewer=of,
            action_type=form.cleaned_data["action_type"],
            reason=form.cleaned_data["reason"],
            ends_at=now + timedelta(days=int(form.cleaned_data["lasts"])),
            by=request.user,
            now=now,
        )
    except (UnableToReview, NotAllowed) as problem:
        form.add_error(None, str(problem))
        return person_page(request, of, start=form)
    name = of.get_full_name() or of.get_username()
    messages.success(request, gettext("From now on a second person answers after {name}.").format(name=name))
    return redirect("reviews:quality_of", username=username)


@require_POST
@needs_one_of(ADJUDICATE)
def end_second_review(request: AuthenticatedRequest, username: str, review_id: str) -> HttpResponse:
    """End a second review before its time."""
    form = EndForm(request.POST)
    try:
        if not form.is_valid():
            raise UnableToReview(gettext("Say why it ends."))
        second_reviews.end(
            review_id=review_id, reason=form.cleaned_data["reason"], by=request.user, now=database_now()
        )
    except (UnableToReview, NotAllowed) as problem:
        messages.error(request, str(problem))
        return person_page(request, get_object_or_404(User, username=username), status=422)
    messages.success(request, gettext("Ended. Answers from now on count by themselves again."))
    return redirect("reviews:quality_of", username=username)


def person_page(
    request: AuthenticatedRequest, of: User, *, start: StartForm | None = None, status: int = 200
) -> HttpResponse:
    """Show the page of one person; ``start`` is a form that did not go through."""
    own, leads = of == request.user, request.user.has_perm(ADJUDICATE)
    now = database_now()
    since = now - quality.PERIOD
    floors = floor_times.by_type(since=since)
    context = {
        "of": of,
        "own": own,
        "found": quality.of_person(of, floors=floor_times.measured(floors), now=now),
        "floors": floors,
        "missed": coaching.missed_drills(of, since=since),
        "overturned": coaching.overturned(of, since=since),
        "enough": quality.ENOUGH,
        "leads": leads,
        "second_reviews": questions.of_person(of, at=now),
        "start_form": (start or StartForm()) if leads and not own and of.is_active else None,
        "bar_title": gettext("Reviewing well"),
    }
    failed = start is not None
    return render(request, "reviews/quality_of/page.html", context, status=422 if failed else status)

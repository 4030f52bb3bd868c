"""The page on which a person gives acts other keys, or turns single keys off."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from hitl_site.lib.access import needs_sign_in
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.selectors import keys
from reviews.selectors.preferences import preferences_of
from reviews.services import preferences


@needs_sign_in
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: AuthenticatedRequest) -> HttpResponse:
    """Show the keys; change them, or put back those they came with."""
    own = preferences_of(request.user)
    given = keys.in_force(own.keys) if own is not None else {}
    if request.method != "POST":
        return _page(request, given)
    now = database_now()
    if request.POST.get("reset"):
        preferences.change(person=request.user, now=now, keys={})
        messages.success(request, "The keys are those they came with.")
        return redirect("reviews:keys")
    given = {
        key.code: request.POST[f"key-{key.code}"].strip()[:20]
        for key in keys.ALL
        if f"key-{key.code}" in request.POST
    }
    try:
        preferences.change_keys(person=request.user, given=given, now=now)
        preferences.change(person=request.user, now=now, single_keys=request.POST.get("single_keys") == "on")
    except preferences.UnableToSet as problem:
        return _page(request, given, problem=str(problem))
    messages.success(request, "Your keys are saved.")
    return redirect("reviews:keys")


def _page(request: AuthenticatedRequest, given: dict[str, str], *, problem: str = "") -> HttpResponse:
    groups = [
        (title, [(key, given.get(key.code, key.code)) for key in members])
        for title, members in (("In lists", keys.INBOX), ("On an item", keys.REVIEW))
    ]
    context = {"groups": groups, "problem": problem, "bar_title": "Keys"}
    return render(request, "reviews/keys/page.html", context, status=422 if problem else 200)

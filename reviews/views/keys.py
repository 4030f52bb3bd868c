"""The page on which a person gives acts other keys, or turns single keys off."""

from __future__ import annotations

from collections.abc import Mapping

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from hitl_site.lib.access import needs_sign_in
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.selectors import keys
from reviews.selectors.preferences import preferences_of
from reviews.services import preferences
from reviews.views.appearance import way_back

Groups = list[tuple[str, list[tuple[keys.Key, str]]]]


@needs_sign_in
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: AuthenticatedRequest) -> HttpResponse:
    """Show the keys; change them, or put back those they came with."""
    if request.method != "POST":
        return _page(request, given_by(request))
    now = database_now()
    back = way_back(request, otherwise=reverse("reviews:keys"))
    if request.POST.get("reset"):
        preferences.change(person=request.user, now=now, keys={})
        messages.success(request, gettext("The keys are those they came with."))
        return redirect(back)
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
    messages.success(request, gettext("Your keys are saved."))
    return redirect(back)


def given_by(request: AuthenticatedRequest) -> dict[str, str]:
    """Return the keys that this person gave to acts in place of those they came with."""
    own = preferences_of(request.user)
    return keys.in_force(own.keys) if own is not None else {}


def groups_of(given: Mapping[str, str]) -> Groups:
    """Return every act with its key, under the headings of the form."""
    return [
        (title, [(key, given.get(key.code, key.code)) for key in members])
        for title, members in (
            (gettext("In lists"), keys.INBOX),
            (gettext("On an item"), keys.REVIEW),
        )
    ]


def _page(request: AuthenticatedRequest, given: Mapping[str, str], *, problem: str = "") -> HttpResponse:
    here = way_back(request, otherwise=request.path)
    context = {"groups": groups_of(given), "here": here, "problem": problem, "bar_title": gettext("Keys")}
    return render(request, "reviews/keys/page.html", context, status=422 if problem else 200)

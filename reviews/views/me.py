"""A person's own settings on one page: looks, time zone, mail, quiet hours, undo window, keys."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from hitl_site.lib.access import needs_sign_in
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.choices import Mail
from reviews.forms_me import MeForm
from reviews.selectors.preferences import preferences_of
from reviews.services import preferences
from reviews.views import keys
from reviews.views.appearance import zones

_FIELDS = ("language", "mail", "quiet_from", "quiet_until", "undo_seconds")


@needs_sign_in
@require_http_methods(["GET", "HEAD", "POST"])
def change(request: AuthenticatedRequest) -> HttpResponse:
    """Show the settings, or keep them."""
    own = preferences_of(request.user)
    before = {name: getattr(own, name) for name in _FIELDS} if own is not None else {"mail": Mail.DIGEST}
    form = MeForm(request.POST) if request.method == "POST" else MeForm(initial=before)
    if form.is_bound and form.is_valid():
        values = {name: form.cleaned_data[name] for name in _FIELDS}
        if own is None or not own.time_zone:
            # Quiet hours need the clock where the person is: the one that this browser told of.
            values["time_zone"] = timezone.get_current_timezone_name()
        preferences.change(person=request.user, now=database_now(), **values)
        if values["language"]:
            translation.activate(values["language"])  # what was saved is said in it
        messages.success(request, gettext("Your settings are saved."))
        return redirect("reviews:me")
    context = {
        "form": form,
        "zones": zones(),
        "groups": keys.groups_of(keys.given_by(request)),
        "here": request.path,
        "bar_title": gettext("My settings"),
    }
    return render(request, "reviews/me/page.html", context, status=422 if form.is_bound else 200)

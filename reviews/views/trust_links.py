"""The trust page for somebody without an account: links made and revoked, and what such a link shows."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django import forms
from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from hitl_site.lib.visits import Visits
from policies.models import TrustLink
from policies.services import trust_links
from policies.services.trust_links import NoSuchLink, UnableToShare
from reviews.views.trust import page_context
from reviews.views.trust_filters import TrustFilterForm

_LASTS: Final = (
    ("1", gettext_lazy("1 day")),
    ("7", gettext_lazy("7 days")),
    ("30", gettext_lazy("30 days")),
    ("90", gettext_lazy("90 days")),
)
_SHOWN: Final = 100
VISITS: Final = Visits(per_minute=30)
# Nobody indexes, keeps or passes on the address of such a page.
_HEADERS: Final = {
    "X-Robots-Tag": "noindex, nofollow, noarchive",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}


class LinkForm(forms.Form):
    for_whom = forms.CharField(
        label=gettext_lazy("For whom"),
        max_length=200,
        widget=forms.TextInput(attrs={"class": "input", "autocomplete": "off"}),
    )
    lasts = forms.ChoiceField(
        label=gettext_lazy("Lasts"),
        choices=_LASTS,
        initial="7",
        widget=forms.Select(attrs={"class": "select"}),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(trust_links.SHARE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List the links; make the one that the form describes, for the page of the address's filters."""
    filters = TrustFilterForm(request.GET)
    if not filters.is_valid():
        raise BadRequest("There is no such filter.")
    form = LinkForm(request.POST if request.method == "POST" else None)
    now = database_now()
    if request.method == "POST" and form.is_valid():
        try:
            link = trust_links.make(
                person=request.user,
                for_whom=form.cleaned_data["for_whom"],
                filters=filters.chosen,
                lasts=timedelta(days=int(form.cleaned_data["lasts"])),
                now=now,
            )
        except UnableToShare as problem:
            form.add_error("for_whom", str(problem))
        else:
            messages.success(request, gettext("Made the link for {name}.").format(name=link.for_whom))
            return redirect("reviews:trust_links")
    newest = TrustLink.objects.order_by("-id")[:_SHOWN]
    links = [(link, request.build_absolute_uri(_url(link))) for link in newest]
    context = {
        "form": form,
        "filters": filters,
        "links": links,
        "now": now,
        "bar_title": gettext("Trust"),
    }
    status = 422 if form.errors else 200
    return render(request, "reviews/trust_links/page.html", context, status=status)


@require_POST
@needs_one_of(trust_links.SHARE)
def revoke(request: AuthenticatedRequest, link_id: str) -> HttpResponse:
    """End a link at once."""
    try:
        link = trust_links.revoke(link_id=link_id, person=request.user, now=database_now())
    except NoSuchLink:
        messages.error(request, gettext("There is no such link."))
    else:
        done = gettext("The link for {name} shows nothing any more.").format(name=link.for_whom)
        messages.success(request, done)
    return redirect("reviews:trust_links")


@require_GET
def show(request: HttpRequest, address: str) -> HttpResponse:
    """Show the page behind a signed address: no sign-in, no way on, nothing that can be changed."""
    now = database_now()
    try:
        link = trust_links.opened(address=address, now=now)
    except NoSuchLink:
        return _answer(request, "gone", {}, 404)
    if not VISITS.allows(link.public_id):
        answer = _answer(request, "often", {}, 429)
        answer.headers["Retry-After"] = "60"
        return answer
    form = TrustFilterForm(link.filters)
    if not form.is_valid():
        return _answer(request, "gone", {}, 404)
    return _answer(request, "page", {"link": link, **page_context(form, None, now=now)}, 200)


def _answer(request: HttpRequest, name: str, context: dict[str, object], status: int) -> HttpResponse:
    answer = render(request, f"reviews/trust_shared/{name}.html", context, status=status)
    for header, value in _HEADERS.items():
        answer.headers[header] = value
    return answer


def _url(link: TrustLink) -> str:
    return reverse("reviews:trust_shared", args=[trust_links.address_of(link)])

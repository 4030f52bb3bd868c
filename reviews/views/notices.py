"""What a person was told: a list, each entry with the way to its item. Reading the list marks nothing."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.models import Notice
from reviews.selectors import notices as selector
from reviews.selectors.navigation import SideBar
from reviews.services import notices
from reviews.views.access import for_those_who_look

_SHOWN = 100
_AT_ONCE = 3


@for_those_who_look
@require_safe
def index(request: AuthenticatedRequest) -> HttpResponse:
    """Show the latest notices, new ones marked."""
    told = Notice.objects.filter(user=request.user)
    context = {
        "notices": told.select_related("item").order_by("-id")[:_SHOWN],
        "unread": told.filter(read_at=None).count(),
        "bar_title": gettext("Notices"),
    }
    response = render(request, "reviews/notices/page.html", context)
    response["Cache-Control"] = "no-store"
    return response


@for_those_who_look
@require_safe
def news(request: AuthenticatedRequest) -> HttpResponse:
    """Show htmx what was told since the notice that a page knows last; 204 where it knows everything."""
    after, unread = _number(request, "after"), _number(request, "unread")
    told = selector.told(request.user, after=after, most=_AT_ONCE)
    if (told.latest, told.unread) == (after, unread):
        response = HttpResponse(status=204)
    else:
        context = {
            "told": SideBar([], unread=told.unread, latest_notice=told.latest),
            "fresh": told.fresh,
            "more": told.more,
        }
        response = render(request, "reviews/notices/_news.html", context)
    response["Cache-Control"] = "no-store"
    return response


@for_those_who_look
@require_POST
def read(request: AuthenticatedRequest) -> HttpResponse:
    """Mark all of them as seen."""
    notices.mark_read(user=request.user, now=database_now())
    return redirect("reviews:notices")


def _number(request: AuthenticatedRequest, name: str) -> int:
    given = request.GET.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and len(given) < 19 else 0

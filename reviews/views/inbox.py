"""The inbox: what waits for a person, and the way to the next item. Reading it writes nothing."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from hitl_site.lib.access import needs_sign_in
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest, is_fragment
from hitl_site.lib.pagination import InvalidCursor
from reviews.selectors import attention, inbox, inbox_page, navigation, saved_views, team
from reviews.selectors.inbox_page import InboxPage
from reviews.services import claims, together
from reviews.services.rights import REVIEW
from reviews.views import inbox_filters, several
from reviews.views.access import for_reviewers, for_those_who_look
from reviews.views.inbox_query import InboxQuery


@needs_sign_in
@require_safe
def home(request: AuthenticatedRequest) -> HttpResponse:
    """Lead to where this person works: the view they start with, the inbox for most."""
    start = saved_views.default_view(request.user) if inbox.may_look(request.user) else None
    if start is None:
        return redirect(navigation.home(request.user))
    query = saved_views.address_of(start.query, order=start.order, public_id=start.public_id)
    return redirect(resolve_url("reviews:inbox") + query)


@for_those_who_look
@require_safe
def index(request: AuthenticatedRequest) -> HttpResponse:
    """Show a page of the inbox; to htmx only what changes of it."""
    now = database_now()
    query = InboxQuery.read(request.GET, person=request.user, now=now)
    try:
        page = inbox_page.page(query.reading(now=now), person=request.user, now=now)
    except InvalidCursor:
        return redirect(_address_of("reviews:inbox", query))
    if query.cursor and not page.shown:
        # Everything on that page has been decided meanwhile.
        return redirect(_address_of("reviews:inbox", query))
    template = "_refresh.html" if is_fragment(request) else "page.html"
    response = render(request, f"reviews/inbox/{template}", _context(request, query, page, now=now))
    response["Cache-Control"] = "no-store"
    patch_vary_headers(response, ["HX-Request"])
    return response


@for_those_who_look
@require_safe
def peek(request: AuthenticatedRequest, item_id: str) -> HttpResponse:
    """Show a proposal in full, for a look from the list: it claims nothing and counts as no reading."""
    item = (
        inbox.visible_to(request.user)
        .select_related("action__action_type", "action__gate_check", "agent")
        .filter(public_id=item_id)
        .first()
    )
    if item is None:
        raise Http404("There is no such item.")
    card = several.card_of(item, person=request.user)
    response = render(request, "reviews/inbox/_peek.html", {"card": card})
    response["Cache-Control"] = "no-store"
    return response


@for_reviewers
@require_POST
def start(request: AuthenticatedRequest) -> HttpResponseBase:
    """Hold the next free item of the view that the form names, and go to it."""
    now = database_now()
    query = InboxQuery.read(request.POST, person=request.user, now=now)
    try:
        item = claims.claim_next(reviewer=request.user, now=now, view=query.reading(now=now).view)
    except claims.OnABreak:
        return redirect("reviews:break")
    except claims.AtCapacity as problem:
        messages.info(request, str(problem))
        return redirect(_address_of("reviews:inbox", query))
    except claims.NothingToClaim:
        messages.info(
            request, gettext("Nothing here is free for you now: it is decided, or others are on it.")
        )
        return redirect(_address_of("reviews:inbox", query))
    if not team.is_on_duty(request.user, now=now):
        messages.info(
            request, gettext("You are off duty by the rota. You may go on; notices go to who is on duty.")
        )
    return redirect(_address_of("reviews:review", query, item_id=item.public_id))


def _address_of(name: str, query: InboxQuery, **parts: str) -> str:
    """Return the address of a page with the filters that carry over."""
    return resolve_url(name, **parts) + (query.url() if query.fields else "")


def _context(
    request: AuthenticatedRequest, query: InboxQuery, page: InboxPage, *, now: datetime
) -> dict[str, object]:
    reading = query.reading(now=now)
    person = request.user
    return {
        "query": query,
        "page": page,
        "heading": inbox_filters.heading(query, person=person),
        "to_save": query.url().removeprefix("?"),
        "may_share": person.has_perm(saved_views.SHARE),
        "may_bulk": person.has_perm(REVIEW) and person.has_perm(together.RIGHT),
        "menus": inbox_filters.menus(query, reading, person=person),
        "today": inbox_page.decided_today(person, now=now),
        "pace": attention.open_notice(person, now=now)
        if person.has_perm(REVIEW) and not is_fragment(request)
        else None,
        "may_review": person.has_perm(REVIEW),
        "live_query": query.live_url(seen=page.seen),
        "fresh_query": query.url(),
        "after_query": query.page_url(page.after),
        "before_query": query.page_url(page.before),
        "empty": None if page.shown else inbox_filters.empty_state(query, reading, person=person, now=now),
        "now": now,
        "search_id": "q",
    }

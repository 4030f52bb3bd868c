"""Saved views: the page that lists them, and keeping, renaming, sharing, starting with and deleting one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.models import SavedView
from reviews.selectors import saved_views as selector
from reviews.services import saved_views
from reviews.services.rights import NotAllowed
from reviews.views.access import for_those_who_look, refused
from reviews.views.inbox_query import InboxQuery

_NAME_LIMIT = 200


@for_those_who_look
@require_http_methods(["GET", "HEAD", "POST"])
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List the views; keep the one that the form describes."""
    if request.method != "POST":
        return _page(request)
    now = database_now()
    # Read as an address is: what makes no sense is no part of a view.
    query = InboxQuery.read(QueryDict(request.POST.get("query", "")[:2000]), person=request.user, now=now)
    name = request.POST.get("name", "")[:_NAME_LIMIT]
    try:
        view = saved_views.save(
            person=request.user,
            name=name,
            query=query.to_save,
            order=query.order,
            shared=request.POST.get("shared") == "on",
            now=now,
        )
    except saved_views.UnableToSave as problem:
        return _page(
            request, problem=str(problem), name=name, query=query.url().removeprefix("?"), status=422
        )
    except NotAllowed as problem:
        return refused(request, str(problem))
    messages.success(request, gettext("Saved “{name}”.").format(name=view.name))
    return redirect(_address(view))


@for_those_who_look
@require_POST
def change(request: AuthenticatedRequest, view_id: str) -> HttpResponse:
    """Rename, share, start with or delete a view."""
    now, act = database_now(), request.POST.get("do", "")
    try:
        if act == "delete":
            saved_views.delete(view_id=view_id, person=request.user, now=now)
            messages.success(request, gettext("Deleted."))
        elif act in {"start", "no-start"}:
            saved_views.start_with(view_id=view_id if act == "start" else "", person=request.user, now=now)
            messages.success(
                request,
                gettext("You start here now.") if act == "start" else gettext("You start with My turn now."),
            )
        else:
            name, shared = request.POST.get("name", "")[:_NAME_LIMIT], request.POST.get("shared") == "on"
            saved_views.change(view_id=view_id, person=request.user, name=name, shared=shared, now=now)
            messages.success(request, gettext("Saved."))
    except saved_views.UnableToSave as problem:
        return _page(request, problem=str(problem), status=422)
    except NotAllowed as problem:
        return refused(request, str(problem), status=403)
    return redirect("reviews:views")


def _page(
    request: AuthenticatedRequest, *, problem: str = "", name: str = "", query: str = "", status: int = 200
) -> HttpResponse:
    person = request.user
    start = selector.default_view(person)
    views = [
        {
            "view": view,
            "url": _address(view),
            "own": view.owner_id == person.pk,
            "may_change": selector.may_change(view, person),
            "is_start": view == start,
        }
        for view in selector.views_of(person)
    ]
    context = {
        "views": views,
        "problem": problem,
        "name": name,
        "given_query": query,
        "may_share": person.has_perm(selector.SHARE),
        "bar_title": gettext("Saved views"),
    }
    return render(request, "reviews/views/page.html", context, status=status)


def _address(view: SavedView) -> str:
    return resolve_url("reviews:inbox") + selector.address_of(
        view.query, order=view.order, public_id=view.public_id
    )

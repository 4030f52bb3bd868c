"""Who may open the reviewer's pages, and who may act there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, cast
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext, gettext_lazy

from hitl_site.lib.access import to_sign_in
from hitl_site.lib.http import AuthenticatedRequest, is_fragment
from reviews.models import Decision, ReviewItem
from reviews.selectors import inbox, independence
from reviews.services import rights

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

View = Callable[..., HttpResponseBase]

TO_LOOK = gettext_lazy(
    "You need the right to see review items. An administrator can add you to the reviewers, who decide them, "
    "or to the managers, who may look."
)
TO_DECIDE = gettext_lazy(
    "You need the right to decide review items (reviews.review_item). An administrator grants it by adding "
    "you to the group of reviewers."
)


def for_those_who_look(view: View) -> View:
    """Let in who may see review items: 403 for others, the sign-in page for strangers."""
    return _guarded(view, inbox.may_look, TO_LOOK)


def for_reviewers(view: View) -> View:
    """Let in who may decide review items, as their rights stand now; the services look again."""
    return _guarded(view, lambda user: user.has_perm(rights.REVIEW), TO_DECIDE)


def refused(request: HttpRequest, text: str, *, status: int = 403) -> HttpResponse:
    """Answer that this person may not, in words that say who can help. What is on the page stays there."""
    if wants_json(request):
        return JsonResponse({"detail": text}, status=status)
    if is_fragment(request):
        answer = render(request, "components/_toast.html", {"text": text, "level": "error"}, status=status)
        answer["HX-Retarget"] = "#messages"
        answer["HX-Reswap"] = "beforeend"
        return answer
    return render(request, "reviews/review/refused.html", {"text": text, "status": status}, status=status)


def wants_json(request: HttpRequest) -> bool:
    """Say whether a script asks (static/js/lease.js, attention.js), not a page."""
    return "application/json" in request.headers.get("Accept", "")


def _session_over(request: HttpRequest, address: Mapping[str, object]) -> HttpResponse:
    """Say it on top of the page, which stays: what was typed is kept on the server, and there to copy."""
    item_id = address.get("item_id")
    back = resolve_url("reviews:review", item_id=item_id) if item_id else resolve_url("reviews:inbox")
    answer = render(
        request,
        "reviews/review/_session_over.html",
        {"sign_in": f"{resolve_url('login')}?{urlencode({'next': back})}"},
        status=401,
    )
    answer["HX-Retarget"] = "#messages"
    answer["HX-Reswap"] = "innerHTML"  # a page of our own; older messages make way for it
    return answer


def _guarded(view: View, allows: Callable[..., bool], text: StrOrPromise) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        if not request.user.is_authenticated:
            if wants_json(request):
                return JsonResponse({"detail": gettext("Your session is over. Sign in again.")}, status=401)
            return _session_over(request, kwargs) if is_fragment(request) else to_sign_in(request)
        if not allows(request.user):
            return refused(request, str(text))
        try:
            return view(cast(AuthenticatedRequest, request), *args, **kwargs)
        except (ReviewItem.DoesNotExist, Decision.DoesNotExist):
            raise Http404(gettext("There is no such item.")) from None
        except rights.NotAllowed as problem:
            return refused(request, str(problem))
        except independence.KeptApart as problem:
            if request.method != "GET" or is_fragment(request) or wants_json(request):
                return refused(request, str(problem))
            messages.info(request, str(problem))
            return redirect("reviews:review", item_id=problem.item.public_id)

    return guarded

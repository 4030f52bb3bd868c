"""Who may see the pages of the learning app, and who may act there."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django_htmx.http import HttpResponseClientRedirect

from hitl_site.lib.http import is_fragment

SEE = ("datasets.view_dataset", "datasets.export_dataset")
ACT = ("datasets.export_dataset",)

View = Callable[..., HttpResponseBase]


def needs_one_of(*permissions: str) -> Callable[[View], View]:
    """Let somebody in who is signed in and has one of the permissions: 403 for others, sign-in for strangers.

    A part of a page asks the whole page to go and sign in: a login form inside a progress bar helps nobody.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _to_sign_in(request)
            if not any(request.user.has_perm(permission) for permission in permissions):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def _to_sign_in(request: HttpRequest) -> HttpResponseBase:
    if is_fragment(request):
        return HttpResponseClientRedirect(resolve_url("login"))
    # Signing in leads back by a GET, which an address that only takes a POST would refuse.
    safe = request.method in {"GET", "HEAD"}
    return redirect_to_login(request.get_full_path() if safe else resolve_url("datasets:index"))

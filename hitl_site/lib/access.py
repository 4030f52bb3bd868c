"""Who may open a page or do an act: people who signed in and have the right, and a refusal that names it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps

from django.contrib.auth.models import Group, Permission
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render, resolve_url
from django_htmx.http import HttpResponseClientRedirect

from hitl_site.lib.http import is_fragment

View = Callable[..., HttpResponseBase]
TEMPLATE = "errors/missing_right.html"


@dataclass(frozen=True, slots=True)
class MissingRight:
    """A right in the words of its declaration, and the groups that have it."""

    name: str
    codename: str
    groups: tuple[str, ...]


def needs_sign_in(view: View) -> View:
    """Let in everybody who has signed in; send strangers to do so."""
    return needs_one_of()(view)


def needs_one_of(*rights: str) -> Callable[[View], View]:
    """Let in who has one of ``rights`` (``app.codename``): others get a 403 that names the first of them."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return to_sign_in(request)
            if rights and not any(request.user.has_perm(right) for right in rights):
                return render(request, TEMPLATE, {"right": missing_right(rights[0])}, status=403)
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def to_sign_in(request: HttpRequest) -> HttpResponseBase:
    """Send a stranger to sign in, and back to where they were.

    A part of a page sends the whole page: a sign-in form inside a progress bar helps nobody.
    """
    if is_fragment(request):
        return HttpResponseClientRedirect(resolve_url("login"))
    # Signing in leads back by a GET, which an address that only takes a POST would refuse.
    safe = request.method in {"GET", "HEAD"}
    return redirect_to_login(request.get_full_path() if safe else resolve_url("/"))


def missing_right(label: str) -> MissingRight:
    """Return what to say of a right that somebody lacks: its name, and which groups come with it."""
    app, _, codename = label.partition(".")
    found = Permission.objects.filter(content_type__app_label=app, codename=codename).first()
    groups = Group.objects.filter(permissions=found).order_by("name") if found else Group.objects.none()
    return MissingRight(
        name=found.name if found else label,
        codename=label,
        groups=tuple(groups.values_list("name", flat=True)),
    )

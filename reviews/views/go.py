"""Everything there is to go to: a page of links, and as data for the palette (static/js/palette.js)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from django.http import HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from hitl_site.lib.access import needs_sign_in
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.selectors import navigation
from reviews.views.access import wants_json


@dataclass(frozen=True)
class Place:
    """One place: its name, where it is, and under which heading it stands."""

    label: str
    url: str
    section: str


@needs_sign_in
@require_safe
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List the places that this person may go to."""
    places = list(_places(request))
    if wants_json(request):
        answer: HttpResponse = JsonResponse({"places": [asdict(place) for place in places]})
    else:
        answer = render(request, "reviews/go/page.html", {"places": places, "bar_title": gettext("Go to")})
    answer["Cache-Control"] = "no-store"
    patch_vary_headers(answer, ["Accept"])
    return answer


def _places(request: AuthenticatedRequest) -> Iterator[Place]:
    here = navigation.Here(path="", query={})
    for section in navigation.sections(request.user, here=here, now=database_now()):
        for entry in section.entries:
            yield Place(entry.label, entry.url, section.title)
    yield Place(gettext("Saved views"), reverse("reviews:views"), gettext("Settings"))
    yield Place(gettext("My settings"), reverse("reviews:me"), gettext("Settings"))
    yield Place(gettext("Appearance and time zone"), reverse("reviews:appearance"), gettext("Settings"))
    yield Place(gettext("Keys"), reverse("reviews:keys"), gettext("Settings"))

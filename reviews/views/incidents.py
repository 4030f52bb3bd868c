"""Incidents: the list, one of them with what is known, and the finding of a person."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from hitl_site.lib.pagination import InvalidCursor, page
from reviews.choices import Resolution
from reviews.models import Incident
from reviews.selectors import incidents as found
from reviews.services import incidents, rights
from reviews.views.access import for_those_who_look

PAGE_SIZE = 50


class FindingForm(forms.Form):
    """What a person found out, and how."""

    resolution = forms.ChoiceField(
        label=gettext_lazy("What happened"),
        choices=Resolution.choices,
        widget=forms.RadioSelect(attrs={"class": "check"}),
    )
    note = forms.CharField(
        label=gettext_lazy("How you found out"),
        max_length=incidents.LONGEST_NOTE,
        widget=forms.Textarea(attrs={"class": "textarea", "rows": 4}),
        help_text=gettext_lazy("Where you looked, whom you asked, what was put right. Others will read it."),
    )


@for_those_who_look
@require_safe
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List the incidents: those that wait first, the longest first, then what was found out."""
    try:
        resolved = page(
            found.resolved_ones(request.user),
            order_by=["-id"],
            limit=PAGE_SIZE,
            scope="incidents",
            cursor=request.GET.get("after") or request.GET.get("before"),
        )
    except InvalidCursor:
        return redirect("reviews:incidents")
    context = {
        "open": found.open_ones(request.user),
        "resolved": resolved,
        "now": database_now(),
        "bar_title": gettext("Incidents"),
    }
    return render(request, "reviews/incidents/page.html", context)


@for_those_who_look
@require_http_methods(["GET", "HEAD", "POST"])
def show(request: AuthenticatedRequest, incident_id: str) -> HttpResponse:
    """Show what was decided beside what is known to have run; take what a person found out."""
    if request.method != "POST":
        return _page(request, incident_id, FindingForm())
    form = FindingForm(request.POST)
    if not form.is_valid():
        return _page(request, incident_id, form, status=422)
    try:
        incidents.resolve(
            incident_id=incident_id,
            resolver=request.user,
            resolution=Resolution(form.cleaned_data["resolution"]),
            note=form.cleaned_data["note"],
            now=database_now(),
        )
    except incidents.UnknownIncident:
        raise Http404(gettext("There is no such incident.")) from None
    except incidents.AlreadyResolved as problem:
        form.add_error(
            None,
            gettext("{problem} What you wrote is below; nothing of it was recorded.").format(problem=problem),
        )
        return _page(request, incident_id, form, status=409)
    except (incidents.UnableToResolve, rights.NotAllowed) as problem:
        form.add_error(None, str(problem))
        status = 403 if isinstance(problem, rights.NotAllowed) else 422
        return _page(request, incident_id, form, status=status)
    messages.success(request, gettext("Recorded what you found out."))
    return redirect("reviews:incident", incident_id)


def _page(
    request: AuthenticatedRequest, incident_id: str, form: FindingForm, *, status: int = 200
) -> HttpResponse:
    try:
        told = found.told(incident_id=incident_id, viewer=request.user)
    except Incident.DoesNotExist:
        raise Http404(gettext("There is no such incident.")) from None
    context = {"told": told, "form": form, "now": database_now(), "bar_title": gettext("Incident")}
    return render(request, "reviews/incident/page.html", context, status=status)

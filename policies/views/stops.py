"""The kill switch: what is stopped, stopping in two steps, lifting."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from hitl_site.lib.access import needs_one_of, needs_sign_in
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.choices import KillSwitchScope
from policies.forms.agents import ReasonForm
from policies.forms.stops import StopForm
from policies.models import KillSwitch
from policies.selectors import kill_switches
from policies.services import kill_switch as acts
from policies.views.agents import STOP


@require_http_methods(["GET", "HEAD", "POST"])
@needs_sign_in
def index(request: AuthenticatedRequest) -> HttpResponseBase:
    """Show what is stopped, to everybody who reads of it on top of their page; a POST begins a stop."""
    if request.method == "POST":
        return _stop(request)
    scope = "agent" if "agent" in request.GET else "action_type" if "action_type" in request.GET else ""
    named = {name: request.GET.get(name, "") for name in ("agent", "action_type")}
    return _page(request, StopForm(initial={"scope": scope, **named}))


@require_POST
@needs_one_of(STOP)
def lift(request: AuthenticatedRequest, stop_id: str) -> HttpResponse:
    """End a stop."""
    stop = get_object_or_404(KillSwitch, public_id=stop_id)
    form = ReasonForm(request.POST, prefix=stop_id)
    if not form.is_valid():
        messages.error(request, "Say why the stop is lifted: others will read it. It is still in force.")
        return _page(request, StopForm(), status=422)
    try:
        acts.lift(
            kill_switch=stop,
            reason=form.cleaned_data["reason"],
            lifted_by=request.user,
            now=database_now(),
        )
    except acts.NotEngaged as problem:
        messages.error(request, str(problem))
        return _page(request, StopForm(), status=409)
    messages.success(request, "Lifted the stop. What it denied stays denied.")
    return redirect("policies:stop")


@needs_one_of(STOP)
def _stop(request: AuthenticatedRequest) -> HttpResponse:
    """Ask for the word first, and stop once it is there."""
    form = StopForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    typed = request.POST.get("word")
    if typed is None or typed.strip() != form.word:
        # The first step comes without a word; a wrong one has changed nothing.
        context = {"form": form, "word": form.word, "is_wrong": typed is not None, "bar_title": "Stop"}
        status = 200 if typed is None else 422
        return render(request, "policies/stop_confirm/page.html", context, status=status)
    data = form.cleaned_data
    stop = acts.engage(
        scope=KillSwitchScope(data["scope"]),
        agent=data["agent"],
        action_type=data["action_type"],
        reason=data["reason"],
        engaged_by=request.user,
        now=database_now(),
    )
    messages.success(request, f"{kill_switches.what(stop)}.")
    return redirect("policies:stop")


def _page(request: AuthenticatedRequest, form: StopForm, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "live": kill_switches.live(),
        "lifted": kill_switches.lifted(),
        "may_stop": request.user.has_perm(STOP),
        "bar_title": "Stop",
    }
    return render(request, "policies/stop/page.html", context, status=status)

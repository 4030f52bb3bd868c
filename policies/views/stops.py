"""The kill switch: what is stopped, stopping in two steps, lifting."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hitl_site.lib.access import needs_one_of, needs_sign_in
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.choices import KillSwitchScope
from policies.forms.agents import ReasonForm
from policies.forms.stops import StopForm
from policies.models import KillSwitch
from policies.selectors import kill_switches
from policies.services import drills
from policies.services import kill_switch as acts
from policies.services.rights import acting, acting_at_once
from policies.views.agents import STOP


@dataclass(frozen=True, slots=True)
class LiveStop:
    """A stop in force, as its card shows it to one person."""

    stop: KillSwitch
    needs_second: bool
    asked_by_me: bool


@require_http_methods(["GET", "HEAD", "POST"])
@needs_sign_in
def index(request: AuthenticatedRequest) -> HttpResponseBase:
    """Show what is stopped, to everybody who reads of it on top of their page; a POST begins a stop."""
    if request.method == "POST":
        return _stop(request)
    scope = "agent" if "agent" in request.GET else "action_type" if "action_type" in request.GET else ""
    named = {name: request.GET.get(name, "") for name in ("agent", "action_type")}
    return _page(request, StopForm(initial={"scope": scope, **named}))


@require_GET
@needs_sign_in
def progress(request: AuthenticatedRequest, stop_id: str) -> HttpResponse:
    """Show how far the closing of what waits has come: a part of the page that asks for itself again."""
    stop = get_object_or_404(KillSwitch, public_id=stop_id)
    return render(request, "policies/stop/_pending.html", {"stop": stop})


@require_POST
@needs_one_of(STOP)
def lift(request: AuthenticatedRequest, stop_id: str) -> HttpResponse:
    """End a stop, or be the first of two who want it lifted."""
    stop = get_object_or_404(KillSwitch, public_id=stop_id)
    form = ReasonForm(request.POST, prefix=stop_id)
    if not form.is_valid():
        messages.error(
            request, gettext("Say why the stop is lifted: others will read it. It is still in force.")
        )
        return _page(request, StopForm(), status=422)
    try:
        with acting(request.user, STOP):
            done = acts.lift(
                kill_switch=stop,
                reason=form.cleaned_data["reason"],
                lifted_by=request.user,
                now=database_now(),
            )
    except acts.NotEngaged as problem:
        messages.error(request, kill_switches.refusal(str(problem)))
        return _page(request, StopForm(), status=409)
    if done.lifted:
        messages.success(request, gettext("Lifted the stop. What it denied stays denied."))
    else:
        messages.info(request, gettext("The stop is still in force: a second person has to lift it as well."))
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
        context = {
            "form": form,
            "word": form.word,
            "is_wrong": typed is not None,
            "bar_title": gettext("Stop"),
        }
        status = 200 if typed is None else 422
        return render(request, "policies/stop_confirm/page.html", context, status=status)
    data = form.cleaned_data
    if data["drill"]:
        return _drill(request, form)
    with acting_at_once(request.user, STOP):
        stop = acts.engage(
            scope=KillSwitchScope(data["scope"]),
            agent=data["agent"],
            action_type=data["action_type"],
            reason=data["reason"],
            engaged_by=request.user,
            reject_pending=form.rejects,
            now=database_now(),
        )
    messages.success(request, f"{kill_switches.what(stop)}.")
    return redirect("policies:stop")


def _drill(request: AuthenticatedRequest, form: StopForm) -> HttpResponse:
    data = form.cleaned_data
    try:
        drill = drills.drill(
            scope=KillSwitchScope(data["scope"]),
            agent=data["agent"],
            action_type=data["action_type"],
            reason=data["reason"],
            engaged_by=request.user,
        )
    except (acts.AlreadyStopped, drills.DidNotHold) as problem:
        messages.error(request, kill_switches.refusal(str(problem)))
        return _page(request, form, status=409)
    told = (
        gettext("The stop held after {ms} ms. It is lifted again.")
        if drill.lifted
        else gettext("The stop held after {ms} ms. It stays: somebody stopped it for real meanwhile.")
    )
    messages.success(request, told.format(ms=drill.held_after_ms))
    return redirect("policies:stop")


def _page(request: AuthenticatedRequest, form: StopForm, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "live": [
            LiveStop(stop, acts.needs_second(stop), stop.lift_asked_by_id == request.user.pk)
            for stop in kill_switches.live()
        ],
        "lifted": kill_switches.lifted(),
        "drills": kill_switches.drills(),
        "may_stop": request.user.has_perm(STOP),
        "bar_title": gettext("Stop"),
    }
    return render(request, "policies/stop/page.html", context, status=status)

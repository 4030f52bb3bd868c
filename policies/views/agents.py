"""Pages of agents: the list, one agent, its limits; pausing, resuming and retiring it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.forms.agents import DetailsForm, KeyForm, NewAgentForm, ReasonForm, RotateForm
from policies.models import Agent
from policies.selectors import agent_pages, kill_switches
from policies.selectors import agents as questions
from policies.services import agents as acts
from policies.services.rights import acting, acting_at_once

MANAGE = "policies.manage_agents"
STOP = "policies.use_kill_switch"
GRANT = "policies.grant_autonomy"
SEE = ("policies.view_agent", MANAGE, STOP, GRANT)


@require_GET
@needs_one_of(*SEE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List the agents."""
    rows = agent_pages.rows(now=database_now())
    context = {
        "rows": rows,
        "running": agent_pages.running(rows),
        "may_manage": request.user.has_perm(MANAGE),
        "may_stop": request.user.has_perm(STOP),
        "bar_title": gettext("Agents"),
    }
    return render(request, "policies/agents/page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(MANAGE)
def new(request: AuthenticatedRequest) -> HttpResponse:
    """Register an agent."""
    form = NewAgentForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            with acting(request.user, MANAGE) as actor:
                agent = acts.create_agent(**form.cleaned_data, actor=actor, now=database_now())
        except acts.UnableToCreateAgent as problem:
            form.add_error("name", str(problem))
        else:
            told = gettext("Registered {name}. Make a key for it, so that it can sign in.")
            messages.success(request, told.format(name=agent.name))
            return redirect("policies:agent", agent.public_id)
    status = 422 if form.is_bound else 200
    context = {"form": form, "bar_title": gettext("Agents")}
    return render(request, "policies/agent_new/page.html", context, status=status)


@require_GET
@needs_one_of(*SEE)
def show(request: AuthenticatedRequest, agent_id: str) -> HttpResponse:
    """Show one agent. ``version`` in the address says whose levels are listed: the newest one's else."""
    return page(request, find(agent_id))


@require_POST
@needs_one_of(STOP)
def pause(request: AuthenticatedRequest, agent_id: str) -> HttpResponse:
    """Stop an agent from proposing and running anything."""
    agent, form = find(agent_id), ReasonForm(request.POST, prefix="state")
    if not form.is_valid():
        return page(request, agent, status=422, state_form=form)
    reason = form.cleaned_data["reason"]
    try:
        with acting_at_once(request.user, STOP) as actor:
            acts.pause_agent(agent=agent, reason=reason, actor=actor, now=database_now())
    except acts.AgentRetired as problem:
        form.add_error(None, str(problem))
        return page(request, agent, status=409, state_form=form)
    messages.success(request, gettext("Paused {name}.").format(name=agent.name))
    return redirect("policies:agent", agent_id)


@require_POST
@needs_one_of(STOP)
def resume(request: AuthenticatedRequest, agent_id: str) -> HttpResponse:
    """Let a paused agent go on."""
    agent, form = find(agent_id), ReasonForm(request.POST, prefix="state")
    if not form.is_valid():
        return page(request, agent, status=422, state_form=form)
    reason = form.cleaned_data["reason"]
    try:
        with acting(request.user, STOP) as actor:
            acts.resume_agent(agent=agent, reason=reason, actor=actor, now=database_now())
    except acts.AgentRetired as problem:
        form.add_error(None, str(problem))
        return page(request, agent, status=409, state_form=form)
    messages.success(request, gettext("{name} runs again.").format(name=agent.name))
    return redirect("policies:agent", agent_id)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(MANAGE)
def retire(request: AuthenticatedRequest, agent_id: str) -> HttpResponse:
    """End an agent for good: a page that says what follows, and asks for its name and a reason."""
    agent = find(agent_id)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    is_wrong = request.method == "POST" and request.POST.get("word", "").strip() != agent.name
    if form.is_valid() and not is_wrong:
        with acting(request.user, MANAGE) as actor:
            acts.retire_agent(
                agent=agent, reason=form.cleaned_data["reason"], actor=actor, now=database_now()
            )
        messages.success(request, gettext("Retired {name}. Its record stays.").format(name=agent.name))
        return redirect("policies:agent", agent_id)
    context = {"agent": agent, "form": form, "is_wrong": is_wrong, "bar_title": gettext("Agents")}
    return render(
        request, "policies/agent_retire/page.html", context, status=422 if request.method == "POST" else 200
    )


@require_POST
@needs_one_of(MANAGE)
def change(request: AuthenticatedRequest, agent_id: str) -> HttpResponse:
    """Change who answers for an agent, and how much it may send."""
    agent = find(agent_id)
    form = DetailsForm(request.POST, agent=agent, prefix="details")
    if not form.is_valid():
        return page(request, agent, status=422, details_form=form)
    data = form.cleaned_data
    with acting(request.user, MANAGE) as actor:
        acts.change_agent(
            agent=agent,
            owner=data["owner"],
            description=data["description"],
            limits=acts.Limits(
                rate_per_minute=data["rate_per_minute"],
                rate_burst=data["rate_burst"],
                max_pending=data["max_pending"],
            ),
            actor=actor,
            now=database_now(),
        )
    messages.success(request, gettext("Saved {name}.").format(name=agent.name))
    return redirect("policies:agent", agent_id)


def find(agent_id: str) -> Agent:
    """Return the agent of this public id, or answer 404."""
    return get_object_or_404(Agent.objects.select_related("owner"), public_id=agent_id)


def page(
    request: AuthenticatedRequest,
    agent: Agent,
    *,
    status: int = 200,
    state_form: ReasonForm | None = None,
    key_form: KeyForm | None = None,
    details_form: DetailsForm | None = None,
) -> HttpResponse:
    """Render an agent's page, also as the answer to what could not be done there."""
    now = database_now()
    versions = list(questions.versions(agent))
    wanted = request.GET.get("version", "")
    chosen = next((each for each in versions if each.public_id == wanted), versions[0] if versions else None)
    user = request.user
    stops = kill_switches.of_agent(agent)
    context = {
        "agent": agent,
        "stops": stops,
        "stopped": any(stop.whole for stop in stops),
        "versions": versions,
        "chosen": chosen,
        "levels": agent_pages.levels(chosen, now=now) if chosen else [],
        "grants": agent_pages.grants(agent),
        "keys": agent_pages.keys(agent, now=now),
        "state_form": state_form or ReasonForm(prefix="state"),
        "key_form": key_form or KeyForm(prefix="key"),
        "rotate_form": RotateForm(auto_id=False),
        "details_form": details_form or DetailsForm(agent=agent, prefix="details"),
        "may_manage": user.has_perm(MANAGE),
        "may_stop": user.has_perm(STOP),
        "may_grant": user.has_perm(GRANT),
        "bar_title": gettext("Agents"),
    }
    return render(request, "policies/agent/page.html", context, status=status)

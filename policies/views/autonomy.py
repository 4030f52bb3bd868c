"""Granting autonomy and taking it away, on the page of an agent."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.choices import AutonomyLevel
from policies.forms.agents import GrantForm, ReasonForm
from policies.models import AgentVersion, AutonomyGrant
from policies.services import autonomy as acts
from policies.services.rights import acting, acting_at_once
from policies.views.agents import GRANT, find, page


@require_POST
@needs_one_of(GRANT)
def grant(request: AuthenticatedRequest, agent_id: str) -> HttpResponse:
    """Grant a level by hand: it rests on a person's word, so it is not certified."""
    agent = find(agent_id)
    form = GrantForm(request.POST, agent=agent, prefix="grant")
    if not form.is_valid():
        return page(request, agent, status=422, grant_form=form)
    data, now = form.cleaned_data, database_now()
    try:
        with acting(request.user, GRANT):
            granted = acts.grant(
                agent_version=data["version"],
                action_type=data["action_type"],
                level=AutonomyLevel(data["level"]),
                reason=data["reason"],
                granted_by=request.user,
                expires_at=form.expires_at(now),
                now=now,
            )
    except acts.UnableToGrant as problem:
        form.add_error("level" if isinstance(problem, acts.AboveTheCap) else None, str(problem))
        return page(request, agent, status=422, grant_form=form)
    messages.success(request, f"Granted {granted.get_level_display()} for {data['action_type'].name}.")
    return _back(agent_id, data["version"])


@require_POST
@needs_one_of(GRANT)
def end(request: AuthenticatedRequest, agent_id: str, grant_id: str) -> HttpResponse:
    """Take a grant back."""
    grants = AutonomyGrant.objects.select_related("agent_version", "action_type")
    held = get_object_or_404(grants, public_id=grant_id, agent_version__agent__public_id=agent_id)
    form = ReasonForm(request.POST, prefix=grant_id)
    if not form.is_valid():
        messages.error(request, "Say why the grant ends: others will read it. Nothing was changed.")
        return page(request, find(agent_id), status=422)
    try:
        with acting_at_once(request.user, GRANT) as actor:
            acts.end(grant=held, reason=form.cleaned_data["reason"], actor=actor, now=database_now())
    except acts.AlreadyEnded as problem:
        messages.error(request, str(problem))
        return page(request, find(agent_id), status=409)
    messages.success(request, f"Ended the grant for {held.action_type.name}.")
    return _back(agent_id, held.agent_version)


def _back(agent_id: str, version: AgentVersion) -> HttpResponse:
    return redirect(f"{reverse('policies:agent', args=[agent_id])}?version={version.public_id}#levels")

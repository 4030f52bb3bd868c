"""Keys on an agent's page: made, replaced and revoked; each is shown once, on the answer that makes it."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.forms.agents import KeyForm, RotateForm
from policies.models import AgentKey
from policies.services import agents as acts
from policies.services.rights import acting, acting_at_once
from policies.views.agents import MANAGE, find, page


@require_POST
@needs_one_of(MANAGE)
def create_key(request: AuthenticatedRequest, agent_id: str) -> HttpResponse:
    """Make a key and show it, this once: it is on this answer alone and kept nowhere."""
    agent, form, now = find(agent_id), KeyForm(request.POST, prefix="key"), database_now()
    if not form.is_valid():
        return page(request, agent, status=422, key_form=form)
    try:
        with acting(request.user, MANAGE) as actor:
            key, token = acts.create_key(
                agent=agent,
                scopes=form.cleaned_data["scopes"],
                environments=form.cleaned_data["environments"],
                addresses=form.cleaned_data["addresses"],
                expires_at=form.expires_at(now),
                actor=actor,
                now=now,
            )
    except acts.UnableToCreateKey as problem:
        form.add_error(None, str(problem))
        return page(request, agent, status=409, key_form=form)
    return _show_once(request, key, token)


@require_POST
@needs_one_of(MANAGE)
def rotate_key(request: AuthenticatedRequest, agent_id: str, key_id: str) -> HttpResponse:
    """Replace a key by a new one, shown this once; both are good until the overlap is over."""
    key, form = _find(agent_id, key_id), RotateForm(request.POST)
    if not form.is_valid():
        messages.error(request, gettext("Choose how long the old key stays good. Nothing was changed."))
        return page(request, find(agent_id), status=422)
    try:
        with acting(request.user, MANAGE) as actor:
            new, token = acts.rotate_key(key=key, overlap=form.length, actor=actor, now=database_now())
    except acts.UnableToCreateKey as problem:
        messages.error(request, str(problem))
        return page(request, find(agent_id), status=409)
    return _show_once(request, new, token)


@require_POST
@needs_one_of(MANAGE)
def revoke_key(request: AuthenticatedRequest, agent_id: str, key_id: str) -> HttpResponse:
    """End a key at once."""
    key = _find(agent_id, key_id)
    with acting_at_once(request.user, MANAGE) as actor:
        acts.revoke_key(key=key, actor=actor, now=database_now())
    messages.success(request, gettext("Revoked the key …{key}.").format(key=key.lookup))
    return redirect("policies:agent", agent_id)


def _find(agent_id: str, key_id: str) -> AgentKey:
    keys = AgentKey.objects.select_related("agent")
    return get_object_or_404(keys, public_id=key_id, agent__public_id=agent_id)


def _show_once(request: AuthenticatedRequest, key: AgentKey, token: str) -> HttpResponse:
    context = {"agent": key.agent, "key": key, "token": token, "bar_title": gettext("Agents")}
    response = render(request, "policies/key/page.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response

"""Addresses of the governing app: policies and action types, agents, stops, the ledger."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.resolvers import URLPattern, URLResolver

from policies.views import action_types, agents, autonomy, ledger, policies, stops


class ActionTypeName:
    """A name as one step of an address: its slashes are written as ``~``, which no name has."""

    regex = r"[A-Za-z0-9][A-Za-z0-9._:~-]{0,119}"

    def to_python(self, value: str) -> str:
        return value.replace("~", "/")

    def to_url(self, value: str) -> str:
        return value.replace("/", "~")


register_converter(ActionTypeName, "action_type")

app_name = "policies"

policy_urls: list[URLPattern | URLResolver] = [
    path("policies/", action_types.index, name="index"),
    path("policies/<action_type:name>/", action_types.show, name="action_type"),
    path("policies/<action_type:name>/declaration/", action_types.edit, name="action_type_edit"),
    path("policies/<action_type:name>/edit/", policies.edit, name="policy_edit"),
    path("policies/<action_type:name>/publish/", policies.publish, name="publish"),
    path("policies/<action_type:name>/v/<int:number>/", policies.version, name="version"),
    # Not under /policies/, where an action type might have that name.
    path("action-types/new/", action_types.new, name="action_type_new"),
]
agent_urls: list[URLPattern | URLResolver] = [
    path("agents/", agents.index, name="agents"),
    path("agents/new/", agents.new, name="agent_new"),
    path("agents/<str:agent_id>/", agents.show, name="agent"),
    path("agents/<str:agent_id>/pause/", agents.pause, name="agent_pause"),
    path("agents/<str:agent_id>/resume/", agents.resume, name="agent_resume"),
    path("agents/<str:agent_id>/keys/", agents.create_key, name="key_new"),
    path("agents/<str:agent_id>/keys/<str:key_id>/revoke/", agents.revoke_key, name="key_revoke"),
    path("agents/<str:agent_id>/autonomy/", autonomy.grant, name="grant"),
    path("agents/<str:agent_id>/autonomy/<str:grant_id>/end/", autonomy.end, name="grant_end"),
]
urlpatterns: list[URLPattern | URLResolver] = [
    *policy_urls,
    *agent_urls,
    path("stop/", stops.index, name="stop"),
    path("stop/<str:stop_id>/lift/", stops.lift, name="lift"),
    path("audit/", ledger.index, name="ledger"),
]

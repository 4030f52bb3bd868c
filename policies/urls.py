"""Addresses of the governing app: policies and action types, agents, stops, the ledger."""

from __future__ import annotations

from django.urls import path, register_converter
from django.urls.resolvers import URLPattern, URLResolver

from policies.views import (
    action_types,
    agent_keys,
    agents,
    calibration,
    checkpoints,
    declaration_changes,
    ladder,
    ledger,
    policies,
    publications,
    stops,
    verifications,
    versions,
)

# Pages of our own under /policies/, which an action type might be called.
_TAKEN = frozenset({"publications", "try"})


class ActionTypeName:
    """A name as one step of an address: its slashes are written as ``~``, which no name has.

    A type that is called as one of our pages gets a ``~`` in front, with which no name begins.
    """

    regex = r"~?[A-Za-z0-9][A-Za-z0-9._:~-]{0,119}"

    def to_python(self, value: str) -> str:
        return value.removeprefix("~").replace("~", "/")

    def to_url(self, value: str) -> str:
        return f"~{value}" if value in _TAKEN else value.replace("/", "~")


register_converter(ActionTypeName, "action_type")

app_name = "policies"

publication_urls: list[URLPattern | URLResolver] = [
    path("policies/publications/", publications.index, name="publications"),
    # Below the publications, beside which they are listed: two steps more than any of theirs.
    path(
        "policies/publications/declarations/<str:change_id>/",
        declaration_changes.show,
        name="declaration_change",
    ),
    path(
        "policies/publications/declarations/<str:change_id>/approve/",
        declaration_changes.approve,
        name="declaration_approve",
    ),
    path(
        "policies/publications/declarations/<str:change_id>/withdraw/",
        declaration_changes.withdraw,
        name="declaration_withdraw",
    ),
    path("policies/publications/<str:publication_id>/", publications.show, name="publication"),
    path(
        "policies/publications/<str:publication_id>/approve/",
        publications.approve,
        name="publication_approve",
    ),
    path(
        "policies/publications/<str:publication_id>/withdraw/",
        publications.withdraw,
        name="publication_withdraw",
    ),
]
policy_urls: list[URLPattern | URLResolver] = [
    path("policies/", action_types.index, name="index"),
    *publication_urls,
    path("policies/<action_type:name>/", action_types.show, name="action_type"),
    path("policies/<action_type:name>/declaration/", action_types.edit, name="action_type_edit"),
    path("policies/<action_type:name>/edit/", policies.edit, name="policy_edit"),
    path("policies/<action_type:name>/publish/", publications.publish_draft, name="publish"),
    path("policies/<action_type:name>/v/<int:number>/", versions.show, name="version"),
    path(
        "policies/<action_type:name>/v/<int:number>/publish/",
        publications.publish_version,
        name="publish_version",
    ),
    path("policies/<action_type:name>/v/<int:number>/shadow/", versions.show_shadow, name="shadow"),
    path(
        "policies/<action_type:name>/v/<int:number>/shadow/start/",
        versions.start_shadow,
        name="shadow_start",
    ),
    path("policies/<action_type:name>/v/<int:number>/shadow/end/", versions.end_shadow, name="shadow_end"),
    path("policies/<action_type:name>/v/<int:number>/rollback/", versions.roll_back, name="rollback"),
    path("policies/<action_type:name>/v/<int:number>/retire/", versions.retire, name="retire"),
    # Not under /policies/, where an action type might have that name.
    path("action-types/new/", action_types.new, name="action_type_new"),
]
agent_urls: list[URLPattern | URLResolver] = [
    path("agents/", agents.index, name="agents"),
    path("agents/new/", agents.new, name="agent_new"),
    path("agents/<str:agent_id>/", agents.show, name="agent"),
    path("agents/<str:agent_id>/pause/", agents.pause, name="agent_pause"),
    path("agents/<str:agent_id>/resume/", agents.resume, name="agent_resume"),
    path("agents/<str:agent_id>/retire/", agents.retire, name="agent_retire"),
    path("agents/<str:agent_id>/details/", agents.change, name="agent_change"),
    path("agents/<str:agent_id>/keys/", agent_keys.create_key, name="key_new"),
    path("agents/<str:agent_id>/keys/<str:key_id>/rotate/", agent_keys.rotate_key, name="key_rotate"),
    path("agents/<str:agent_id>/keys/<str:key_id>/revoke/", agent_keys.revoke_key, name="key_revoke"),
]
autonomy_urls: list[URLPattern | URLResolver] = [
    path("autonomy/", ladder.index, name="autonomy"),
    path("autonomy/proposals/<str:proposal_id>/", ladder.answer, name="autonomy_answer"),
    path("autonomy/grants/<str:grant_id>/end/", ladder.end, name="autonomy_end"),
    path("autonomy/<str:version_id>/<action_type:name>/", ladder.show, name="autonomy_cell"),
    path("autonomy/<str:version_id>/<action_type:name>/propose/", ladder.propose, name="autonomy_propose"),
    path("autonomy/<str:version_id>/<action_type:name>/grant/", ladder.override, name="autonomy_override"),
    path("autonomy/<str:version_id>/<action_type:name>/minor/", ladder.carry_on, name="autonomy_minor"),
]
urlpatterns: list[URLPattern | URLResolver] = [
    *policy_urls,
    *agent_urls,
    *autonomy_urls,
    path("calibration/<action_type:name>/", calibration.show, name="calibration"),
    path("calibration/<action_type:name>/refit/", calibration.refit, name="calibration_refit"),
    path("stop/", stops.index, name="stop"),
    path("stop/<str:stop_id>/lift/", stops.lift, name="lift"),
    path("stop/<str:stop_id>/pending/", stops.progress, name="stop_pending"),
    path("audit/", ledger.index, name="ledger"),
    path("audit/verify/", verifications.index, name="ledger_verify"),
    path("audit/verify/<str:verification_id>/", verifications.progress, name="ledger_verification"),
    path("audit/download.<str:format>", ledger.download, name="ledger_download"),
    path("audit/story/<str:kind>/<path:object_id>/", ledger.story, name="ledger_story"),
    path("audit/<int:seq>/", ledger.entry, name="ledger_entry"),
    path(".well-known/handrail-checkpoint", checkpoints.newest, name="checkpoint"),
    path(".well-known/handrail-checkpoint-keys", checkpoints.keys, name="checkpoint_keys"),
]

"""The groups of people, and what each may do."""

from __future__ import annotations

from typing import Any

from django.apps import apps

GROUPS: dict[str, tuple[str, ...]] = {
    "reviewer": ("reviews.review_item", "reviews.decide_in_bulk"),
    "lead": (
        "reviews.review_item",
        "reviews.view_any_item",
        "reviews.adjudicate",
        "reviews.decide_in_bulk",
        "reviews.share_views",
        "reviews.view_team",
        "reviews.manage_team",
        "policies.view_observation",
        "datasets.view_dataset",
        "datasets.curate_case",
    ),
    "ops_admin": (
        "reviews.view_any_item",
        "reviews.manage_drills",
        "reviews.view_team",
        "reviews.manage_queues",
        "policies.manage_policies",
        "policies.manage_agents",
        "policies.view_actiontype",
        "policies.view_agent",
        "policies.use_kill_switch",
        "policies.grant_autonomy",
        "policies.view_observation",
        "policies.share_trust",
        "policies.view_ledgerentry",
        "policies.view_removal",
        "datasets.manage_retention",
    ),
    "manager": (
        "reviews.view_any_item",
        "reviews.view_team",
        "policies.view_observation",
        "policies.share_trust",
        "policies.view_actiontype",
        "policies.view_agent",
        "policies.grant_autonomy",
    ),
    "auditor": (
        "reviews.view_any_item",
        "policies.view_observation",
        "policies.view_ledgerentry",
        "policies.view_removal",
    ),
    "ml_engineer": ("datasets.view_dataset", "datasets.export_dataset", "datasets.curate_case"),
}


def make_groups(**_signal: Any) -> None:
    """Make every group, and give it the permissions above. Operators may add more; none is taken away."""
    from django.contrib.auth.management import create_permissions
    from django.contrib.auth.models import Group, Permission

    # Django makes them too, by the same signal and perhaps after us; of the last app they may be missing.
    create_permissions(apps.get_app_config("datasets"), verbosity=0)
    for name, labels in GROUPS.items():
        group, _ = Group.objects.get_or_create(name=name)
        for label in labels:
            app, codename = label.split(".")
            group.permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))

"""The configuration of Django's admin, for INSTALLED_APPS in place of ``django.contrib.admin``."""

from __future__ import annotations

from django.contrib.admin.apps import AdminConfig


class SuperuserAdminConfig(AdminConfig):
    default_site = "hitl_site.admin_site.SuperuserAdminSite"

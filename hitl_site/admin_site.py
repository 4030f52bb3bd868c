"""Django's admin: a look under the bonnet for superusers. People work on the pages, which keep the ledger.

A change made here would be on no record of Handrail's, so nearly everything is read-only; people and groups,
which Django keeps, are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest

if TYPE_CHECKING:  # generic in its stubs alone
    _ModelAdmin = admin.ModelAdmin[Model]
else:
    _ModelAdmin = admin.ModelAdmin


class SuperuserAdminSite(admin.AdminSite):
    site_header = "Handrail administration"
    site_title = "Handrail administration"
    index_title = "Everything that is stored, to read"

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in superusers alone: whoever may see everything must be one of a few."""
        return bool(request.user.is_active and request.user.is_superuser)


class ReadOnlyAdmin(_ModelAdmin):
    """Lists and shows; adds, changes and deletes nothing."""

    # Counting a large table twice for one page is what makes Django's lists slow.
    show_full_result_count = False
    list_per_page = 50
    ordering = ("-pk",)
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

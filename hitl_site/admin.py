"""People and groups in Django's admin: to change, and every change is on the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from hitl_site.admin_site import RecordedEdits, password_of
from hitl_site.lib.clock import database_now
from policies.services import accounts
from policies.services.ledger import Actor

if TYPE_CHECKING:  # generic in its stubs alone
    _UserAdmin = UserAdmin[User]
else:
    _UserAdmin = UserAdmin

admin.site.unregister(User)
admin.site.unregister(Group)


@admin.register(User)
class RecordedUserAdmin(RecordedEdits, _UserAdmin):
    kind = "account"

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Refuse: people are deactivated, so that what they did keeps its name."""
        return False

    @transaction.atomic
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        """Set somebody's password, on the record."""
        user = self.get_object(request, id)
        before = password_of(user.pk) if user is not None else ""
        response = super().user_change_password(request, id, form_url)
        if user is not None and password_of(user.pk) != before:
            accounts.note_password_change(
                user=cast(User, user), actor=Actor.person(cast(User, request.user)), now=database_now()
            )
        return response


@admin.register(Group)
class RecordedGroupAdmin(RecordedEdits, GroupAdmin):
    kind = "group"

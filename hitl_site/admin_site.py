"""Django's admin: a look under the bonnet for superusers. People work on the pages, which keep the ledger.

Nearly everything is read-only. What is not (people, groups, queues) writes the ledger in the transaction of
the change, see ``RecordedEdits``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, cast

from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model
from django.forms import BaseModelForm
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext, gettext_lazy

from hitl_site.lib.access import to_sign_in
from hitl_site.lib.clock import database_now
from hitl_site.lib.strict_json import JsonValue
from policies.services import accounts
from policies.services.ledger import Actor

if TYPE_CHECKING:  # generic in its stubs alone
    _ModelAdmin = admin.ModelAdmin[Model]
else:
    _ModelAdmin = admin.ModelAdmin


class SuperuserAdminSite(admin.AdminSite):
    site_header = gettext_lazy("Handrail administration")
    site_title = gettext_lazy("Handrail administration")
    index_title = gettext_lazy("Everything that is stored, to read")

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in superusers alone: whoever may see everything must be one of a few."""
        return bool(request.user.is_active and request.user.is_superuser)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Send everybody to the one door of the site, which keeps the record."""
        if request.user.is_authenticated:
            raise PermissionDenied(gettext("The administration is for superusers."))
        return cast(HttpResponse, to_sign_in(request))

    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Let somebody out, on the record."""
        if request.method == "POST" and request.user.is_authenticated:
            accounts.note_sign_out(user=request.user, now=database_now())
        return super().logout(request, extra_context)

    @transaction.atomic
    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Let superusers change their own password, on the record."""
        user = cast(User, request.user)
        before = password_of(user.pk)
        response = super().password_change(request, extra_context)
        if password_of(user.pk) != before:
            accounts.note_password_change(user=user, actor=Actor.person(user), now=database_now())
        return response


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


class RecordedEdits(_ModelAdmin):
    """May add and change, and writes one ledger entry in the transaction of each change."""

    kind: ClassVar[str]
    # Of these the ledger only says that they changed: personal data.
    not_told: ClassVar[frozenset[str]] = frozenset({"email", "first_name", "last_name"})
    actions = None

    def save_related(
        self, request: HttpRequest, form: BaseModelForm[Model], formsets: Any, change: bool
    ) -> None:
        """Keep what belongs to the object, then note what differs: Django calls this last of all."""
        super().save_related(request, form, formsets, change)
        fields = [name for name in form.changed_data if name in form.cleaned_data and "password" not in name]
        self._note(
            request,
            form.instance,
            verb="changed" if change else "created",
            before={name: self._told(name, form.initial.get(name)) for name in fields} if change else None,
            after={name: self._told(name, form.cleaned_data[name]) for name in fields},
        )

    def delete_model(self, request: HttpRequest, obj: Model) -> None:
        """Delete, and note it. Django's view is one transaction around both."""
        self._note(request, obj, verb="deleted", before={}, after=None)
        super().delete_model(request, obj)

    def _note(
        self,
        request: HttpRequest,
        obj: Model,
        *,
        verb: str,
        before: Mapping[str, JsonValue] | None,
        after: Mapping[str, JsonValue] | None,
    ) -> None:
        accounts.note_edit(
            kind=self.kind,
            object_id=str(getattr(obj, "public_id", obj.pk)),
            name=str(obj),
            verb=verb,
            before=before,
            after=after,
            actor=Actor.person(cast(User, request.user)),
            now=database_now(),
        )

    def _told(self, name: str, value: object) -> JsonValue:
        if name in self.not_told:
            return "not kept here"
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, Iterable):
            return [str(each) for each in value]
        return str(value)


def password_of(pk: int) -> str:
    """Return the stored hash of an account's password: another one means another password."""
    return User.objects.values_list("password", flat=True).get(pk=pk)

"""The reviewing app in Django's admin, to read. A permit's text is a right to run: it is never shown."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Model
from django.forms import ModelForm
from django.http import HttpRequest

from hitl_site.admin_site import ReadOnlyAdmin, RecordedEdits
from hitl_site.lib import ids
from hitl_site.lib.clock import database_now
from reviews.models import (
    ActionContext,
    ActionRequest,
    Capacity,
    Channel,
    Decision,
    Delivery,
    Draft,
    Drill,
    DrillBurst,
    DrillSeed,
    Escalation,
    Execution,
    Incident,
    IngestRow,
    ItemView,
    Notice,
    PaceNotice,
    Permit,
    Precedent,
    Preferences,
    Queue,
    QueueMember,
    ReviewItem,
    SavedView,
    SecondOpinion,
    SecondReview,
    Shift,
    Skill,
    Skip,
)


@admin.register(Queue)
class QueueAdmin(RecordedEdits):
    """Queues have no page yet: they are made and renamed here."""

    kind = "queue"
    list_display = ("slug", "name", "icon", "created_at")
    search_fields = ("slug", "name")
    fields = ("slug", "name", "icon")
    ordering = ("slug",)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        # Policies name a queue by its slug.
        return ("slug",) if obj else ()

    def save_model(self, request: HttpRequest, obj: Model, form: ModelForm[Model], change: bool) -> None:
        assert isinstance(obj, Queue)
        if not change:
            obj.public_id, obj.created_at = ids.new("que"), database_now()
        super().save_model(request, obj, form, change)


@admin.register(ActionRequest)
class ActionRequestAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "action_type_name", "agent", "mode", "state", "title", "created_at")
    list_filter = ("state", "mode", "environment")
    list_select_related = ("agent",)
    search_fields = ("=public_id", "=digest", "=idempotency_key", "=conversation_id")


@admin.register(ActionContext)
class ActionContextAdmin(ReadOnlyAdmin):
    list_display = ("action", "reason")
    list_select_related = ("action",)
    search_fields = ("=action__public_id",)


@admin.register(IngestRow)
class IngestRowAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "batch_id", "agent", "state", "attempts", "accepted_at", "done_at")
    list_filter = ("state",)
    list_select_related = ("agent",)
    search_fields = ("=public_id", "=batch_id", "=idempotency_key")


@admin.register(SavedView)
class SavedViewAdmin(ReadOnlyAdmin):
    list_display = ("name", "owner", "shared", "query", "order", "created_at")
    list_filter = ("shared",)
    list_select_related = ("owner",)
    search_fields = ("name",)


@admin.register(Preferences)
class PreferencesAdmin(ReadOnlyAdmin):
    list_display = ("user", "theme", "density", "single_keys", "time_zone", "language", "updated_at")
    list_select_related = ("user",)
    search_fields = ("=user__username",)


@admin.register(QueueMember)
class QueueMemberAdmin(ReadOnlyAdmin):
    list_display = ("queue", "user", "added_at")
    list_select_related = ("queue", "user")


@admin.register(Skill)
class SkillAdmin(ReadOnlyAdmin):
    list_display = ("user", "action_type_name", "added_at")
    list_select_related = ("user",)


@admin.register(Capacity)
class CapacityAdmin(ReadOnlyAdmin):
    list_display = ("user", "most_held", "updated_at")
    list_select_related = ("user",)


@admin.register(Shift)
class ShiftAdmin(ReadOnlyAdmin):
    list_display = ("user", "weekday", "on_date", "starts", "ends", "time_zone")
    list_select_related = ("user",)


@admin.register(Notice)
class NoticeAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "user", "kind", "item", "created_at", "read_at")
    list_select_related = ("user", "item")


@admin.register(Channel)
class ChannelAdmin(ReadOnlyAdmin):
    list_display = ("name", "queue", "created_at", "ended_at")
    list_select_related = ("queue",)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("kind", "user", "channel", "state", "attempts", "send_at", "sent_at", "problem")
    list_filter = ("state", "kind")
    list_select_related = ("user", "channel")


@admin.register(ReviewItem)
class ReviewItemAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "action_type_name", "kind", "status", "queue", "claimed_by", "due_at")
    list_filter = ("status", "kind", "queue", "risk", "trigger", "blind")
    list_select_related = ("queue", "claimed_by")
    search_fields = ("=public_id", "=action__public_id")
    exclude = ("words",)


@admin.register(Decision)
class DecisionAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id", "action", "reviewer_name", "kind", "terminal", "considered", "decided_at", "released_at",
        "undone_at",
    )  # fmt: skip
    list_filter = ("kind", "terminal", "considered", "blind", "bulk")
    list_select_related = ("action",)
    search_fields = ("=public_id", "=action__public_id", "reviewer_name")


@admin.register(Escalation)
class EscalationAdmin(ReadOnlyAdmin):
    list_display = ("item", "reviewer_name", "to_user", "to_queue", "escalated_at")
    list_select_related = ("item", "to_user", "to_queue")
    search_fields = ("=item__public_id",)


@admin.register(SecondOpinion)
class SecondOpinionAdmin(ReadOnlyAdmin):
    list_display = ("item", "first_decision", "propensity", "because", "asked_by", "opened_at")
    list_select_related = ("item", "first_decision", "asked_by")
    search_fields = ("=item__public_id", "=first_decision__public_id")


@admin.register(SecondReview)
class SecondReviewAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id",
        "reviewer",
        "action_type",
        "started_by_name",
        "started_at",
        "ends_at",
        "ended_at",
    )
    list_select_related = ("reviewer", "action_type")
    search_fields = ("=public_id",)


@admin.register(DrillSeed)
class DrillSeedAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "action_type", "error_kind", "state", "made_by_name", "made_at")
    list_filter = ("state", "error_kind")
    list_select_related = ("action_type",)
    search_fields = ("=public_id",)


@admin.register(Drill)
class DrillAdmin(ReadOnlyAdmin):
    list_display = ("drawn_by", "action_type", "seed", "propensity", "serve_at", "served_at")
    list_select_related = ("action_type", "seed")
    search_fields = ("=drawn_by", "=action__public_id")


@admin.register(DrillBurst)
class DrillBurstAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "reviewer", "action_type", "began_at", "ended_at")
    list_select_related = ("reviewer", "action_type")
    search_fields = ("=public_id",)


@admin.register(PaceNotice)
class PaceNoticeAdmin(ReadOnlyAdmin):
    list_display = ("reviewer", "shown_at", "answer", "answered_at", "paused_until")
    list_select_related = ("reviewer",)


@admin.register(Skip)
class SkipAdmin(ReadOnlyAdmin):
    list_display = ("item", "reviewer", "reason", "skipped_at")
    list_filter = ("reason",)
    list_select_related = ("item", "reviewer")
    search_fields = ("=item__public_id",)


@admin.register(ItemView)
class ItemViewAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "item", "reviewer", "opened_at", "last_seen_at", "arguments_seen_at")
    list_select_related = ("item", "reviewer")
    search_fields = ("=public_id", "=item__public_id")


@admin.register(Draft)
class DraftAdmin(ReadOnlyAdmin):
    list_display = ("item", "reviewer", "updated_at")
    list_select_related = ("item", "reviewer")
    search_fields = ("=item__public_id",)


@admin.register(Permit)
class PermitAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "action", "agent", "basis", "issued_at", "expires_at", "consumed_at")
    list_filter = ("basis", ("consumed_at", admin.EmptyFieldListFilter))
    list_select_related = ("action", "agent")
    search_fields = ("=public_id", "=action__public_id")
    exclude = ("token",)


@admin.register(Execution)
class ExecutionAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "action", "outcome", "reported", "started_at", "outcome_at")
    list_filter = ("outcome", "reported")
    list_select_related = ("action",)
    search_fields = ("=public_id", "=action__public_id")


@admin.register(Incident)
class IncidentAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id", "kind", "action", "opened_at", "resolution", "resolved_by_name", "resolved_at",
    )  # fmt: skip
    list_filter = ("kind", "resolution")
    list_select_related = ("action",)
    search_fields = ("=public_id", "=action__public_id")


@admin.register(Precedent)
class PrecedentAdmin(ReadOnlyAdmin):
    list_display = ("action", "action_type", "kind", "decided_at")
    list_filter = ("kind",)
    list_select_related = ("action", "action_type")
    search_fields = ("=action__public_id",)
    exclude = ("tokens",)

"""The learning app in Django's admin, to read."""

from __future__ import annotations

from django.contrib import admin

from datasets.models import (
    CaseCuration,
    CaseIndex,
    Conversation,
    ConversationCheck,
    ConversationShare,
    Dataset,
    DatasetMember,
    DatasetVersion,
    EvalResult,
    EvalRun,
    Export,
    ExportSchedule,
    Freezing,
    Grader,
    GroundTruth,
    LabelledCase,
    LabelRevision,
    LegalHold,
    Omission,
    RedactionProfile,
    RetentionRule,
    VersionMark,
)
from hitl_site.admin_site import ReadOnlyAdmin


@admin.register(LabelledCase)
class LabelledCaseAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "action_type", "agent", "label", "source", "strength", "decided_at")
    list_filter = ("label", "source", "strength")
    search_fields = ("=public_id", "=action_id", "=decision_id")


@admin.register(Dataset)
class DatasetAdmin(ReadOnlyAdmin):
    list_display = ("name", "created_by_name", "created_at")
    search_fields = ("name", "=public_id")


@admin.register(DatasetVersion)
class DatasetVersionAdmin(ReadOnlyAdmin):
    list_display = ("dataset", "number", "case_count", "content_sha256", "frozen_by_name", "frozen_at")
    list_select_related = ("dataset",)
    search_fields = ("dataset__name", "=public_id", "=content_sha256")


@admin.register(DatasetMember)
class DatasetMemberAdmin(ReadOnlyAdmin):
    list_display = ("version", "position", "case")
    list_select_related = ("version__dataset", "case")
    search_fields = ("=case__public_id",)


@admin.register(RedactionProfile)
class RedactionProfileAdmin(ReadOnlyAdmin):
    list_display = ("name", "number", "created_by_name", "created_at")
    search_fields = ("name", "=public_id")


@admin.register(Export)
class ExportAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id", "version", "format", "state", "rows_done", "rows_total", "requested_by_name",
        "requested_at",
    )  # fmt: skip
    list_filter = ("state", "format")
    list_select_related = ("version__dataset",)
    search_fields = ("=public_id", "=sha256")


@admin.register(ExportSchedule)
class ExportScheduleAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "dataset", "format", "cadence", "active", "next_at", "created_by_name")
    list_filter = ("active", "cadence", "format")
    list_select_related = ("dataset",)
    search_fields = ("=public_id", "dataset__name")


@admin.register(Grader)
class GraderAdmin(ReadOnlyAdmin):
    list_display = ("action_type", "number", "created_by_name", "created_at")
    search_fields = ("=action_type",)


@admin.register(EvalRun)
class EvalRunAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id", "agent_name", "agent_version", "version", "split", "state", "cases_done", "cases_passed",
        "created_at",
    )  # fmt: skip
    list_filter = ("state", "source")
    list_select_related = ("version__dataset",)
    search_fields = ("=public_id", "=agent_name", "=agent_version")


@admin.register(EvalResult)
class EvalResultAdmin(ReadOnlyAdmin):
    list_display = ("run", "case", "acted", "passed", "score", "received_at")
    list_filter = ("passed", "acted")
    list_select_related = ("run", "case")
    search_fields = ("=run__public_id", "=case__public_id")


@admin.register(CaseIndex)
class CaseIndexAdmin(ReadOnlyAdmin):
    list_display = ("case", "near_group", "indexed_at")
    search_fields = ("case__public_id", "near_group")


@admin.register(CaseCuration)
class CaseCurationAdmin(ReadOnlyAdmin):
    list_display = ("case", "tags", "excluded_at", "disputed_at", "updated_at")
    list_select_related = ("case",)
    search_fields = ("=case__public_id",)


@admin.register(LabelRevision)
class LabelRevisionAdmin(ReadOnlyAdmin):
    list_display = ("case", "number", "kind", "label", "author_name", "created_at")
    list_filter = ("kind", "label")
    list_select_related = ("case",)
    search_fields = ("=case__public_id",)


@admin.register(GroundTruth)
class GroundTruthAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "action_id", "correct", "source", "contradicts", "received_at")
    list_filter = ("correct", "contradicts")
    search_fields = ("=public_id", "=action_id")


@admin.register(Freezing)
class FreezingAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "dataset", "state", "cases_done", "cases_total", "requested_at")
    list_filter = ("state",)
    list_select_related = ("dataset",)
    search_fields = ("=public_id",)


@admin.register(VersionMark)
class VersionMarkAdmin(ReadOnlyAdmin):
    list_display = ("version", "erasure_id", "cases", "marked_at")
    list_select_related = ("version__dataset",)
    search_fields = ("=erasure_id",)


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "agent", "message_count", "action_count", "propensity", "drawn", "closed_at")
    list_filter = ("drawn",)
    list_select_related = ("agent",)
    search_fields = ("=public_id", "=conversation_id")


@admin.register(ConversationCheck)
class ConversationCheckAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "finding", "reviewer_name", "asked_at", "answered_at")
    list_filter = ("finding",)
    search_fields = ("=public_id",)


@admin.register(ConversationShare)
class ConversationShareAdmin(ReadOnlyAdmin):
    list_display = ("agent", "share", "updated_by_name", "updated_at")
    list_select_related = ("agent",)


@admin.register(Omission)
class OmissionAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "action_type", "reviewer", "found_at")
    list_select_related = ("action_type", "reviewer")
    search_fields = ("=public_id",)


@admin.register(RetentionRule)
class RetentionRuleAdmin(ReadOnlyAdmin):
    list_display = ("kind", "action_type", "keep_days", "updated_by_name", "updated_at")
    list_filter = ("kind",)


@admin.register(LegalHold)
class LegalHoldAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "action_type", "placed_by_name", "placed_at", "lifted_at")
    search_fields = ("=public_id",)

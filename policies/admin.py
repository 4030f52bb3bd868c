"""The governing app in Django's admin, to read. No secret of a key and no salt of a payload is shown."""

from __future__ import annotations

from django.contrib import admin

from hitl_site.admin_site import ReadOnlyAdmin
from policies.models import (
    ActionType,
    Agent,
    AgentKey,
    AgentVersion,
    AutonomyGrant,
    AutonomyProposal,
    ConditionMatch,
    DeclarationApproval,
    DeclarationChange,
    DoubleReview,
    DrillResult,
    EvalStanding,
    EvidenceSample,
    EvidenceTrack,
    GateCheck,
    KillSwitch,
    LedgerCheckpoint,
    LedgerCursor,
    LedgerEntry,
    LedgerLink,
    LedgerPayload,
    LedgerVerification,
    LoopTick,
    MissingLabel,
    Observation,
    PastChunk,
    PolicyVersion,
    Publication,
    PublicationApproval,
    Removal,
    RemovalTarget,
    ScoreBin,
    ShadowCheck,
    TrustLink,
    WhatIfRun,
)


@admin.register(ActionType)
class ActionTypeAdmin(ReadOnlyAdmin):
    list_display = ("name", "title", "risk", "irreversible", "widens_rights", "autonomy_cap", "updated_at")
    list_filter = ("risk", "irreversible", "widens_rights", "autonomy_cap")
    search_fields = ("name", "title", "public_id")


@admin.register(PolicyVersion)
class PolicyVersionAdmin(ReadOnlyAdmin):
    list_display = ("action_type", "number", "state", "author_name", "created_at", "published_at")
    list_filter = ("state",)
    list_select_related = ("action_type",)
    search_fields = ("action_type__name", "public_id", "content_sha256")


@admin.register(Publication)
class PublicationAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id", "version", "state", "loosens", "people_required", "asked_by_name", "asked_at",
        "publish_at", "closed_at",
    )  # fmt: skip
    list_filter = ("state", "loosens")
    list_select_related = ("version__action_type",)
    search_fields = ("=public_id", "action_type__name")


@admin.register(PublicationApproval)
class PublicationApprovalAdmin(ReadOnlyAdmin):
    list_display = ("publication_id", "person_name", "content_sha256", "approved_at")
    search_fields = ("=publication__public_id", "person_name")


@admin.register(DeclarationChange)
class DeclarationChangeAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id", "action_type", "state", "people_required", "asked_by_name", "asked_at", "closed_at",
    )  # fmt: skip
    list_filter = ("state",)
    list_select_related = ("action_type",)
    search_fields = ("=public_id", "action_type__name")


@admin.register(DeclarationApproval)
class DeclarationApprovalAdmin(ReadOnlyAdmin):
    list_display = ("change_id", "person_name", "content_sha256", "approved_at")
    search_fields = ("=change__public_id", "person_name")


@admin.register(Agent)
class AgentAdmin(ReadOnlyAdmin):
    list_display = ("name", "state", "owner", "created_at", "last_seen_at")
    list_filter = ("state",)
    list_select_related = ("owner",)
    search_fields = ("name", "public_id")


@admin.register(AgentVersion)
class AgentVersionAdmin(ReadOnlyAdmin):
    list_display = ("agent", "label", "first_seen_at")
    list_select_related = ("agent",)
    search_fields = ("agent__name", "label", "public_id")


@admin.register(AgentKey)
class AgentKeyAdmin(ReadOnlyAdmin):
    list_display = ("lookup", "agent", "scopes", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("agent",)
    search_fields = ("lookup", "agent__name", "public_id")
    exclude = ("secret_hmac",)


@admin.register(AutonomyGrant)
class AutonomyGrantAdmin(ReadOnlyAdmin):
    list_display = (
        "agent_version", "action_type", "level", "certified", "granted_by_name", "granted_at", "ended_at",
    )  # fmt: skip
    list_filter = ("level", "certified", ("ended_at", admin.EmptyFieldListFilter))
    list_select_related = ("agent_version__agent", "action_type")
    search_fields = ("agent_version__agent__name", "action_type__name", "public_id")


@admin.register(KillSwitch)
class KillSwitchAdmin(ReadOnlyAdmin):
    list_display = ("scope", "agent", "action_type", "engaged_by_name", "engaged_at", "lifted_at", "reason")
    list_filter = ("scope", ("lifted_at", admin.EmptyFieldListFilter))
    list_select_related = ("agent", "action_type")
    search_fields = ("reason", "public_id")


@admin.register(GateCheck)
class GateCheckAdmin(ReadOnlyAdmin):
    list_display = (
        "action_id", "action_type_name", "agent_version", "verdict", "trigger", "score", "level",
        "audit_selected", "evaluated_at",
    )  # fmt: skip
    list_filter = ("verdict", "trigger", "level", "audit_selected", "blind", "drill")
    list_select_related = ("agent_version__agent",)
    search_fields = ("=action_id", "=public_id")


@admin.register(ShadowCheck)
class ShadowCheckAdmin(ReadOnlyAdmin):
    list_display = ("action_id", "policy_version", "verdict", "live_verdict", "differs", "evaluated_at")
    list_filter = ("verdict", "live_verdict", "differs")
    list_select_related = ("policy_version__action_type",)
    search_fields = ("=action_id",)


@admin.register(Observation)
class ObservationAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id", "action_type", "agent_version", "audited", "error", "considered", "propensity",
        "observed_at",
    )  # fmt: skip
    list_filter = ("audited", "error", "considered", "blind")
    list_select_related = ("action_type", "agent_version__agent")
    search_fields = ("=decision_id", "=public_id")


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin):
    list_display = (
        "id", "occurred_at", "actor_name", "verb", "object_kind", "object_id", "action_id", "request_id",
    )  # fmt: skip
    list_filter = ("actor_kind", "object_kind")
    search_fields = ("=object_id", "=action_id", "=request_id", "=verb")


@admin.register(LedgerPayload)
class LedgerPayloadAdmin(ReadOnlyAdmin):
    list_display = ("entry_id", "erased_at")
    list_filter = (("erased_at", admin.EmptyFieldListFilter),)
    exclude = ("salt",)


@admin.register(LedgerLink)
class LedgerLinkAdmin(ReadOnlyAdmin):
    list_display = ("seq", "entry_id", "hash", "previous_hash", "linked_at")
    search_fields = ("=hash",)


@admin.register(LedgerCursor)
class LedgerCursorAdmin(ReadOnlyAdmin):
    list_display = ("reader", "seq", "updated_at")


@admin.register(LedgerCheckpoint)
class LedgerCheckpointAdmin(ReadOnlyAdmin):
    list_display = ("seq", "hash", "key_id", "created_at")
    search_fields = ("=hash", "=key_id")


@admin.register(LedgerVerification)
class LedgerVerificationAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "state", "asked_by_name", "verified", "total", "first_bad_seq", "asked_at")
    list_filter = ("state",)


@admin.register(LoopTick)
class LoopTickAdmin(ReadOnlyAdmin):
    list_display = ("name", "ticked_at")


@admin.register(MissingLabel)
class MissingLabelAdmin(ReadOnlyAdmin):
    list_display = ("gate_check", "reason", "noted_at")
    list_filter = ("reason",)
    list_select_related = ("gate_check",)


@admin.register(DrillResult)
class DrillResultAdmin(ReadOnlyAdmin):
    list_display = ("drill_id", "action_type", "reviewer", "error_kind", "caught", "warm_up", "decided_at")
    list_filter = ("caught", "error_kind")
    list_select_related = ("action_type", "reviewer")


@admin.register(DoubleReview)
class DoubleReviewAdmin(ReadOnlyAdmin):
    list_display = ("gate_check", "action_type", "first_kind", "second_kind", "agreed", "settled_kind")
    list_filter = ("agreed",)
    list_select_related = ("gate_check", "action_type")


@admin.register(Removal)
class RemovalAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "kind", "state", "asked_by_name", "done", "total", "asked_at", "finished_at")
    list_filter = ("kind", "state")
    exclude = ("value", "value_digest")


@admin.register(RemovalTarget)
class RemovalTargetAdmin(ReadOnlyAdmin):
    list_display = ("removal", "kind", "object_id", "removed_at")
    list_select_related = ("removal",)
    search_fields = ("=object_id",)


@admin.register(ScoreBin)
class ScoreBinAdmin(ReadOnlyAdmin):
    list_display = ("action_type", "agent_version", "policy_version", "day", "bin", "n", "labelled", "errors")
    list_filter = ("action_type",)
    list_select_related = ("action_type", "agent_version__agent", "policy_version__action_type")


@admin.register(PastChunk)
class PastChunkAdmin(ReadOnlyAdmin):
    list_display = ("action_type", "agent_version", "number", "size", "first_day", "last_day")
    list_filter = ("action_type",)
    list_select_related = ("action_type", "agent_version__agent")
    exclude = ("columns", "numbers")


@admin.register(ConditionMatch)
class ConditionMatchAdmin(ReadOnlyAdmin):
    list_display = ("chunk_id", "condition_sha256", "size", "asked_at")
    exclude = ("bits",)


@admin.register(WhatIfRun)
class WhatIfRunAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "action_type", "state", "done", "total", "asked_by_name", "asked_at")
    list_filter = ("state",)
    list_select_related = ("action_type",)


@admin.register(AutonomyProposal)
class AutonomyProposalAdmin(ReadOnlyAdmin):
    list_display = (
        "public_id", "action_type", "agent_version", "kind", "to_level", "state", "proposed_by_name",
        "proposed_at", "closed_by_name",
    )  # fmt: skip
    list_filter = ("state", "kind", "to_level")
    list_select_related = ("action_type", "agent_version__agent")
    search_fields = ("=public_id",)


@admin.register(EvidenceTrack)
class EvidenceTrackAdmin(ReadOnlyAdmin):
    list_display = (
        "action_type", "agent_version", "level", "attempt", "started_at", "watermark_seq", "stale",
        "computed_at",
    )  # fmt: skip
    list_filter = ("level", "stale")
    list_select_related = ("action_type", "agent_version__agent")


@admin.register(EvidenceSample)
class EvidenceSampleAdmin(ReadOnlyAdmin):
    list_display = ("seq", "gate_check", "action_type", "agent_version", "drawn", "labelled_seq", "day")
    list_filter = ("drawn",)
    list_select_related = ("gate_check", "action_type", "agent_version__agent")


@admin.register(EvalStanding)
class EvalStandingAdmin(ReadOnlyAdmin):
    list_display = ("agent_version", "run_id", "cases", "failed_corrections", "finished_at")
    list_select_related = ("agent_version__agent",)


@admin.register(TrustLink)
class TrustLinkAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "for_whom", "made_by_name", "made_at", "expires_at", "revoked_at")
    search_fields = ("=public_id",)

"""Addresses of the learning app. Ids have one shape, so that anything else is a plain 404."""

from __future__ import annotations

from django.urls import path, re_path
from django.urls.resolvers import URLPattern, URLResolver

from datasets.views import (
    case_schema,
    cases,
    conversations,
    datasets,
    drills,
    evals,
    exports,
    failures,
    learning,
    privacy,
    redaction,
    schedules,
    versions,
)

app_name = "datasets"

_DATASET = r"(?P<dataset_id>dst_[0-9a-f]{32})"
_VERSION = r"(?P<version_id>dsv_[0-9a-f]{32})"
_FREEZING = r"(?P<freezing_id>frz_[0-9a-f]{32})"
_EXPORT = r"(?P<export_id>exp_[0-9a-f]{32})"
_FILE = r"(?P<name>[A-Za-z0-9._/-]{1,200})"
_SCHEDULE = r"(?P<schedule_id>sch_[0-9a-f]{32})"
_RUN = r"(?P<run_id>evr_[0-9a-f]{32})"
_CASE = r"(?P<case_id>case_[0-9a-f]{32})"
_CHECK = r"(?P<check_id>cck_[0-9a-f]{32})"
_AGENT = r"(?P<agent_id>agt_[0-9a-f]{32})"
_HOLD = r"(?P<hold_id>hld_[0-9a-f]{32})"
_REMOVAL = r"(?P<removal_id>(?:ers|rtn)_[0-9a-f]{32})"
_PROFILE = r"(?P<profile_id>rdp_[0-9a-f]{32})"
_SEED = r"(?P<seed_id>drs_[0-9a-f]{32})"

drill_urls: list[URLPattern | URLResolver] = [
    path("drills/", drills.index, name="drills"),
    re_path(rf"^drills/{_SEED}/$", drills.seed, name="drill"),
    re_path(rf"^drills/{_SEED}/judge/$", drills.judge, name="drill_judge"),
]
dataset_urls: list[URLPattern | URLResolver] = [
    path("datasets/", datasets.index, name="index"),
    path("datasets/new/", datasets.new, name="new"),
    re_path(rf"^datasets/{_DATASET}/$", datasets.detail, name="detail"),
    re_path(rf"^datasets/{_DATASET}/edit/$", datasets.edit, name="edit"),
    re_path(rf"^datasets/{_DATASET}/freeze/$", versions.freeze, name="freeze"),
    re_path(rf"^freezings/{_FREEZING}/progress/$", versions.progress, name="freezing_progress"),
    re_path(rf"^dataset-versions/{_VERSION}/$", versions.detail, name="version"),
]
export_urls: list[URLPattern | URLResolver] = [
    re_path(rf"^dataset-versions/{_VERSION}/export/$", exports.export, name="export"),
    path("exports/", exports.index, name="exports"),
    re_path(rf"^exports/{_EXPORT}/$", exports.detail, name="export_detail"),
    re_path(rf"^exports/{_EXPORT}/progress/$", exports.progress, name="export_progress"),
    re_path(rf"^exports/{_EXPORT}/cancel/$", exports.cancel, name="cancel"),
    re_path(rf"^exports/{_EXPORT}/download/$", exports.download, name="download"),
    re_path(rf"^exports/{_EXPORT}/manifest/$", exports.manifest, name="manifest"),
    re_path(rf"^exports/{_EXPORT}/card/$", exports.card, name="card"),
    re_path(rf"^exports/{_EXPORT}/files/{_FILE}$", exports.file, name="export_file"),
    re_path(rf"^datasets/{_DATASET}/schedules/$", schedules.index, name="schedules"),
    re_path(rf"^export-schedules/{_SCHEDULE}/active/$", schedules.set_active, name="schedule_active"),
    re_path(rf"^export-schedules/{_SCHEDULE}/run/$", schedules.run, name="schedule_run"),
]
case_urls: list[URLPattern | URLResolver] = [
    path("cases/", cases.index, name="cases"),
    path("cases/curate/", cases.curate, name="curate"),
    path("schemas/case-2.json", case_schema.show, name="case_schema"),
    re_path(rf"^cases/{_CASE}/$", cases.detail, name="case"),
    re_path(rf"^cases/{_CASE}/settle/$", cases.settle, name="settle"),
    re_path(rf"^cases/{_CASE}/edit/$", cases.edit, name="case_edit"),
]
redaction_urls: list[URLPattern | URLResolver] = [
    path("redaction/", redaction.index, name="redaction"),
    path("redaction/new/", redaction.new, name="redaction_new"),
    re_path(rf"^redaction/{_PROFILE}/$", redaction.edit, name="redaction_edit"),
    re_path(rf"^redaction/{_PROFILE}/preview/$", redaction.preview, name="redaction_preview"),
]
eval_urls: list[URLPattern | URLResolver] = [
    path("evals/", evals.index, name="evals"),
    re_path(rf"^evals/{_RUN}/$", evals.detail, name="eval"),
    re_path(rf"^evals/{_RUN}/compare/$", evals.compare, name="eval_compare"),
    path("graders/", evals.graders, name="graders"),
    re_path(r"^graders/(?P<name>[A-Za-z0-9_.:/-]{1,120})/$", evals.grader, name="grader"),
    path("learning/", learning.report, name="learning"),
    path("failures/", failures.index, name="failures"),
    path("failures/draft/", failures.draft, name="failure_draft"),
]
privacy_urls: list[URLPattern | URLResolver] = [
    path("conversations/", conversations.index, name="conversations"),
    path("conversations/of/", conversations.of_version, name="conversations_of"),
    re_path(rf"^conversations/{_CHECK}/$", conversations.detail, name="conversation"),
    re_path(rf"^agents/{_AGENT}/conversations/$", conversations.set_share, name="conversation_share"),
    path("privacy/", privacy.index, name="privacy"),
    path("privacy/preview/", privacy.preview, name="erasure_preview"),
    path("privacy/erase/", privacy.erase, name="erase"),
    path("privacy/keeping/", privacy.keeping, name="keeping"),
    path("privacy/holds/", privacy.place_hold, name="hold_place"),
    re_path(rf"^privacy/holds/{_HOLD}/lift/$", privacy.lift_hold, name="hold_lift"),
    re_path(rf"^privacy/{_REMOVAL}/$", privacy.detail, name="removal"),
    re_path(rf"^privacy/{_REMOVAL}/progress/$", privacy.progress, name="removal_progress"),
    re_path(rf"^privacy/{_REMOVAL}/proof/$", privacy.proof, name="removal_proof"),
]
urlpatterns = [
    *privacy_urls,
    *eval_urls,
    *drill_urls,
    *dataset_urls,
    *export_urls,
    *case_urls,
    *redaction_urls,
]

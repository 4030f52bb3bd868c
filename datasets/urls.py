"""Addresses of the learning app. Ids have one shape, so that anything else is a plain 404."""

from __future__ import annotations

from django.urls import path, re_path
from django.urls.resolvers import URLPattern, URLResolver

from datasets.views import cases, datasets, exports

app_name = "datasets"

_DATASET = r"(?P<dataset_id>dst_[0-9a-f]{32})"
_VERSION = r"(?P<version_id>dsv_[0-9a-f]{32})"
_EXPORT = r"(?P<export_id>exp_[0-9a-f]{32})"
_CASE = r"(?P<case_id>case_[0-9a-f]{32})"

dataset_urls: list[URLPattern | URLResolver] = [
    path("datasets/", datasets.index, name="index"),
    re_path(rf"^datasets/{_DATASET}/$", datasets.detail, name="detail"),
    re_path(rf"^datasets/{_DATASET}/freeze/$", datasets.freeze, name="freeze"),
]
export_urls: list[URLPattern | URLResolver] = [
    re_path(rf"^dataset-versions/{_VERSION}/export/$", exports.export, name="export"),
    re_path(rf"^exports/{_EXPORT}/progress/$", exports.progress, name="export_progress"),
    re_path(rf"^exports/{_EXPORT}/cancel/$", exports.cancel, name="cancel"),
    re_path(rf"^exports/{_EXPORT}/download/$", exports.download, name="download"),
    re_path(rf"^exports/{_EXPORT}/manifest/$", exports.manifest, name="manifest"),
]
case_urls: list[URLPattern | URLResolver] = [
    path("cases/", cases.index, name="cases"),
    re_path(rf"^cases/{_CASE}/$", cases.detail, name="case"),
]
urlpatterns = [*dataset_urls, *export_urls, *case_urls]

"""Exports: ask, watch, cancel, take the file."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_POST

from datasets import tasks
from datasets.choices import ExportState
from datasets.exporters import jsonl
from datasets.models import DatasetVersion, Export
from datasets.selectors import exports as questions
from datasets.services import export_files, exporting
from datasets.views.access import ACT, SEE
from datasets.views.datasets import show
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest, is_fragment


@require_POST
@needs_one_of(*ACT)
def export(request: AuthenticatedRequest, version_id: str) -> HttpResponse:
    """Ask for a file of a version; a worker writes it."""
    version = get_object_or_404(DatasetVersion.objects.select_related("dataset"), public_id=version_id)
    wanted = exporting.request(version_id=version_id, requested_by=request.user, now=database_now())
    # After the commit, or the worker would look for a row that is not there yet.
    transaction.on_commit(lambda: tasks.wake(wanted.public_id), robust=True)
    return redirect("datasets:detail", version.dataset.public_id)


@require_GET
@needs_one_of(*SEE)
def progress(request: AuthenticatedRequest, export_id: str) -> HttpResponse:
    """Show how far an export is: a fragment that asks again while there is more to come."""
    export = _export(export_id)
    if not is_fragment(request):
        return redirect("datasets:detail", export.version.dataset.public_id)
    context = {
        "progress": questions.progress(export, now=database_now()),
        "may_act": request.user.has_perm("datasets.export_dataset"),
    }
    response = render(request, "datasets/detail/_export.html", context)
    response.headers["Cache-Control"] = "no-store"
    return response


@require_POST
@needs_one_of(*ACT)
def cancel(request: AuthenticatedRequest, export_id: str) -> HttpResponse:
    """Stop an export."""
    export = _export(export_id)
    try:
        exporting.cancel(export_id=export_id, cancelled_by=request.user, now=database_now())
    except exporting.AlreadyOver as exc:
        messages.error(request, str(exc))
        return show(request, export.version.dataset, status=409)
    return redirect("datasets:detail", export.version.dataset.public_id)


@require_GET
@needs_one_of(*ACT)
def download(request: AuthenticatedRequest, export_id: str) -> HttpResponseBase:
    """Send the finished file."""
    export = _export(export_id)
    return _send(request, export, name=export.file_name, suffix=jsonl.EXTENSION, kind=jsonl.MEDIA_TYPE)


@require_GET
@needs_one_of(*ACT)
def manifest(request: AuthenticatedRequest, export_id: str) -> HttpResponseBase:
    """Send the manifest of a finished file."""
    export = _export(export_id)
    name = export_files.manifest_name(export.public_id)
    return _send(request, export, name=name, suffix="manifest.json", kind="application/json")


def _send(
    request: AuthenticatedRequest, export: Export, *, name: str, suffix: str, kind: str
) -> HttpResponseBase:
    if export.state != ExportState.DONE:
        messages.error(request, "This export is not done, so there is nothing to download.")
        return show(request, export.version.dataset, status=409)
    try:
        file = export_files.open_finished(name)
    except FileNotFoundError:
        raise Http404("The file is not in the export folder any more.") from None
    version = export.version
    title = f"{slugify(version.dataset.name) or version.public_id}-v{version.number}.{suffix}"
    response = FileResponse(file, as_attachment=True, filename=title, content_type=kind)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _export(export_id: str) -> Export:
    return get_object_or_404(Export.objects.select_related("version__dataset"), public_id=export_id)

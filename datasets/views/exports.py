"""Exports: choose, ask, watch, cancel, take the files."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import FileResponse, Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.text import slugify
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets import tasks
from datasets.choices import ExportFormat
from datasets.exporters import registry
from datasets.forms.exports import ExportForm, parse_format
from datasets.models import DatasetVersion, Export
from datasets.selectors import exports as questions
from datasets.services import export_files, export_turns, exporting, option_words
from datasets.views.access import ACT, SEE
from datasets.views.datasets import show
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest, is_fragment
from hitl_site.lib.pagination import InvalidCursor

_MANIFEST_TYPE = "application/json"
_CARD_TYPE = "text/markdown; charset=utf-8"


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(*ACT)
def export(request: AuthenticatedRequest, version_id: str) -> HttpResponse:
    """Choose a format and its options; a POST asks for the file, and a worker writes it."""
    version = get_object_or_404(DatasetVersion.objects.select_related("dataset"), public_id=version_id)
    given = request.POST if request.method == "POST" else request.GET
    format = parse_format(given.get("format"))
    if format is None:
        raise Http404("There is no such format.")
    if request.method != "POST":
        return _choose(request, version, ExportForm(format=format, version=version))
    form = ExportForm(request.POST, format=format, version=version)
    if not form.is_valid():
        return _choose(request, version, form, status=422)
    try:
        wanted = exporting.request(
            version_id=version_id,
            order=form.export_order(),
            requested_by=request.user,
            now=database_now(),
        )
    except exporting.UnableToExport as exc:
        form.add_error(exc.field if exc.field in form.fields else None, str(exc))
        return _choose(request, version, form, status=422)
    # After the commit, or the worker would look for a row that is not there yet.
    transaction.on_commit(lambda: tasks.wake(wanted.public_id), robust=True)
    return redirect("datasets:detail", version.dataset.public_id)


def _choose(
    request: AuthenticatedRequest, version: DatasetVersion, form: ExportForm, status: int = 200
) -> HttpResponse:
    formats = [ExportFormat(name) for name in registry.formats()]
    context = {
        "version": version,
        "dataset": version.dataset,
        "form": form,
        "formats": formats,
        "bar_title": gettext("Exports"),
    }
    return render(request, "datasets/exports/new.html", context, status=status)


@require_GET
@needs_one_of(*SEE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List all exports, newest first, those under way with their progress."""
    try:
        page = questions.page(cursor=request.GET.get("after") or request.GET.get("before"))
    except InvalidCursor:
        return redirect("datasets:exports")
    now = database_now()
    context = {
        "page": page,
        "exports": [questions.progress(export, now=now) for export in page.items],
        "may_act": request.user.has_perm("datasets.export_dataset"),
        "bar_title": gettext("Exports"),
    }
    return render(request, "datasets/exports/index.html", context)


@require_GET
@needs_one_of(*SEE)
def detail(request: AuthenticatedRequest, export_id: str) -> HttpResponse:
    """Show an export: how far it is, what was asked for, its files, its manifest."""
    return _show(request, _export(export_id))


def _show(request: AuthenticatedRequest, export: Export, status: int = 200) -> HttpResponse:
    context = {
        "export": export,
        "dataset": export.version.dataset,
        "progress": questions.progress(export, now=database_now()),
        "place": export_turns.destination_of(export),
        "options": option_words.chosen(export.format, export.options),
        "may_act": request.user.has_perm("datasets.export_dataset"),
        "bar_title": gettext("Exports"),
    }
    return render(request, "datasets/exports/detail.html", context, status=status)


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
    """Send the finished file; of a folder, show what there is."""
    export = _export(export_id)
    found = questions.progress(export, now=database_now())
    data = [file for file in found.files if not file.is_card]
    if len(data) != 1 or "/" in data[0].name:
        return (
            _refuse(request, export) if not found.is_here else redirect("datasets:export_detail", export_id)
        )
    ending = export.file_name.partition(".")[2]
    kind = str((export.manifest or {}).get("media_type", "application/octet-stream"))
    return _send(request, export, name=data[0].name, suffix=ending, kind=kind)


@require_GET
@needs_one_of(*ACT)
def file(request: AuthenticatedRequest, export_id: str, name: str) -> HttpResponseBase:
    """Send one file of a finished export: one that its manifest names, and no other."""
    export = _export(export_id)
    found = questions.progress(export, now=database_now())
    wanted = next((file for file in found.files if file.name == name), None)
    if wanted is None:
        raise Http404("There is no such file in this export.")
    suffix = name.partition("/")[2].replace("/", "-") or name.partition(".")[2]
    return _send(request, export, name=wanted.name, suffix=suffix, kind="application/octet-stream")


@require_GET
@needs_one_of(*ACT)
def manifest(request: AuthenticatedRequest, export_id: str) -> HttpResponseBase:
    """Send the manifest of a finished export."""
    export = _export(export_id)
    name = export_files.manifest_name(export.public_id)
    return _send(request, export, name=name, suffix="manifest.json", kind=_MANIFEST_TYPE)


@require_GET
@needs_one_of(*ACT)
def card(request: AuthenticatedRequest, export_id: str) -> HttpResponseBase:
    """Send the data card of a finished export."""
    export = _export(export_id)
    name = export_files.card_name(export.public_id)
    return _send(request, export, name=name, suffix="card.md", kind=_CARD_TYPE)


def _send(
    request: AuthenticatedRequest, export: Export, *, name: str, suffix: str, kind: str
) -> HttpResponseBase:
    if not questions.progress(export, now=database_now()).can_be_downloaded:
        return _refuse(request, export)
    try:
        file = export_files.open_finished(name)
    except FileNotFoundError:
        raise Http404("The file is not in the export folder any more.") from None
    exporting.record_download(export=export, file_name=name, by=request.user, now=database_now())
    version = export.version
    title = f"{slugify(version.dataset.name) or version.public_id}-v{version.number}.{suffix}"
    response = FileResponse(file, as_attachment=True, filename=title, content_type=kind)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _refuse(request: AuthenticatedRequest, export: Export) -> HttpResponse:
    if questions.progress(export, now=database_now()).can_be_downloaded:
        told = gettext("The data is not here: it went to {place}.")
        messages.error(request, told.format(place=export_turns.destination_of(export)))
        return _show(request, export, status=409)
    messages.error(request, gettext("This export is not done, so there is nothing to download."))
    return show(request, export.version.dataset, status=409)


def _export(export_id: str) -> Export:
    found = Export.objects.select_related("version__dataset", "since_version", "schedule")
    return get_object_or_404(found, public_id=export_id)

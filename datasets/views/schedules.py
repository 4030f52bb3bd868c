"""Pages of export schedules: those of a dataset, a new one, pause, run now."""

from __future__ import annotations

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from datasets import tasks
from datasets.choices import ExportFormat
from datasets.exporters import registry
from datasets.forms.exports import ScheduleForm, parse_format
from datasets.models import Dataset, ExportSchedule
from datasets.selectors import exports as questions
from datasets.services import exporting, schedules
from datasets.views.access import ACT, SEE
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(*SEE)
def index(request: AuthenticatedRequest, dataset_id: str) -> HttpResponseBase:
    """Show a dataset's schedules; a POST makes one."""
    dataset = get_object_or_404(Dataset, public_id=dataset_id)
    given = request.POST if request.method == "POST" else request.GET
    format = parse_format(given.get("format"))
    if format is None:
        raise Http404("There is no such format.")
    if request.method == "POST":
        return _create(request, dataset, format)
    return _show(request, dataset, _form(None, dataset, format))


@needs_one_of(*ACT)
def _create(request: AuthenticatedRequest, dataset: Dataset, format: ExportFormat) -> HttpResponse:
    form = _form(request, dataset, format)
    if form.is_valid():
        try:
            schedules.create(
                dataset_id=dataset.public_id, plan=form.plan(), created_by=request.user, now=database_now()
            )
        except exporting.UnableToExport as exc:
            form.add_error(exc.field if exc.field in form.fields else None, str(exc))
        else:
            messages.success(request, gettext("The schedule stands."))
            return redirect("datasets:schedules", dataset.public_id)
    return _show(request, dataset, form, status=422)


@require_POST
@needs_one_of(*ACT)
def set_active(request: AuthenticatedRequest, schedule_id: str) -> HttpResponse:
    """Pause a schedule, or let it go on."""
    schedule = _schedule(schedule_id)
    active = request.POST.get("active") == "1"
    schedules.set_active(schedule_id=schedule_id, active=active, by=request.user, now=database_now())
    return redirect("datasets:schedules", schedule.dataset.public_id)


@require_POST
@needs_one_of(*ACT)
def run(request: AuthenticatedRequest, schedule_id: str) -> HttpResponse:
    """Run a schedule now."""
    schedule = _schedule(schedule_id)
    outcome = schedules.run_now(schedule_id=schedule_id, by=request.user, now=database_now())
    if outcome.export is not None:
        export_id = outcome.export.public_id
        transaction.on_commit(lambda: tasks.wake(export_id), robust=True)
        told = gettext("Version {number} is being exported.")
        messages.success(request, told.format(number=outcome.export.version.number))
    elif outcome.error:
        messages.error(request, outcome.error)
    else:
        messages.info(request, gettext("No export was made: {why}.").format(why=gettext(outcome.note)))
    return redirect("datasets:schedules", schedule.dataset.public_id)


def _form(request: AuthenticatedRequest | None, dataset: Dataset, format: ExportFormat) -> ScheduleForm:
    splits = {"split": 1} if (dataset.choices or {}).get("split") else {}
    return ScheduleForm(None if request is None else request.POST, format=format, splits=splits)


def _show(
    request: AuthenticatedRequest, dataset: Dataset, form: ScheduleForm, status: int = 200
) -> HttpResponse:
    context = {
        "dataset": dataset,
        "schedules": questions.schedules(dataset),
        "form": form,
        "formats": [ExportFormat(name) for name in registry.formats()],
        "may_act": request.user.has_perm("datasets.export_dataset"),
        "bar_title": gettext("Exports"),
    }
    return render(request, "datasets/exports/schedules.html", context, status=status)


def _schedule(schedule_id: str) -> ExportSchedule:
    return get_object_or_404(ExportSchedule.objects.select_related("dataset"), public_id=schedule_id)

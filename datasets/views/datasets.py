"""Pages of datasets: the list, one dataset, freezing."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.forms.datasets import DatasetForm
from datasets.models import Dataset
from datasets.selectors import cases
from datasets.selectors import datasets as questions
from datasets.services import datasets as acts
from datasets.services import freezing
from datasets.views.access import ACT, SEE
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(*SEE)
def index(request: AuthenticatedRequest) -> HttpResponseBase:
    """List the datasets; a POST makes one."""
    if request.method == "POST":
        return _create(request)
    return _index(request, DatasetForm(action_types=cases.action_type_names()))


@needs_one_of(*ACT)
def _create(request: AuthenticatedRequest) -> HttpResponse:
    form = DatasetForm(request.POST, action_types=cases.action_type_names())
    if form.is_valid():
        try:
            dataset = acts.create_dataset(
                name=form.cleaned_data["name"],
                description=form.cleaned_data["description"],
                selection=form.selection(),
                created_by=request.user,
                now=database_now(),
            )
        except acts.UnableToCreate as exc:
            form.add_error("name", str(exc))
        else:
            messages.success(request, f"Created {dataset.name}.")
            return redirect("datasets:detail", dataset.public_id)
    return _index(request, form, status=422)


def _index(request: AuthenticatedRequest, form: DatasetForm, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "datasets": questions.index(),
        "labels": questions.all_labels(),
        "may_act": request.user.has_perm("datasets.export_dataset"),
    }
    return render(request, "datasets/index/page.html", context, status=status)


@require_GET
@needs_one_of(*SEE)
def detail(request: AuthenticatedRequest, dataset_id: str) -> HttpResponse:
    """Show a dataset: what it takes, its versions and their exports."""
    return show(request, get_object_or_404(Dataset, public_id=dataset_id))


@require_POST
@needs_one_of(*ACT)
def freeze(request: AuthenticatedRequest, dataset_id: str) -> HttpResponse:
    """Freeze what the dataset takes now."""
    dataset = get_object_or_404(Dataset, public_id=dataset_id)
    try:
        frozen = freezing.freeze(dataset_id=dataset_id, frozen_by=request.user, now=database_now())
    except freezing.UnableToFreeze as exc:
        messages.error(request, str(exc))
        return show(request, dataset, status=409)
    if frozen.created:
        messages.success(request, f"Frozen as version {frozen.version.number}.")
    else:
        messages.info(request, f"No new cases: version {frozen.version.number} has them all.")
    return redirect("datasets:detail", dataset_id)


def show(request: AuthenticatedRequest, dataset: Dataset, status: int = 200) -> HttpResponse:
    """Render the page of a dataset, also as the answer to what could not be done there."""
    context = {
        "dataset": dataset,
        "growth": questions.growth(dataset),
        "versions": questions.versions(dataset, now=database_now()),
        "may_act": request.user.has_perm("datasets.export_dataset"),
    }
    return render(request, "datasets/detail/page.html", context, status=status)

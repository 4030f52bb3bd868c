"""Pages of datasets: the list, one dataset, and the form that makes or changes one."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods

from datasets.forms.datasets import DatasetForm
from datasets.models import Dataset
from datasets.selectors import datasets as questions
from datasets.selectors.facets import facets
from datasets.selectors.late_truth import late_truth
from datasets.services import datasets as acts
from datasets.services import redaction
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
    context = {
        "datasets": questions.index(),
        "late_truth": late_truth(),
        "may_act": request.user.has_perm("datasets.export_dataset"),
        "bar_title": gettext("Datasets"),
    }
    return render(request, "datasets/index/page.html", context)


@require_GET
@needs_one_of(*ACT)
def new(request: AuthenticatedRequest) -> HttpResponse:
    """Show the form of a new dataset."""
    return _form_page(request, DatasetForm(facets=facets(), profiles=_profile_names()))


@needs_one_of(*ACT)
def _create(request: AuthenticatedRequest) -> HttpResponse:
    form = DatasetForm(request.POST, facets=facets(), profiles=_profile_names())
    if form.is_valid() and "preview" not in request.POST:
        try:
            dataset = acts.create_dataset(
                name=form.cleaned_data["name"],
                description=form.cleaned_data["description"],
                selection=form.selection(),
                choices=form.choices(),
                redaction=form.redaction_name(),
                created_by=request.user,
                now=database_now(),
            )
        except acts.UnableToCreate as exc:
            form.add_error("name", str(exc))
        else:
            messages.success(request, gettext("Created {name}.").format(name=dataset.name))
            return redirect("datasets:detail", dataset.public_id)
    return _form_page(request, form)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(*ACT)
def edit(request: AuthenticatedRequest, dataset_id: str) -> HttpResponse:
    """Change what a dataset takes and what is made of it; its versions stay as they are."""
    dataset = get_object_or_404(Dataset.objects.select_related("redaction"), public_id=dataset_id)
    data = request.POST if request.method == "POST" else None
    form = DatasetForm(data, facets=facets(), profiles=_profile_names(), dataset=dataset)
    if form.is_valid() and "preview" not in request.POST:
        try:
            acts.change_dataset(
                dataset_id=dataset_id,
                description=form.cleaned_data["description"],
                selection=form.selection(),
                choices=form.choices(),
                redaction=form.redaction_name(),
                changed_by=request.user,
                now=database_now(),
            )
        except acts.UnableToCreate as exc:
            form.add_error(None, str(exc))
        else:
            messages.success(request, gettext("Saved. The next version is frozen this way."))
            return redirect("datasets:detail", dataset_id)
    return _form_page(request, form, dataset)


@require_GET
@needs_one_of(*SEE)
def detail(request: AuthenticatedRequest, dataset_id: str) -> HttpResponse:
    """Show a dataset: what it takes, its versions and their exports."""
    return show(request, get_object_or_404(Dataset, public_id=dataset_id))


def show(request: AuthenticatedRequest, dataset: Dataset, status: int = 200) -> HttpResponse:
    """Render the page of a dataset, also as the answer to what could not be done there."""
    context = {
        "dataset": dataset,
        "growth": questions.growth(dataset),
        "freezing": questions.freezing(dataset),
        "versions": questions.versions(dataset, now=database_now()),
        "may_act": request.user.has_perm("datasets.export_dataset"),
        "bar_title": gettext("Datasets"),
    }
    return render(request, "datasets/detail/page.html", context, status=status)


def _profile_names() -> list[str]:
    """Return the names of the redaction profiles. The first look makes the one that everybody needs."""
    redaction.default_profile(now=database_now())
    return questions.profile_names()


def _form_page(
    request: AuthenticatedRequest, form: DatasetForm, dataset: Dataset | None = None
) -> HttpResponse:
    """Render the form; with what it takes where that was asked for and can be said."""
    valid = form.is_bound and not form.errors
    context = {
        "form": form,
        "dataset": dataset,
        "preview": questions.taken_now(form.selection(), form.choices()) if valid else None,
        "bar_title": gettext("Datasets"),
    }
    status = 422 if form.is_bound and not valid else 200
    return render(request, "datasets/edit/page.html", context, status=status)

"""Versions of a dataset: freezing one, watching it being made, looking at it."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from datasets.choices import FreezingState
from datasets.models import Dataset, DatasetVersion, Freezing
from datasets.selectors import version_page
from datasets.selectors.datasets import FreezingView
from datasets.services import freezing, freezings
from datasets.views.access import ACT, SEE
from datasets.views.datasets import show
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest, is_fragment
from hitl_site.lib.pagination import InvalidCursor


@require_POST
@needs_one_of(*ACT)
def freeze(request: AuthenticatedRequest, dataset_id: str) -> HttpResponse:
    """Freeze what the dataset takes now; a large version is left to a worker."""
    dataset = get_object_or_404(Dataset, public_id=dataset_id)
    try:
        answer = freezings.ask(dataset_id=dataset_id, asked_by=request.user, now=database_now())
    except freezing.UnableToFreeze as exc:
        messages.error(request, str(exc))
        return show(request, dataset, status=409)
    if isinstance(answer, Freezing):
        said = gettext("A worker is freezing this dataset. The version appears when it is whole.")
        messages.info(request, said)
    elif answer.created:
        said = gettext("Frozen as version {number}.")
        messages.success(request, said.format(number=answer.version.number))
    else:
        said = gettext("No new cases: version {number} has them all.")
        messages.info(request, said.format(number=answer.version.number))
    return redirect("datasets:detail", dataset_id)


@require_GET
@needs_one_of(*SEE)
def progress(request: AuthenticatedRequest, freezing_id: str) -> HttpResponse:
    """Show how far a large version is: a fragment that asks again while there is more to come."""
    jobs = Freezing.objects.select_related("dataset", "version")
    job = get_object_or_404(jobs, public_id=freezing_id)
    if not is_fragment(request):
        return redirect("datasets:detail", job.dataset.public_id)
    view = FreezingView(freezing=job, under_way=job.state == FreezingState.REQUESTED)
    response = render(request, "datasets/detail/_freezing.html", {"view": view})
    response.headers["Cache-Control"] = "no-store"
    return response


@require_GET
@needs_one_of(*SEE)
def detail(request: AuthenticatedRequest, version_id: str) -> HttpResponse:
    """Show a version: its facts, its balance, and its cases or what is different since the last one."""
    versions = DatasetVersion.objects.select_related("dataset", "redaction")
    version = get_object_or_404(versions, public_id=version_id)
    kind = request.GET.get("show", version_page.ALL)
    if kind not in version_page.TITLES:
        raise BadRequest("There is no such list of cases.")
    try:
        page = version_page.members(
            version, kind=kind, cursor=request.GET.get("after") or request.GET.get("before")
        )
    except InvalidCursor:
        # An old bookmark: the first page is what it asks for now.
        return redirect(f"{reverse('datasets:version', args=[version_id])}?show={kind}")
    context = {
        "view": version_page.view(version, kind=kind),
        "page": page,
        "kind": kind,
        "bar_title": gettext("Datasets"),
    }
    return render(request, "datasets/version/page.html", context)

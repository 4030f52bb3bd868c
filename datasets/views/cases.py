"""Pages of labelled cases: the list and one case."""

from __future__ import annotations

from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from datasets.choices import Label, LabelSource, LabelStrength
from datasets.forms import CaseFilterForm
from datasets.models import LabelledCase
from datasets.selectors import case_page, cases
from datasets.views.access import SEE, needs_one_of
from hitl_site.lib.http import AuthenticatedRequest
from hitl_site.lib.pagination import InvalidCursor


@require_GET
@needs_one_of(*SEE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List the cases, newest first, a page at a time."""
    form = CaseFilterForm(request.GET)
    if not form.is_valid():
        raise BadRequest("There is no such filter.")
    where = form.filters()
    try:
        page = cases.page(where=where, cursor=request.GET.get("after") or request.GET.get("before"))
    except InvalidCursor:
        # An old bookmark: the first page is what it asks for now.
        query = request.GET.copy()
        query.pop("after", None)
        query.pop("before", None)
        return redirect(f"{reverse('datasets:cases')}?{query.urlencode()}")
    context = {
        "page": page,
        "where": where,
        "filtered": bool(where.conditions()),
        "action_types": cases.action_type_names(),
        "agents": cases.agent_names(),
        "labels": Label.choices,
        "sources": LabelSource.choices,
        "strengths": LabelStrength.choices,
    }
    return render(request, "datasets/cases/page.html", context)


@require_GET
@needs_one_of(*SEE)
def detail(request: AuthenticatedRequest, case_id: str) -> HttpResponse:
    """Show one case: proposal beside truth, and every fact that is known of it."""
    case = get_object_or_404(LabelledCase, public_id=case_id)
    return render(request, "datasets/case/page.html", {"view": case_page.view(case)})

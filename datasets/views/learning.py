"""The report of the learning loop."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from datasets.selectors import learning
from datasets.views.access import SEE
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.http import AuthenticatedRequest


@require_GET
@needs_one_of(*SEE)
def report(request: AuthenticatedRequest) -> HttpResponse:
    """Say per action type what was collected, what became of it, and what a new version made of it."""
    return render(
        request,
        "datasets/learning/page.html",
        {"rows": learning.report(), "bar_title": gettext("What was learned")},
    )

"""The page of the ledger: who did what, when, and whether the record holds."""

from __future__ import annotations

from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from hitl_site.lib import pagination
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.http import AuthenticatedRequest
from policies.forms.ledger import LedgerFilterForm
from policies.selectors import ledger as questions
from policies.services import ledger

PAGE = 50


@require_GET
@needs_one_of("policies.view_ledgerentry")
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List the linked entries, newest first, a page at a time, with every hash on the page checked."""
    form = LedgerFilterForm(request.GET)
    if not form.is_valid():
        raise BadRequest("There is no such filter.")
    filters = form.filters()
    try:
        page = pagination.page(
            questions.matching(filters),
            order_by=["-seq"],
            limit=PAGE,
            scope=f"ledger?{filters}",
            cursor=request.GET.get("after") or request.GET.get("before"),
        )
    except pagination.InvalidCursor:
        # An old bookmark: the first page is what it asks for now.
        query = request.GET.copy()
        query.pop("after", None)
        query.pop("before", None)
        return redirect(f"{reverse('policies:ledger')}?{query.urlencode()}")
    context = {
        "page": page,
        "problems": ledger.problems_of(page.items),
        "form": form,
        "filtered": any(form.cleaned_data.values()),
        "last": questions.last_link(),
        "bar_title": "Audit log",
    }
    return render(request, "policies/ledger/page.html", context)

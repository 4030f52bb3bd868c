"""The page on which the chain is recomputed: ask for it, watch it, read what it found."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest, is_fragment
from hitl_site.lib.jobs import hint
from policies.models import LedgerCheckpoint, LedgerVerification
from policies.services import verifications
from policies.views.ledger import RIGHT

# The name of the task in policies.tasks: a hint, the row is the work.
TASK = "policies.verify_ledger"
SHOWN = 10


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(RIGHT)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """Show the latest runs; a POST asks for one, or finds the one under way."""
    if request.method == "POST":
        asked = verifications.request(asked_by=request.user, now=database_now())
        hint(TASK, verification_id=asked.public_id)
        return redirect("policies:ledger_verify")
    context = {
        "verifications": LedgerVerification.objects.order_by("-id")[:SHOWN],
        "checkpoint": LedgerCheckpoint.objects.order_by("-seq").first(),
        "bar_title": gettext("Verify the ledger"),
    }
    return render(request, "policies/ledger/verify.html", context)


@require_GET
@needs_one_of(RIGHT)
def progress(request: AuthenticatedRequest, verification_id: str) -> HttpResponse:
    """Show how far a run is: a fragment that asks again while there is more to come."""
    verification = get_object_or_404(LedgerVerification, public_id=verification_id)
    if not is_fragment(request):
        return redirect("policies:ledger_verify")
    response = render(request, "policies/ledger/_verification.html", {"verification": verification})
    response["Cache-Control"] = "no-store"
    return response

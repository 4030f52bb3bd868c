"""Holding an item while one works on it, and telling that one is still there. Scripts ask; forms may too."""

from __future__ import annotations

from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from hitl_site.templatetags.handrail import iso
from reviews.forms import SeenForm
from reviews.services import attention, claims
from reviews.views.access import for_reviewers, wants_json


@for_reviewers
@require_POST
def claim(request: AuthenticatedRequest, item_id: str) -> HttpResponse:
    """Hold the item, or hold it longer. ``take_over`` takes it from somebody else."""
    try:
        item = claims.claim(
            item_id=item_id,
            reviewer=request.user,
            now=database_now(),
            take_over=request.POST.get("take_over") == "yes",
        )
    except claims.UnableToClaim as problem:
        if not wants_json(request):
            return redirect("reviews:review", item_id=item_id)  # the page says who holds it
        status = 410 if isinstance(problem, claims.ItemClosed) else 409
        return JsonResponse({"detail": str(problem)}, status=status)
    if not wants_json(request):
        return redirect("reviews:review", item_id=item_id)
    return JsonResponse({"lease_until": iso(item.lease_expires_at)})


@for_reviewers
@require_POST
def release(request: AuthenticatedRequest, item_id: str) -> HttpResponse:
    """Let go of the item."""
    claims.release(item_id=item_id, reviewer=request.user)
    return HttpResponse(status=204) if wants_json(request) else redirect("reviews:inbox")


@for_reviewers
@require_POST
def attend(request: AuthenticatedRequest, item_id: str) -> HttpResponse:
    """Note that the person is there, and what they have seen."""
    seen = SeenForm(request.POST)
    if not seen.is_valid():
        return JsonResponse({"detail": gettext("This page was not opened here.")}, status=422)
    try:
        attention.note(
            token=seen.cleaned_data["token"],
            item_id=item_id,
            reviewer=request.user,
            arguments_seen=seen.cleaned_data["seen_end"],
            parts_opened=seen.parts_opened,
            editing=seen.cleaned_data["editing"],
            now=database_now(),
        )
    except attention.UnknownOpening as problem:
        return JsonResponse({"detail": str(problem)}, status=422)
    return HttpResponse(status=204)

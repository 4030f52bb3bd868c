"""Taking a permit back, in two steps: the page that asks why, and the act."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_http_methods

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.models import Permit
from reviews.selectors import inbox
from reviews.services import permits, rights


class RevocationForm(forms.Form):
    """Why a permit is taken back."""

    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=2000,
        widget=forms.Textarea(attrs={"class": "textarea", "rows": 3}),
        help_text=gettext_lazy("Others will read it."),
    )


@needs_one_of(rights.STOP)
@require_http_methods(["GET", "HEAD", "POST"])
def revoke(request: AuthenticatedRequest, permit_id: str) -> HttpResponse:
    """Ask why, then take the permit back. One that was used meanwhile is told so."""
    permit = Permit.objects.select_related("action__agent").filter(public_id=permit_id).first()
    if permit is None or not inbox.may_look(request.user):
        raise Http404(gettext("There is no such permit."))
    form = RevocationForm(request.POST if request.method == "POST" else None)
    status = 200
    if form.is_bound:
        status = 422
        if form.is_valid():
            try:
                permits.revoke(
                    permit_id=permit_id,
                    reason=form.cleaned_data["reason"],
                    actor=request.user,
                    now=database_now(),
                )
            except (permits.UnableToRevoke, rights.NotAllowed) as problem:
                form.add_error(None, str(problem))
                status = 403 if isinstance(problem, rights.NotAllowed) else 409
            else:
                messages.success(request, gettext("The permit is revoked: nothing runs on it."))
                return redirect("reviews:action", permit.action.public_id)
    context = {"form": form, "permit": permit, "bar_title": gettext("Revoke a permit")}
    return render(request, "reviews/permit_revoke/page.html", context, status=status)

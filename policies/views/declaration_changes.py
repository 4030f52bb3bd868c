"""Pages of changes to a declaration that wait: what one loosens, who stands for it, what people answer."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.choices import PublicationState
from policies.forms.agents import ReasonForm
from policies.models import DeclarationChange
from policies.selectors import declaration_changes as found
from policies.selectors import people
from policies.selectors.change_words import field_in_words
from policies.services import declaration_changes as acts
from policies.views.action_types import MANAGE, SEE

REFUSED = (acts.AlreadyCounted, acts.ChangedMeanwhile, acts.NotAllowed, acts.NotWaiting)


@require_GET
@needs_one_of(*SEE)
def show(request: AuthenticatedRequest, change_id: str) -> HttpResponse:
    """Show one change: before and after, what loosens, who stands for it, who is missing."""
    return _page(request, _change(change_id))


@require_POST
@needs_one_of(MANAGE)
def approve(request: AuthenticatedRequest, change_id: str) -> HttpResponse:
    """Stand for the change that was read."""
    change = _change(change_id)
    return _answer(
        request,
        change,
        lambda: acts.approve(
            change=change,
            person=request.user,
            content_sha256=request.POST.get("content_sha256", ""),
            now=database_now(),
        ),
    )


@require_POST
@needs_one_of(MANAGE)
def withdraw(request: AuthenticatedRequest, change_id: str) -> HttpResponse:
    """Take a change back."""
    change = _change(change_id)
    form = ReasonForm(request.POST, prefix="withdraw")
    if not form.is_valid():
        return _page(request, change, withdrawal=form, status=422)
    return _answer(
        request,
        change,
        lambda: acts.withdraw(
            change=change, person=request.user, reason=form.cleaned_data["reason"], now=database_now()
        ),
    )


def _change(change_id: str) -> DeclarationChange:
    change = found.by_id(change_id)
    if change is None:
        raise Http404("There is no such change.")
    return change


def _answer(
    request: AuthenticatedRequest, change: DeclarationChange, act: Callable[[], DeclarationChange]
) -> HttpResponse:
    try:
        done = act()
    except REFUSED as problem:
        return _page(request, _change(change.public_id), problem=str(problem), status=409)
    name = done.action_type.name
    if done.state == PublicationState.OPEN:
        told = gettext("You stand for the change to {name}. It waits for somebody else.")
        messages.info(request, told.format(name=name))
        return redirect("policies:declaration_change", done.public_id)
    told = (
        gettext("The change to {name} is in force.")
        if done.state == PublicationState.DONE
        else gettext("The change to {name} is withdrawn.")
    )
    messages.success(request, told.format(name=name))
    return redirect("policies:action_type", name)


def _page(
    request: AuthenticatedRequest,
    change: DeclarationChange,
    *,
    withdrawal: ReasonForm | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    stands = found.standing(change, managers=people.managers_among(found.people_of(change)))
    context = {
        "change": change,
        "action_type": change.action_type,
        "fields": [
            (field_in_words(field), change.before[field], value) for field, value in change.after.items()
        ],
        "stands": stands,
        "is_open": change.state == PublicationState.OPEN,
        "counts_already": stands.includes(request.user),
        "may_manage": request.user.has_perm(MANAGE),
        "withdrawal": withdrawal or ReasonForm(prefix="withdraw"),
        "problem": problem,
        "bar_title": gettext("Policies"),
    }
    return render(request, "policies/declaration_change/page.html", context, status=status)

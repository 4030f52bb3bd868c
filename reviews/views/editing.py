"""Changing the form: its buttons, its two editors, the live diff, and the draft that keeps it all."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.http import require_POST

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest, is_fragment
from reviews import schema_form
from reviews.selectors import edits
from reviews.selectors.edits import Edit
from reviews.selectors.workspace import Workspace
from reviews.services import attention
from reviews.views import conflicts, pages
from reviews.views.access import for_reviewers

_SAID = {
    "add": gettext_noop("Entry added."),
    "remove": gettext_noop("Entry removed."),
    "up": gettext_noop("Entry moved up."),
    "down": gettext_noop("Entry moved down."),
    "reset": gettext_noop("Back to the agent's version."),
    "choose": gettext_noop("Fields changed."),
}


@for_reviewers
@require_POST
def diff(request: AuthenticatedRequest, item_id: str) -> HttpResponse:
    """Keep the draft and show what would run."""
    now = database_now()
    shown = pages.load(request, item_id, now=now, posted=pages.posted_fields(request))
    keep(request, shown, now=now)
    if not is_fragment(request):
        return redirect(_back(request, shown, "diff", now=now))
    return pages.part(request, "diff", shown, now=now)


def redraw(request: AuthenticatedRequest, shown: Workspace, *, now: datetime) -> HttpResponse:
    """Do what a button of the form says: the draft holds the result, so that a plain browser may reload it.

    What cannot be read stays as it was typed, and has to be put right first.
    """
    operation = request.POST.get("op", "")
    if not shown.may_decide:
        notice = conflicts.notice_of_ending(shown, now=now)
        return pages.answer(request, shown, now=now, notice=notice, status=409)
    if shown.edit.errors and not operation.startswith("reset:"):
        complaints = pages.complaints_of(shown, shown.edit.errors)
        if is_fragment(request):
            return pages.editor(request, shown, now=now, errors=complaints)
        return pages.answer(request, shown, now=now, errors=complaints, status=422)
    edit = _after(shown, operation)
    fields = edits.fields_of(edit, shown.proposed)
    attention.save_draft(item_id=shown.item.public_id, reviewer=request.user, form=fields, now=now)
    if not is_fragment(request):
        return redirect(_back(request, shown, "editor", now=now))
    redrawn = pages.load(request, shown.item.public_id, now=now, posted=fields)
    said = _SAID.get(operation.partition(":")[0])
    return pages.editor(request, redrawn, now=now, said=gettext(said) if said else "")


def keep(request: AuthenticatedRequest, shown: Workspace, *, now: datetime) -> None:
    """Keep what was typed. What is too large for a draft is still on the page."""
    if not shown.may_decide:
        return
    with suppress(attention.DraftTooLarge):
        attention.save_draft(
            item_id=shown.item.public_id, reviewer=request.user, form=pages.posted_fields(request), now=now
        )


def _back(request: AuthenticatedRequest, shown: Workspace, place: str, *, now: datetime) -> str:
    return f"{pages.address_of(shown)}{pages.query_of(pages.way_of(request, now=now))}#{place}"


def _after(shown: Workspace, operation: str) -> Edit:
    edit = shown.edit
    if operation == "tab:json":
        return replace(edit, editor="json", json_text=schema_form.pretty(edit.value))
    if operation == "tab:form":
        return replace(edit, editor="form")
    value = schema_form.apply_operation(shown.schema, edit.value, operation, proposed=shown.proposed)
    return replace(edit, value=value, editor="form", raw={}, errors=())

"""The page of a draft: writing the next version of a policy."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.engine.policy import PolicyDocument
from policies.forms.policy_editor import PolicyEditor
from policies.forms.sliders import Stake, sliders_of
from policies.models import ActionType, PolicyVersion
from policies.selectors import policies as questions
from policies.services import policies as acts
from policies.services.rights import acting
from policies.views.action_types import MANAGE


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(MANAGE)
def edit(request: AuthenticatedRequest, name: str) -> HttpResponse:
    """Write the draft of the next version."""
    action_type = get_object_or_404(ActionType, name=name)
    draft = questions.draft_version(action_type)
    if request.method != "POST":
        return _editor(request, action_type, _filled(action_type, draft))
    editor = PolicyEditor.of_post(request.POST)
    redrawn = editor.redrawn()
    if redrawn is not None:
        return _editor(request, action_type, redrawn, status=422 if redrawn.faults else 200)
    document = editor.document()
    if document is None:
        return _editor(request, action_type, editor, status=422)
    if editor.draft.cleaned_data["seen"] != _state(draft):
        return _conflict(request, action_type, editor, draft)
    try:
        with acting(request.user, MANAGE):
            acts.save_draft(
                action_type=action_type,
                document=document,
                author=request.user,
                reason=editor.draft.cleaned_data["reason"],
                now=database_now(),
            )
    except acts.InvalidPolicy as invalid:
        editor.add_faults(invalid)
        return _editor(request, action_type, editor, status=422)
    return redirect("policies:publish", name)


def _filled(action_type: ActionType, draft: PolicyVersion | None) -> PolicyEditor:
    start = draft or questions.live_version(action_type)
    document = questions.live_document(start) if start else PolicyDocument()
    return PolicyEditor.of_document(document, reason=draft.reason if draft else "", seen=_state(draft))


def _state(draft: PolicyVersion | None) -> str:
    return draft.content_sha256 if draft else ""


def _conflict(
    request: AuthenticatedRequest, action_type: ActionType, editor: PolicyEditor, draft: PolicyVersion | None
) -> HttpResponse:
    if draft is not None:
        told = gettext(
            "{name} saved another draft while you worked on it. What you typed is below: save it again to "
            "replace theirs."
        ).format(name=draft.author_name)
    else:
        told = gettext(
            "The draft was published while you worked on it. What you typed is below: save it again to "
            "replace theirs."
        )
    editor.draft.add_error(None, told)
    editor.see(_state(draft))
    return _editor(request, action_type, editor, status=409)


def _editor(
    request: AuthenticatedRequest, action_type: ActionType, editor: PolicyEditor, status: int = 200
) -> HttpResponse:
    live = questions.live_version(action_type)
    context = {
        "action_type": action_type,
        "editor": editor,
        "form": editor.form,
        "sliders": sliders_of(
            editor,
            questions.live_document(live) if live else None,
            Stake(action_type.value_pointer, action_type.currency),
        ),
        "live": live,
        "bar_title": gettext("Policies"),
    }
    return render(request, "policies/policy_edit/page.html", context, status=status)

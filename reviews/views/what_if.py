"""What a draft would change: a part of the policy editor, and a page of its own without JavaScript."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.engine.policy import InvalidPolicy, PolicyDocument
from policies.forms.amounts import as_percent
from policies.forms.policy_editor import FORM, PolicyEditor
from policies.models import ActionType, WhatIfRun
from policies.selectors import policies as questions
from policies.selectors import what_if
from reviews.selectors import what_if_page
from reviews.services import replays

MANAGE = "policies.manage_policies"
SEE_TRUST = "policies.view_observation"
_BUTTONS = frozenset({"csrfmiddlewaretoken", "add", "remove", "show", "save", "days"})


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(MANAGE)
def show(request: AuthenticatedRequest, name: str) -> HttpResponse:
    """Say what the draft in the query would change; a draft that was posted gets a page of its own."""
    action_type = get_object_or_404(ActionType, name=name)
    live = _live(action_type)
    asked = request.POST if request.method == "POST" else request.GET
    editor = (
        PolicyEditor.of_post(request.POST)
        if request.method == "POST"
        else PolicyEditor.of_changes(_base(action_type, live), request.GET)
    )
    context: dict[str, object] = {"action_type": action_type, "days": _days(asked), "all_days": what_if.DAYS}
    document = _document(editor)
    if document is None:
        context["faults"] = editor.faults
    elif request.method != "POST" and asked.get("list") in what_if_page.LISTS:
        return _list(request, action_type, document, live)
    else:
        context |= _answers(request, action_type, document, live, _days(asked))
        if editor.view == FORM:
            # The lists ask again by the fields; what was typed as JSON is in none of them.
            context["list_url"] = f"{request.path}?{editor.asked(days=_days(asked))}"
        if request.user.has_perm(SEE_TRUST):
            held = urlencode({"days": _days(asked), "type": name, "state": "held"})
            context["held_url"] = f"{reverse('reviews:trust_items')}?{held}"
    if request.method == "POST":
        context |= {"typed": _typed(request.POST), "bar_title": gettext("Policies")}
        return render(request, "reviews/what_if/page.html", context)
    return render(request, "reviews/what_if/_answers.html", context)


def _list(
    request: AuthenticatedRequest,
    action_type: ActionType,
    document: PolicyDocument,
    live: PolicyDocument | None,
) -> HttpResponse:
    """Show the actions behind a number, on a page of their own."""
    days = _days(request.GET)
    found = what_if_page.listed(
        request.GET["list"],
        action_type=action_type,
        draft=document,
        live=live,
        now=database_now(),
        days=days,
    )
    context = {"action_type": action_type, "found": found, "days": days, "bar_title": gettext("Policies")}
    return render(request, "reviews/what_if/list.html", context)


def _answers(
    request: AuthenticatedRequest,
    action_type: ActionType,
    document: PolicyDocument,
    live: PolicyDocument | None,
    days: int,
) -> dict[str, object]:
    now = database_now()
    page = what_if_page.page(action_type=action_type, draft=document, live=live, now=now, days=days)
    run: WhatIfRun | None = None
    if page.found.unknown:
        kept = what_if.fields_of(page.found.window)
        conditions = what_if.reading_of(document, kept).conditions
        if live is not None:
            conditions += what_if.reading_of(live, kept).conditions
        if page.found.unknown <= replays.AT_ONCE:
            replays.ask_at_once(window=page.found.window, conditions=conditions, now=now)
            page = what_if_page.page(action_type=action_type, draft=document, live=live, now=now, days=days)
        else:
            run = replays.request(
                action_type=action_type,
                conditions=conditions,
                days=days,
                total=page.found.unknown,
                asked_by=request.user,
                now=now,
            )
    certified, proposal = page.found.certificate.threshold, page.found.proposal
    return {
        "page": page,
        "run": run,
        "certified_percent": None if certified is None else as_percent(round(certified, 6)),
        "proposed_percent": None if proposal is None else as_percent(round(proposal.threshold, 6)),
    }


def _document(editor: PolicyEditor) -> PolicyDocument | None:
    """Return the policy that was typed, None where it is none; the editor's faults say why."""
    document = editor.document()
    if document is None:
        return None
    try:
        return PolicyDocument.from_document(document)
    except InvalidPolicy as invalid:
        editor.add_faults(invalid)
        return None


def _live(action_type: ActionType) -> PolicyDocument | None:
    version = questions.live_version(action_type)
    return None if version is None else questions.live_document(version)


def _base(action_type: ActionType, live: PolicyDocument | None) -> PolicyDocument:
    draft = questions.draft_version(action_type)
    if draft is not None:
        return questions.live_document(draft)
    return live or PolicyDocument()


def _days(asked: QueryDict) -> int:
    wanted = asked.get("days", "")
    return next((days for days in what_if.DAYS if str(days) == wanted), what_if.USUAL_DAYS)


def _typed(posted: QueryDict) -> list[tuple[str, str]]:
    return [(name, text) for name in posted if name not in _BUTTONS for text in posted.getlist(name)]

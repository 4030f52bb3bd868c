"""Pages of whole conversations: what waits to be read, and one of them with its question."""

from __future__ import annotations

import json
from dataclasses import dataclass

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.choices import CheckFinding
from datasets.models import ConversationCheck, Omission
from datasets.selectors import omissions
from datasets.selectors.conversation_steps import steps_of_conversation
from datasets.services import conversations
from hitl_site.lib import wording
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from hitl_site.lib.pagination import InvalidCursor, page
from hitl_site.lib.strict_json import JsonValue
from policies.choices import AgentState
from policies.models import ActionType, Agent, AgentVersion
from policies.selectors import owners
from reviews import schema_form
from reviews.models import ActionRequest
from reviews.schema_form import FieldError, FormView
from reviews.selectors import edits
from reviews.selectors.form_words import form_in_words, message_in_words
from reviews.services.rights import NotAllowed

REVIEW = "reviews.review_item"
SEE = (REVIEW, "reviews.view_any_item")
_SHOWN = 100
_PAGE = 50
_LONGEST_NOTE = 4000
_FOUND = {
    "": gettext_lazy("All that were closed"),
    "read": gettext_lazy("Read by a person"),
    "missing": gettext_lazy("With something missing"),
}


@dataclass(frozen=True, slots=True)
class Found:
    omission: Omission
    arguments: JsonValue


@dataclass(frozen=True, slots=True)
class ShareRow:
    agent: Agent
    percent: str


@dataclass(frozen=True, slots=True)
class Complaint:
    """One line of the summary of errors."""

    anchor: str
    label: str
    message: str


@require_GET
@needs_one_of(*SEE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List what waits for this person, the rates, and what was read."""
    answered = ConversationCheck.objects.exclude(finding="").select_related("conversation__agent")
    try:
        read = page(
            answered,
            order_by=["-id"],
            limit=_PAGE,
            scope="conversations",
            cursor=request.GET.get("after") or request.GET.get("before"),
        )
    except InvalidCursor:
        return redirect("datasets:conversations")
    may_set = request.user.has_perm(conversations.MANAGE_AGENTS)
    agents = (
        Agent.objects.exclude(state=AgentState.RETIRED).order_by("name") if may_set else Agent.objects.none()
    )
    context = {
        "waiting": omissions.waiting(request.user)[:_SHOWN] if request.user.has_perm(REVIEW) else [],
        "answered": read,
        "may_set": may_set,
        "may_see_rates": request.user.has_perm("policies.view_observation"),
        "shares": [ShareRow(agent, f"{100 * conversations.share_of(agent):g}") for agent in agents],
        "bar_title": gettext("Conversations"),
    }
    return render(request, "datasets/conversations/index.html", context)


@require_GET
@needs_one_of(*SEE)
def of_version(request: AuthenticatedRequest) -> HttpResponse:
    """List the conversations behind a rate of one agent version, newest first."""
    version = get_object_or_404(
        AgentVersion.objects.select_related("agent"), public_id=request.GET.get("version", "")
    )
    found = request.GET.get("found", "")
    if found not in _FOUND:
        raise BadRequest("There is no such filter.")
    every = omissions.closed_by(version, found=found)
    try:
        listed = page(
            every.select_related("audit"),
            order_by=["-closed_at", "-id"],
            limit=_PAGE,
            scope=f"conversations of {version.pk} {found}",
            cursor=request.GET.get("after") or request.GET.get("before"),
        )
    except InvalidCursor:
        return redirect("datasets:conversations")
    context = {
        "version": version,
        "page": listed,
        "total": every.count(),
        "found": found,
        "choices": _FOUND.items(),
        "chosen": _FOUND[found],
        "may_see_rates": request.user.has_perm("policies.view_observation"),
        "bar_title": gettext("Conversations"),
    }
    return render(request, "datasets/conversations/of_version.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(*SEE)
def detail(request: AuthenticatedRequest, check_id: str) -> HttpResponse:
    """Show a whole conversation with what was done in it, and take what was found."""
    check = get_object_or_404(
        ConversationCheck.objects.select_related("conversation__agent", "conversation__agent_version"),
        public_id=check_id,
    )
    chosen = _chosen(request)
    if request.method != "POST":
        form = None if chosen is None else schema_form.build(chosen.argument_schema, {}, {})
        return _page(request, check, chosen, form)
    note = request.POST.get("note", "")[:_LONGEST_NOTE].strip()
    try:
        if request.POST.get("answer") == "complete":
            conversations.find_complete(
                check_id=check_id, reviewer=request.user, note=note, now=database_now()
            )
            messages.success(request, gettext("Nothing was missing. Thank you."))
            return redirect("datasets:conversations")
        if chosen is None:
            raise Http404("Choose what was missing.")
        return _missing(request, check, chosen, note)
    except (conversations.UnableToCheck, NotAllowed) as error:
        check.refresh_from_db()
        errors = (Complaint("answer", gettext("Answer"), str(error)),)
        return _page(request, check, chosen, None, errors=errors, note=note, status=409)


@require_POST
@needs_one_of(conversations.MANAGE_AGENTS)
def set_share(request: AuthenticatedRequest, agent_id: str) -> HttpResponse:
    """Say which share of an agent's conversations is read."""
    agent = get_object_or_404(Agent, public_id=agent_id)
    try:
        share = float(request.POST.get("percent", "").replace(",", ".")) / 100
        conversations.set_share(agent=agent, share=share, by=request.user, now=database_now())
    except (ValueError, NotAllowed):
        said = gettext("A share is a number of percent, and needs the right to manage agents.")
        messages.error(request, said)
    except conversations.BadShare as error:
        messages.error(request, str(error))
    else:
        said = gettext("{agent}: {percent}% are read from now on.")
        messages.success(request, said.format(agent=agent.name, percent=wording.figures(f"{100 * share:g}")))
    return redirect("datasets:conversations")


def _missing(
    request: AuthenticatedRequest, check: ConversationCheck, chosen: ActionType, note: str
) -> HttpResponse:
    posted = {name: list(map(str, request.POST.getlist(name))) for name in request.POST}
    edit = edits.read(chosen.argument_schema, {}, posted)
    operation = request.POST.get("op", "")
    if operation:
        value = edit.value
        if not edit.errors:
            value = schema_form.apply_operation(chosen.argument_schema, value, operation, proposed={})
        form = schema_form.build(chosen.argument_schema, {}, value, errors=edit.errors, raw=edit.raw)
        return _page(request, check, chosen, form, note=note)
    errors = edit.errors
    if not errors and not note:
        form = edits.form_of(edit, schema=chosen.argument_schema, proposed={})
        complaint = Complaint("note", gettext("Reason"), gettext("Say why it should have been done."))
        return _page(request, check, chosen, form, errors=(complaint,), note=note, status=422)
    if not errors:
        try:
            conversations.find_missing(
                check_id=check.public_id,
                reviewer=request.user,
                action_type=chosen,
                arguments=edit.value,
                note=note,
                now=database_now(),
            )
        except conversations.WrongArguments as wrong:
            errors = wrong.errors
        else:
            said = gettext("Recorded. Add what else was missing, or go on to the next one.")
            messages.success(request, said)
            return redirect("datasets:conversation", check.public_id)
    form = schema_form.build(chosen.argument_schema, {}, edit.value, errors=errors, raw=edit.raw)
    return _page(request, check, chosen, form, errors=_complaints(errors), note=note, status=422)


def _complaints(errors: tuple[FieldError, ...]) -> tuple[Complaint, ...]:
    return tuple(
        Complaint("answer", error.pointer or gettext("The fields"), message_in_words(error.message))
        for error in errors
    )


def _chosen(request: AuthenticatedRequest) -> ActionType | None:
    wanted = request.GET.get("type", "")
    return ActionType.objects.filter(public_id=wanted).first() if wanted else None


def _page(
    request: AuthenticatedRequest,
    check: ConversationCheck,
    chosen: ActionType | None,
    form: FormView | None,
    *,
    errors: tuple[Complaint, ...] = (),
    note: str = "",
    status: int = 200,
) -> HttpResponse:
    talk = check.conversation
    person = request.user
    open_to_them = not check.finding or (
        check.finding == CheckFinding.MISSING and check.reviewer_id == person.pk
    )
    may_answer = (
        open_to_them
        and person.has_perm(REVIEW)
        and talk.messages is not None
        and not owners.is_apart(talk.agent, person.pk, since=talk.closed_at)
    )
    context = {
        "check": check,
        "talk": talk,
        "spoken": steps_of_conversation(talk.messages or []),
        "actions": ActionRequest.objects.filter(
            agent=talk.agent, conversation_id=talk.conversation_id, drill=False
        ).order_by("id")[:_SHOWN],
        "omissions": [
            Found(one, json.loads(bytes(one.arguments_canonical)))
            for one in check.omissions.select_related("action_type").order_by("id")
        ],
        "may_answer": may_answer,
        "types": ActionType.objects.order_by("title", "name"),
        "chosen": chosen,
        "form": None if form is None else form_in_words(form),
        "note": note,
        "errors": errors,
        "bar_title": gettext("Conversation"),
    }
    return render(request, "datasets/conversations/detail.html", context, status=status)

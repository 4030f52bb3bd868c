"""Pages of autonomy: the matrix, one version with one action type, and what people answer there."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.choices import AutonomyLevel
from policies.forms.autonomy import AnswerForm, NoteForm, OverrideForm
from policies.models import ActionType, AgentVersion, AutonomyGrant, AutonomyProposal
from policies.selectors import ladder
from policies.selectors.rung_rules import rules_of
from policies.services import autonomy as acts
from policies.services import minor_versions, proposals, rights
from policies.services.proposals import GRANT

SEE = ("policies.view_observation", "policies.view_agent", GRANT)


@require_GET
@needs_one_of(*SEE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """Show every version with every action type, and how far it may go."""
    groups = ladder.matrix(now=database_now())
    ready = [row for group in groups for row in group.rows if row.proposal is not None]
    context = {"groups": groups, "ready": ready, "levels": AutonomyLevel, "bar_title": gettext("Autonomy")}
    return render(request, "policies/autonomy/page.html", context)


@require_GET
@needs_one_of(*SEE)
def show(request: AuthenticatedRequest, version_id: str, name: str) -> HttpResponse:
    """Show one version with one action type: the way up, its health, and what happened."""
    return _page(request, *_find(version_id, name))


@require_POST
@needs_one_of(GRANT)
def propose(request: AuthenticatedRequest, version_id: str, name: str) -> HttpResponse:
    """Propose the next level by hand, on the evidence as it is."""
    version, action_type = _find(version_id, name)
    form = NoteForm(request.POST, prefix="propose")
    if not form.is_valid():
        return _page(request, version, action_type, status=422, note_form=form)
    try:
        proposals.propose(
            agent_version=version,
            action_type=action_type,
            proposed_by=request.user,
            note=form.cleaned_data["note"],
            now=database_now(),
        )
    except proposals.UnableToPropose as problem:
        return _page(request, version, action_type, status=409, problem=str(problem))
    messages.success(request, gettext("Proposed. It waits for an answer."))
    return _back(version, action_type)


@require_POST
@needs_one_of(GRANT)
def answer(request: AuthenticatedRequest, proposal_id: str) -> HttpResponse:
    """Approve or refuse a proposal."""
    proposal = get_object_or_404(
        AutonomyProposal.objects.select_related("agent_version__agent", "action_type"), public_id=proposal_id
    )
    version, action_type = proposal.agent_version, proposal.action_type
    form = AnswerForm(request.POST, prefix="answer")
    if not form.is_valid():
        return _page(request, version, action_type, status=422, answer_form=form)
    reason, now = form.cleaned_data["reason"], database_now()
    approves = request.POST.get("answer") == "approve"
    try:
        if approves:
            proposals.approve(proposal_id=proposal_id, approved_by=request.user, reason=reason, now=now)
        else:
            proposals.refuse(proposal_id=proposal_id, refused_by=request.user, reason=reason, now=now)
    except (proposals.UnableToApprove, acts.UnableToGrant) as problem:
        return _page(request, version, action_type, status=409, problem=str(problem), answer_form=form)
    approved, refused = gettext("Approved; the level is in force."), gettext("Refused; nothing changes.")
    messages.success(request, approved if approves else refused)
    return _back(version, action_type)


@require_POST
@needs_one_of(GRANT)
def override(request: AuthenticatedRequest, version_id: str, name: str) -> HttpResponse:
    """Grant a level without evidence: it rests on a person's word, and says so."""
    version, action_type = _find(version_id, name)
    form = OverrideForm(request.POST, prefix="override", action_type=action_type)
    if not form.is_valid():
        return _page(request, version, action_type, status=422, override_form=form)
    data, now = form.cleaned_data, database_now()
    try:
        acts.override(
            agent_version=version,
            action_type=action_type,
            level=AutonomyLevel(data["level"]),
            reason=data["reason"],
            granted_by=request.user,
            expires_at=form.expires_at(now),
            now=now,
        )
    except acts.UnableToGrant as problem:
        form.add_error("level" if isinstance(problem, acts.AboveTheCap) else None, str(problem))
        return _page(request, version, action_type, status=422, override_form=form)
    told = gettext("Granted {level}, not certified.").format(level=AutonomyLevel(data["level"]).label)
    messages.success(request, told)
    return _back(version, action_type)


@require_POST
@needs_one_of(GRANT)
def carry_on(request: AuthenticatedRequest, version_id: str, name: str) -> HttpResponse:
    """Let the threshold of the version before go on: this one is a minor change of it."""
    version, action_type = _find(version_id, name)
    form = AnswerForm(request.POST, prefix="minor")
    if not form.is_valid():
        return _page(request, version, action_type, status=422, minor_form=form)
    try:
        held = minor_versions.carry_on(
            agent_version=version,
            action_type=action_type,
            reason=form.cleaned_data["reason"],
            declared_by=request.user,
            now=database_now(),
        )
    except acts.UnableToGrant as problem:
        return _page(request, version, action_type, status=409, problem=str(problem), minor_form=form)
    told = gettext("{level} goes on, not certified.").format(level=held.get_level_display())
    messages.success(request, told)
    return _back(version, action_type)


@require_POST
@needs_one_of(GRANT)
def end(request: AuthenticatedRequest, grant_id: str) -> HttpResponse:
    """Take a level back."""
    grants = AutonomyGrant.objects.select_related("agent_version__agent", "action_type")
    held = get_object_or_404(grants, public_id=grant_id)
    version, action_type = held.agent_version, held.action_type
    form = AnswerForm(request.POST, prefix="end")
    if not form.is_valid():
        return _page(request, version, action_type, status=422, end_form=form)
    try:
        with rights.acting_at_once(request.user, GRANT) as actor:
            acts.end(grant=held, reason=form.cleaned_data["reason"], actor=actor, now=database_now())
    except (acts.AlreadyEnded, acts.UnableToGrant) as problem:
        return _page(request, version, action_type, status=409, problem=str(problem), end_form=form)
    messages.success(request, gettext("Took {level} back.").format(level=held.get_level_display()))
    return _back(version, action_type)


def _find(version_id: str, name: str) -> tuple[AgentVersion, ActionType]:
    version = get_object_or_404(AgentVersion.objects.select_related("agent"), public_id=version_id)
    return version, get_object_or_404(ActionType, name=name)


def _back(version: AgentVersion, action_type: ActionType) -> HttpResponse:
    return redirect("policies:autonomy_cell", version.public_id, action_type.name)


def _page(
    request: AuthenticatedRequest,
    version: AgentVersion,
    action_type: ActionType,
    *,
    status: int = 200,
    problem: str = "",
    note_form: NoteForm | None = None,
    answer_form: AnswerForm | None = None,
    override_form: OverrideForm | None = None,
    minor_form: AnswerForm | None = None,
    end_form: AnswerForm | None = None,
) -> HttpResponse:
    """Render one cell, also as the answer to what could not be done there."""
    context = {
        "cell": ladder.cell(version, action_type, now=database_now()),
        "history": ladder.history(version, action_type),
        "rules": rules_of(action_type),
        "problem": problem,
        "note_form": note_form or NoteForm(prefix="propose"),
        "answer_form": answer_form or AnswerForm(prefix="answer"),
        "override_form": override_form or OverrideForm(prefix="override", action_type=action_type),
        "minor_form": minor_form or AnswerForm(prefix="minor"),
        "end_form": end_form or AnswerForm(prefix="end"),
        "may_grant": request.user.has_perm(GRANT),
        "bar_title": gettext("Autonomy"),
    }
    return render(request, "policies/autonomy_cell/page.html", context, status=status)

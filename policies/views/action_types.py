"""Pages of action types: the list, one of them, and its declaration."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.forms.action_types import DeclarationForm, NewActionTypeForm, initial_of
from policies.models import ActionType
from policies.selectors import declaration_changes as waiting_changes
from policies.selectors import policies as policy_questions
from policies.selectors import policy_pages
from policies.selectors.binding_preview import Preview
from policies.services import action_types as acts
from policies.services import declaration_changes as changes

MANAGE = "policies.manage_policies"
SEE = ("policies.view_actiontype", MANAGE)
CONFLICT = gettext_lazy(
    "Somebody changed this declaration while you worked on it. What you typed is below: save it again to"
    " replace theirs."
)


@require_GET
@needs_one_of(*SEE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List the action types with the policy in force and the share that is held."""
    now = database_now()
    rows = policy_pages.rows(now=now)
    context = {
        "rows": rows,
        "waiting_count": sum(row.waiting is not None for row in rows),
        "undeclared": policy_pages.undeclared(now=now),
        "may_manage": request.user.has_perm(MANAGE),
        "bar_title": gettext("Policies"),
    }
    return render(request, "policies/index/page.html", context)


@require_GET
@needs_one_of(*SEE)
def show(request: AuthenticatedRequest, name: str) -> HttpResponse:
    """Show one action type: its policy, the versions of it, its declaration."""
    action_type = get_object_or_404(ActionType, name=name)
    live = policy_questions.live_version(action_type)
    draft = policy_questions.draft_version(action_type)
    context = {
        "action_type": action_type,
        "live": live,
        "document": policy_questions.live_document(live) if live else None,
        "draft": draft,
        "change": policy_pages.change(draft) if draft else None,
        "life": policy_pages.life(action_type),
        "waiting_change": waiting_changes.waiting_for(action_type),
        "versions": policy_pages.versions(action_type),
        "may_manage": request.user.has_perm(MANAGE),
        "bar_title": gettext("Policies"),
    }
    return render(request, "policies/action_type/page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(MANAGE)
def new(request: AuthenticatedRequest) -> HttpResponse:
    """Declare an action type."""
    if request.method != "POST":
        return _form(request, NewActionTypeForm(initial={"name": request.GET.get("name", "")[:120]}))
    form = NewActionTypeForm(request.POST)
    if form.previews:
        return _previewed(request, form)
    if form.is_valid():
        try:
            action_type = changes.declare(
                name=form.cleaned_data["name"],
                person=request.user,
                now=database_now(),
                **form.declaration(),
            )
        except acts.InvalidActionType as invalid:
            form.add_faults(invalid)
        except changes.NotAllowed as problem:
            form.add_error(None, str(problem))
        else:
            told = gettext("Declared {name}. Without a policy all of it is held.")
            messages.success(request, told.format(name=action_type.name))
            return redirect("policies:action_type", action_type.name)
    return _form(request, form, status=422)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(MANAGE)
def edit(request: AuthenticatedRequest, name: str) -> HttpResponse:
    """Change a declaration."""
    action_type = get_object_or_404(ActionType, name=name)
    if request.method != "POST":
        form = DeclarationForm(icon=action_type.icon, initial=initial_of(action_type))
        return _form(request, form, action_type)
    form = DeclarationForm(request.POST, icon=action_type.icon)
    if form.previews:
        return _previewed(request, form, action_type)
    if form.is_valid():
        try:
            saved = changes.ask(
                action_type=action_type,
                person=request.user,
                reason=form.cleaned_data["reason"],
                seen_at=form.seen_at,
                now=database_now(),
                **form.declaration(),
            )
        except acts.InvalidActionType as invalid:
            form.add_faults(invalid)
        except changes.NoReason as problem:
            form.add_error("reason", str(problem))
        except (changes.AlreadyAsked, changes.NotAllowed) as problem:
            form.add_error(None, str(problem))
        except changes.ChangedMeanwhile:
            form.add_error(None, CONFLICT)
            form.data = request.POST.copy()
            form.data["seen"] = ActionType.objects.get(pk=action_type.pk).updated_at.isoformat()
            return _form(request, form, action_type, status=409)
        else:
            return _after(request, saved)
    return _form(request, form, action_type, status=422)


def _after(request: AuthenticatedRequest, saved: changes.Saved) -> HttpResponse:
    """Say what counts and what waits, and lead to it."""
    name = saved.action_type.name
    if saved.waiting is None:
        messages.success(request, gettext("Saved the declaration of {name}.").format(name=name))
        return redirect("policies:action_type", name)
    told = (
        gettext("The rest is saved. What loosens {name} waits for somebody else to approve it.")
        if saved.in_force
        else gettext("What loosens {name} waits for somebody else to approve it.")
    )
    messages.info(request, told.format(name=name))
    return redirect("policies:declaration_change", saved.waiting.public_id)


def _previewed(
    request: AuthenticatedRequest, form: DeclarationForm, action_type: ActionType | None = None
) -> HttpResponse:
    """Show which edits of the example void an approval. Nothing is saved, and nothing typed is lost."""
    form.full_clean()
    shown = form.preview()
    return _form(request, form, action_type, status=200 if shown else 422, preview=shown)


def _form(
    request: AuthenticatedRequest,
    form: DeclarationForm,
    action_type: ActionType | None = None,
    status: int = 200,
    preview: Preview | None = None,
) -> HttpResponse:
    context = {"form": form, "action_type": action_type, "preview": preview, "bar_title": gettext("Policies")}
    return render(request, "policies/declaration/page.html", context, status=status)

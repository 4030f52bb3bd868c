"""Pages of publications: asking for one, those that wait, and what people answer."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.choices import PublicationState
from policies.forms.agents import ReasonForm
from policies.forms.publications import PublishForm
from policies.models import ActionType, PolicyVersion, Publication
from policies.selectors import declaration_changes, people, policy_pages
from policies.selectors import policies as versions
from policies.selectors import publications as found
from policies.selectors.score_changes import score_change
from policies.selectors.version_words import state_of
from policies.services import publications as acts
from policies.views.action_types import MANAGE, SEE

REFUSED = (
    acts.AlreadyAsked,
    acts.AlreadyCounted,
    acts.DraftChanged,
    acts.DraftInTheWay,
    acts.NotADraft,
    acts.NotAllowed,
    acts.NotWaiting,
    acts.WrongTime,
)


@require_GET
@needs_one_of(*SEE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List what waits for people or for its time."""
    context = {
        "rows": policy_pages.waiting_rows(request.user),
        "changes": declaration_changes.waiting_rows(request.user),
        "bar_title": gettext("Policies"),
    }
    return render(request, "policies/publications/page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(MANAGE)
def publish_draft(request: AuthenticatedRequest, name: str) -> HttpResponse:
    """Show what the draft changes and what publishing it takes; a POST asks for it."""
    draft = versions.draft_version(get_object_or_404(ActionType, name=name))
    if draft is None:
        messages.info(request, gettext("{name} has no draft to publish.").format(name=name))
        return redirect("policies:action_type", name)
    return _publish(request, draft)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(MANAGE)
def publish_version(request: AuthenticatedRequest, name: str, number: int) -> HttpResponse:
    """The same for a version by its number: a draft, or what is in shadow."""
    version = get_object_or_404(PolicyVersion, action_type__name=name, number=number)
    if not found.is_publishable(version):
        told = gettext("Version {number} of {name} is {state}.")
        messages.info(request, told.format(number=number, name=name, state=state_of(version)))
        return redirect("policies:version", name, number)
    return _publish(request, version)


@require_GET
@needs_one_of(*SEE)
def show(request: AuthenticatedRequest, publication_id: str) -> HttpResponse:
    """Show one publication: what it changes, who stands for it, who is missing."""
    return _page(request, _publication(publication_id))


@require_POST
@needs_one_of(MANAGE)
def approve(request: AuthenticatedRequest, publication_id: str) -> HttpResponse:
    """Stand for the text that was read."""
    publication = _publication(publication_id)
    return _answer(
        request,
        publication,
        lambda: acts.approve(
            publication=publication,
            person=request.user,
            content_sha256=request.POST.get("content_sha256", ""),
            now=database_now(),
        ),
    )


@require_POST
@needs_one_of(MANAGE)
def withdraw(request: AuthenticatedRequest, publication_id: str) -> HttpResponse:
    """Take a publication back."""
    publication = _publication(publication_id)
    form = ReasonForm(request.POST, prefix="withdraw")
    if not form.is_valid():
        return _page(request, publication, withdrawal=form, status=422)
    return _answer(
        request,
        publication,
        lambda: acts.withdraw(
            publication=publication,
            person=request.user,
            reason=form.cleaned_data["reason"],
            now=database_now(),
        ),
    )


def say_how_it_stands(request: AuthenticatedRequest, publication: Publication) -> None:
    """Tell the person what became of what they asked."""
    missing = 0
    if publication.state == PublicationState.DONE:
        told = gettext("Published version {number} of {name}.")
    elif publication.state == PublicationState.WITHDRAWN:
        told = gettext("Withdrew the publication of version {number} of {name}.")
    elif missing := _standing(publication).missing:
        told = ngettext(
            "The publication of version {number} of {name} waits for {missing} more person.",
            "The publication of version {number} of {name} waits for {missing} more people.",
            missing,
        )
    else:
        told = gettext("The publication of version {number} of {name} waits for its time.")
    said = told.format(number=publication.version.number, name=publication.action_type.name, missing=missing)
    messages.success(request, said)


def _publish(request: AuthenticatedRequest, version: PolicyVersion) -> HttpResponse:
    waiting = found.waiting_for(version.action_type)
    if request.method != "POST":
        if waiting is not None:
            return redirect("policies:publication", waiting.public_id)
        return _asking(request, version, PublishForm(initial={"reason": version.reason, "when": "now"}))
    form = PublishForm(request.POST)
    if not form.is_valid():
        return _asking(request, version, form, status=422)
    try:
        publication = acts.ask(
            version=version,
            person=request.user,
            reason=form.cleaned_data["reason"],
            content_sha256=request.POST.get("content_sha256", ""),
            publish_at=form.at,
            now=database_now(),
        )
    except acts.WrongTime as problem:
        form.add_error("publish_at", str(problem))
        return _asking(request, version, form, status=422)
    except REFUSED as problem:
        form.add_error(None, str(problem))
        return _asking(request, version, form, status=409)
    say_how_it_stands(request, publication)
    if publication.state == PublicationState.OPEN:
        return redirect("policies:publication", publication.public_id)
    return redirect("policies:action_type", publication.action_type.name)


def _asking(
    request: AuthenticatedRequest, version: PolicyVersion, form: PublishForm, status: int = 200
) -> HttpResponse:
    # Read again: after a conflict the page has to show what lies there now.
    current = PolicyVersion.objects.select_related("action_type").get(pk=version.pk)
    takes = found.requirement(current)
    counted = {each for each in (current.author_id, request.user.pk) if each is not None}
    context = {
        "version": current,
        "action_type": current.action_type,
        "change": policy_pages.change(current),
        "score_change": score_change(current.action_type, current.document),
        "takes": takes,
        "counted": len(people.managers_among(counted)),
        "form": form,
        "bar_title": gettext("Policies"),
    }
    return render(request, "policies/publish/page.html", context, status=status)


def _publication(publication_id: str) -> Publication:
    publication = found.by_id(publication_id)
    if publication is None:
        raise Http404("There is no such publication.")
    return publication


def _standing(publication: Publication) -> found.Standing:
    return found.standing(publication, managers=people.managers_among(found.people_of(publication)))


def _answer(
    request: AuthenticatedRequest, publication: Publication, act: Callable[[], Publication]
) -> HttpResponse:
    try:
        done = act()
    except REFUSED as problem:
        return _page(request, _publication(publication.public_id), problem=str(problem), status=409)
    say_how_it_stands(request, done)
    if done.state == PublicationState.OPEN:
        return redirect("policies:publication", done.public_id)
    return redirect("policies:action_type", done.action_type.name)


def _page(
    request: AuthenticatedRequest,
    publication: Publication,
    *,
    withdrawal: ReasonForm | None = None,
    problem: str = "",
    status: int = 200,
) -> HttpResponse:
    stands = _standing(publication)
    context = {
        "publication": publication,
        "version": publication.version,
        "action_type": publication.action_type,
        "change": policy_pages.change(publication.version),
        "stands": stands,
        "is_open": publication.state == PublicationState.OPEN,
        "score_change": score_change(publication.action_type, publication.version.document)
        if publication.state == PublicationState.OPEN
        else None,
        "is_due": publication.publish_at is None or publication.publish_at <= database_now(),
        "counts_already": stands.includes(request.user),
        "may_manage": request.user.has_perm(MANAGE),
        "withdrawal": withdrawal or ReasonForm(prefix="withdraw"),
        "problem": problem,
        "bar_title": gettext("Policies"),
    }
    return render(request, "policies/publication/page.html", context, status=status)

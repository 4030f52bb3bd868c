"""Pages of labelled cases: the list and one case, and what people make of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import TextChoices
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_GET, require_POST

from datasets.choices import CaseKind, CaseStanding, Label, LabelSource, LabelStrength
from datasets.forms.cases import AnswerForm, CaseFilterForm, CurationForm, EditForm
from datasets.models import LabelledCase
from datasets.selectors import case_page, case_words, cases, facets
from datasets.selectors.cases import CaseFilter
from datasets.selectors.late_truth import late_truth
from datasets.services import adjudicating, curating
from datasets.services.answering import UnableToAnswer
from datasets.services.later import composed
from datasets.views.access import CURATE, SEE
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from hitl_site.lib.pagination import InvalidCursor

_TAGS_OFFERED: Final = 100


@dataclass(frozen=True, slots=True)
class MenuOption:
    """One choice of a filter, as a link."""

    label: str
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class Menu:
    """One filter: what it is called, what is chosen ("" for nothing), what else there is."""

    title: str
    chosen: str
    options: tuple[MenuOption, ...]


@require_GET
@needs_one_of(*SEE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List the cases, newest first, a page at a time."""
    form = CaseFilterForm(request.GET)
    if not form.is_valid():
        raise BadRequest("There is no such filter.")
    where = form.filters()
    try:
        page = cases.page(where=where, cursor=request.GET.get("after") or request.GET.get("before"))
    except InvalidCursor:
        # An old bookmark: the first page is what it asks for now.
        return redirect(_address(where.conditions()))
    context = {
        "page": page,
        "where": where,
        "filtered": bool(where.conditions()),
        "menus": _menus(where),
        "late_truth": late_truth(),
        "may_curate": request.user.has_perm(CURATE),
        "tags": list(facets.tag_counts())[:_TAGS_OFFERED],
        "bar_title": gettext("Cases"),
    }
    return render(request, "datasets/cases/page.html", context)


@require_POST
@needs_one_of(CURATE)
def curate(request: AuthenticatedRequest) -> HttpResponse:
    """Tag, leave out or take in the chosen cases, and go back to where they were chosen."""
    form = CurationForm(request.POST)
    if form.is_valid():
        try:
            messages.success(request, _curate(request, form))
        except UnableToAnswer as error:
            messages.error(request, str(error))
    else:
        for errors in form.errors.values():
            messages.error(request, " ".join(str(error) for error in errors))
    back = request.POST.get("back", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts=None) or not back.startswith("/cases/"):
        back = reverse("datasets:cases")
    return redirect(back)


def _curate(request: AuthenticatedRequest, form: CurationForm) -> str:
    """Do what was asked; return what to tell of it."""
    given, now = form.cleaned_data, database_now()
    chosen, act = given["cases"], given["act"]
    if act == CurationForm.LEAVE_OUT:
        changed = curating.leave_out(case_ids=chosen, because=given["because"], by=request.user, now=now)
        done = ngettext("{n} case left out of new versions", "{n} cases left out of new versions", changed)
    elif act == CurationForm.TAKE_IN:
        changed = curating.take_in(case_ids=chosen, by=request.user, now=now)
        done = ngettext(
            "{n} case taken by new versions again", "{n} cases taken by new versions again", changed
        )
    else:
        add, remove = ([given["tag"]], []) if act == CurationForm.TAG else ([], [given["tag"]])
        changed = curating.change_tags(case_ids=chosen, add=add, remove=remove, by=request.user, now=now)
        done = (
            ngettext("{n} case tagged", "{n} cases tagged", changed)
            if add
            else ngettext("{n} case without that tag now", "{n} cases without that tag now", changed)
        )
    same = len(set(chosen)) - changed
    told = done.format(n=changed)
    return gettext("{done}, {same} already.").format(done=told, same=same) if same else f"{told}."


def _menus(where: CaseFilter) -> list[Menu]:
    """Return a menu a filter; each link keeps the other filters and begins on the first page."""
    named: list[tuple[str, str, Iterable[tuple[str, str]]]] = [
        ("action_type", gettext("Action type"), ((name, name) for name in cases.action_type_names())),
        ("kind", gettext("Kind"), _named(CaseKind)),
        ("agent", gettext("Agent"), ((name, name) for name in cases.agent_names())),
        ("label", gettext("Label"), _named(Label)),
        ("source", gettext("Source"), _named(LabelSource)),
        ("strength", gettext("Strength"), _named(LabelStrength)),
        ("tag", gettext("Tag"), ((tag, f"{tag} ({n})") for tag, n in facets.tag_counts().items())),
        ("standing", gettext("Standing"), _named(CaseStanding)),
    ]
    conditions = where.conditions()
    menus = []
    for field, title, choices in named:
        chosen = conditions.get(field, "")
        options = tuple(
            MenuOption(label=label, url=_address({**conditions, field: value}), current=value == chosen)
            for value, label in [("", gettext("Any")), *choices]
        )
        now = next((option.label for option in options if option.current), chosen)
        menus.append(Menu(title=title, chosen=now if chosen else "", options=options))
    return menus


def _named(choices: type[TextChoices]) -> list[tuple[str, str]]:
    return [(str(value), str(label)) for value, label in choices.choices]


def _address(conditions: dict[str, str]) -> str:
    query = urlencode({name: value for name, value in conditions.items() if value})
    return f"{reverse('datasets:cases')}?{query}" if query else reverse("datasets:cases")


@require_GET
@needs_one_of(*SEE)
def detail(request: AuthenticatedRequest, case_id: str) -> HttpResponse:
    """Show one case: proposal beside truth, and every fact that is known of it."""
    return _case_page(request, get_object_or_404(LabelledCase, public_id=case_id))


@require_POST
@needs_one_of(CURATE)
def settle(request: AuthenticatedRequest, case_id: str) -> HttpResponse:
    """Settle a disputed case; what was typed stays where it cannot be."""
    case = get_object_or_404(LabelledCase, public_id=case_id)
    form = AnswerForm(request.POST)
    if form.is_valid():
        try:
            adjudicating.settle(
                case_id=case.public_id,
                label=Label(form.cleaned_data["label"]),
                arguments=form.cleaned_data["right"],
                note=form.cleaned_data["note"],
                by=request.user,
                now=database_now(),
            )
        except UnableToAnswer as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, gettext("Settled. The case can be taken by new versions again."))
            return redirect("datasets:case", case.public_id)
    return _case_page(request, case, settling=form)


@require_POST
@needs_one_of(CURATE)
def edit(request: AuthenticatedRequest, case_id: str) -> HttpResponse:
    """Answer a case anew; what was typed stays where it cannot be."""
    case = get_object_or_404(LabelledCase, public_id=case_id)
    form = EditForm(request.POST, reasons=case_page.reason_choices(case))
    if form.is_valid():
        try:
            curating.edit_label(
                case_id=case.public_id,
                label=Label(form.cleaned_data["label"]),
                arguments=form.cleaned_data["right"],
                reasons=form.cleaned_data["reasons"],
                note=form.cleaned_data["note"],
                seen=form.cleaned_data["seen"],
                by=request.user,
                now=database_now(),
            )
        except UnableToAnswer as error:
            form.add_error(None, str(error))
        else:
            said = gettext("Answered. This answer counts from now on; the earlier ones stay.")
            messages.success(request, said)
            return redirect("datasets:case", case.public_id)
    return _case_page(request, case, editing=form)


def _case_page(
    request: AuthenticatedRequest,
    case: LabelledCase,
    *,
    settling: AnswerForm | None = None,
    editing: EditForm | None = None,
) -> HttpResponse:
    view = case_page.view(case, composed(case))
    may_curate = request.user.has_perm(CURATE) and case.erased_at is None
    if may_curate and view.disputed_because:
        settling, editing = settling or AnswerForm(initial={"arguments": view.proposed_text}), None
    elif may_curate:
        initial = {"label": view.document["label"], "arguments": view.truth_text, "seen": view.answers_since}
        editing = editing or EditForm(initial=initial, reasons=case_page.reason_choices(case))
    context = {
        "view": view,
        "decided": case_words.decision_words(case, view.document),
        "gate": case_words.gate_words(view.document),
        "mode": case_words.mode_words(view.document),
        "outcome": case_words.outcome_words(view.document),
        "settling": settling,
        "editing": editing,
        "may_curate": may_curate,
        "alike": cases.alike(case),
        "tags": list(facets.tag_counts())[:_TAGS_OFFERED] if may_curate else [],
        "bar_title": gettext("Case"),
    }
    refused = any(form is not None and form.errors for form in (settling, editing))
    return render(request, "datasets/case/page.html", context, status=422 if refused else 200)

"""Pages of labelled cases: the list and one case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from datasets.choices import CaseStanding, Label, LabelSource, LabelStrength
from datasets.forms.cases import CaseFilterForm, SettleForm
from datasets.models import LabelledCase
from datasets.selectors import case_page, cases
from datasets.selectors.cases import CaseFilter
from datasets.selectors.late_truth import late_truth
from datasets.services import adjudicating
from datasets.services.later import composed
from datasets.views.access import CURATE, SEE
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from hitl_site.lib.pagination import InvalidCursor


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
    }
    return render(request, "datasets/cases/page.html", context)


def _menus(where: CaseFilter) -> list[Menu]:
    """Return a menu a filter; each link keeps the other filters and begins on the first page."""
    named: list[tuple[str, str, Iterable[tuple[str, str]]]] = [
        ("action_type", "Action type", ((name, name) for name in cases.action_type_names())),
        ("agent", "Agent", ((name, name) for name in cases.agent_names())),
        ("label", "Label", Label.choices),
        ("source", "Source", LabelSource.choices),
        ("strength", "Strength", LabelStrength.choices),
        ("standing", "Standing", CaseStanding.choices),
    ]
    conditions = where.conditions()
    menus = []
    for field, title, choices in named:
        chosen = conditions.get(field, "")
        options = tuple(
            MenuOption(label=label, url=_address({**conditions, field: value}), current=value == chosen)
            for value, label in [("", "Any"), *choices]
        )
        now = next((option.label for option in options if option.current), chosen)
        menus.append(Menu(title=title, chosen=now if chosen else "", options=options))
    return menus


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
    form = SettleForm(request.POST)
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
        except adjudicating.UnableToSettle as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, "Settled. The case can be taken by new versions again.")
            return redirect("datasets:case", case.public_id)
    return _case_page(request, case, form)


def _case_page(
    request: AuthenticatedRequest, case: LabelledCase, form: SettleForm | None = None
) -> HttpResponse:
    view = case_page.view(case, composed(case))
    if view.disputed_because and form is None and request.user.has_perm(CURATE):
        form = SettleForm(initial={"arguments": view.proposed_text})
    context = {"view": view, "form": form}
    return render(request, "datasets/case/page.html", context, status=422 if form and form.errors else 200)

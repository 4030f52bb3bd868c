"""Pages of labelled cases: the list and one case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET

from datasets.choices import CaseStanding, Label, LabelSource, LabelStrength
from datasets.forms.cases import CaseFilterForm
from datasets.models import LabelledCase
from datasets.selectors import case_page, cases
from datasets.selectors.cases import CaseFilter
from datasets.selectors.late_truth import late_truth
from datasets.services.later import composed
from datasets.views.access import SEE
from hitl_site.lib.access import needs_one_of
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
    case = get_object_or_404(LabelledCase, public_id=case_id)
    return render(request, "datasets/case/page.html", {"view": case_page.view(case, composed(case))})

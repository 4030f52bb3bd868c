"""The pages of trust: the numbers of a period, and the actions behind each of them."""

from __future__ import annotations

from datetime import date, datetime
from urllib.parse import urlencode

from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from hitl_site.lib import csv_cells, pagination
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.services import trust_links
from reviews.selectors import trust_drills, trust_items, trust_report, trust_table
from reviews.selectors.independence import ADJUDICATE
from reviews.views.trust_filters import (
    PERIODS,
    DrillFilterForm,
    ItemFilterForm,
    TrustFilterForm,
    action_type_names,
)

SEE = "policies.view_observation"
DRILLS = "reviews.manage_drills"
PAGE = 50


@require_GET
@needs_one_of(SEE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """Show what agents did in a period and how far that can be trusted."""
    form = TrustFilterForm(request.GET)
    if not form.is_valid():
        raise BadRequest("There is no such filter.")
    return render(request, "reviews/trust/page.html", page_context(form, request.user, now=database_now()))


def page_context(form: TrustFilterForm, person: User | None, *, now: datetime) -> dict[str, object]:
    """Return what the page shows; without a person nothing that leads elsewhere."""
    report = trust_report.report(form.period(now), now=now)
    chosen = form.cleaned_data
    return {
        "report": report,
        "trust": report.page,
        "form": form,
        "days": form.chosen_days,
        "query": form.query,
        "periods": PERIODS,
        "action_types": action_type_names() if person is not None else [],
        "filtered": bool(chosen["type"] or chosen["agent"] or chosen["version"]),
        "items_url": reverse("reviews:trust_items") if person is not None else "",
        "weeks_query": urlencode({name: value for name, value in form.chosen.items() if name != "days"}),
        "drills_url": reverse("reviews:trust_drills") if person is not None else "",
        "may_see_policies": person is not None and person.has_perm("policies.view_actiontype"),
        "may_share": person is not None and person.has_perm(trust_links.SHARE),
        "now": now,
        "bar_title": gettext("Trust"),
    }


@require_GET
@needs_one_of(SEE)
def download(request: AuthenticatedRequest) -> HttpResponse:
    """Return the page's numbers as a table for a spreadsheet, in which no cell is a formula."""
    form = TrustFilterForm(request.GET)
    if not form.is_valid():
        raise BadRequest("There is no such filter.")
    now = database_now()
    # What leaves the page is read by programs too: English for everybody.
    with translation.override("en"):
        report = trust_report.report(form.period(now), now=now)
    ways = trust_table.Ways(
        items=request.build_absolute_uri(reverse("reviews:trust_items")),
        definitions=f"{request.build_absolute_uri(reverse('reviews:trust'))}#definitions",
        days=form.chosen_days,
    )
    text = csv_cells.table(trust_table.COLUMNS, trust_table.rows(report, ways))
    name = f"trust-{now:%Y-%m-%d}-{form.chosen_days}-days.csv"
    return HttpResponse(
        text.encode(),
        content_type="text/csv; charset=utf-8; header=present",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


@require_GET
@needs_one_of(SEE)
def items(request: AuthenticatedRequest) -> HttpResponse:
    """List the actions behind a number, newest first, a page at a time."""
    form = ItemFilterForm(request.GET)
    if not form.is_valid():
        raise BadRequest("There is no such filter.")
    query = request.GET.copy()
    cursor = (query.pop("after", None) or query.pop("before", None) or [""])[0]
    every = trust_items.items(form.filters(database_now()))
    # Who may still be asked about a blind item must not read here why it is held.
    may_decide = request.user.has_perm("reviews.review_item")
    found = trust_items.without_undecided_blind(every) if may_decide else every
    try:
        page = pagination.page(
            found, order_by=["-id"], limit=PAGE, scope=f"trust?{_scope(form)}", cursor=cursor
        )
    except pagination.InvalidCursor:
        # An old bookmark: the first page is what it asks for now.
        return redirect(f"{reverse('reviews:trust_items')}?{query.urlencode()}")
    chosen = form.cleaned_data
    context = {
        "page": page,
        "total": every.count(),
        "hidden": trust_items.undecided_blind(every).count() if may_decide else 0,
        "form": form,
        "days": form.chosen_days,
        "bar_title": gettext("Trust"),
        "kept": ([("week", chosen["week"].isoformat())] if chosen["week"] else [])
        + [(name, value) for name in ("deadline", "reason", "field") if (value := chosen[name])]
        + ([("incidents", "on")] if chosen["incidents"] else []),
        "narrowed": [
            words
            for words, on in (
                (trust_items.DEADLINES.get(chosen["deadline"], ""), chosen["deadline"]),
                (_week_of(chosen["week"]), chosen["week"]),
                (gettext("Reason: {reason}").format(reason=chosen["reason"]), chosen["reason"]),
                (gettext("Field: {field}").format(field=chosen["field"]), chosen["field"]),
                (gettext("With an incident"), chosen["incidents"]),
            )
            if on
        ],
    }
    return render(request, "reviews/trust_items/page.html", context)


@require_GET
@needs_one_of(SEE)
def drills(request: AuthenticatedRequest) -> HttpResponse:
    """List the drills behind the catch rate, newest first: those that nobody can answer any more."""
    form = DrillFilterForm(request.GET)
    if not form.is_valid():
        raise BadRequest("There is no such filter.")
    outcome = form.cleaned_data["outcome"]
    query = request.GET.copy()
    cursor = (query.pop("after", None) or query.pop("before", None) or [""])[0]
    every = trust_drills.results(form.period(database_now()), outcome=outcome)
    try:
        page = pagination.page(
            every.select_related("action_type"),
            order_by=["-id"],
            limit=PAGE,
            scope=f"trust drills?{_scope(form)}",
            cursor=cursor,
        )
    except pagination.InvalidCursor:
        return redirect(f"{reverse('reviews:trust_drills')}?{query.urlencode()}")
    context = {
        "page": page,
        "rows": trust_drills.rows(page.items, request.user),
        "total": every.count(),
        "form": form,
        "days": form.chosen_days,
        "sees_drills": trust_drills.may_see_drills(request.user),
        "leads": request.user.has_perm(ADJUDICATE),
        "seeds_url": reverse("datasets:drills") if request.user.has_perm(DRILLS) else "",
        "bar_title": gettext("Trust"),
    }
    return render(request, "reviews/trust_drills/page.html", context)


def _week_of(week: date | None) -> str:
    return gettext("Week of {day}").format(day=date_format(week)) if week is not None else ""


def _scope(form: TrustFilterForm) -> str:
    return "&".join(f"{name}={value}" for name, value in form.cleaned_data.items())

"""The pages of the ledger: who did what, when, what changed, and whether the record holds."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from hitl_site.lib import pagination
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.forms.ledger import LedgerFilterForm
from policies.models import LedgerEntry, LedgerLink
from policies.selectors import ledger as questions
from policies.selectors.ledger_words import Told, problem_in_words, told
from policies.services import ledger, ledger_download

RIGHT = "policies.view_ledgerentry"
PAGE = 50
STORY = 200
FORMATS = {
    "csv": (ledger_download.as_csv, "text/csv; charset=utf-8"),
    "jsonl": (ledger_download.as_json_lines, "application/jsonl; charset=utf-8"),
}


@dataclass(frozen=True, slots=True)
class Row:
    """An entry as a page shows it; ``link`` is None until the sequencer has come round."""

    entry: LedgerEntry
    link: LedgerLink | None
    told: Told
    problem: str


@require_GET
@needs_one_of(RIGHT)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List the entries, newest first, a page at a time, with every hash on the page checked."""
    form = LedgerFilterForm(request.GET)
    context = {
        "form": form,
        "verbs": questions.verbs(),
        "last": questions.last_link(),
        "bar_title": gettext("Audit log"),
    }
    if not form.is_valid():
        return render(request, "policies/ledger/page.html", {**context, "filtered": True}, status=400)
    filters = form.filters()
    try:
        page = pagination.page(
            questions.entries(filters),
            order_by=["-id"],
            limit=PAGE,
            scope=f"ledger?{filters}",
            cursor=request.GET.get("after") or request.GET.get("before"),
        )
    except pagination.InvalidCursor:
        # An old bookmark: the first page is what it asks for now.
        query = request.GET.copy()
        query.pop("after", None)
        query.pop("before", None)
        return redirect(f"{reverse('policies:ledger')}?{query.urlencode()}")
    rows = rows_of(page.items)
    context |= {
        "page": page,
        "rows": rows,
        "problems": [row for row in rows if row.problem],
        "filtered": any(form.cleaned_data.values()),
        "text_reach": questions.TEXT_REACH if filters.text else None,
    }
    return render(request, "policies/ledger/page.html", context)


@require_GET
@needs_one_of(RIGHT)
def entry(request: AuthenticatedRequest, seq: int) -> HttpResponse:
    """Show one place of the chain: all that the entry says, and its hash recomputed."""
    link = questions.link_at(seq)
    if link is None:
        raise Http404("The chain has no such place.")
    (row,) = rows_of([link.entry])
    context = {
        "row": row,
        "before": questions.link_at(seq - 1),
        "after": questions.link_at(seq + 1),
        "bar_title": gettext("Entry {seq}").format(seq=seq),
    }
    return render(request, "policies/ledger/entry.html", context)


@require_GET
@needs_one_of(RIGHT)
def story(request: AuthenticatedRequest, kind: str, object_id: str) -> HttpResponse:
    """Tell all that happened to one object, first things first."""
    filters = questions.LedgerFilter(object_kind=kind, object_id=object_id)
    found = list(questions.entries(filters).order_by("id")[: STORY + 1])
    if not found:
        raise Http404("Nothing is recorded of it.")
    context = {
        "kind": kind,
        "object_id": object_id,
        "rows": rows_of(found[:STORY]),
        "is_cut": len(found) > STORY,
        "bar_title": gettext("Story"),
    }
    return render(request, "policies/ledger/story.html", context)


@require_GET
@needs_one_of(RIGHT)
def download(request: AuthenticatedRequest, format: str) -> HttpResponseBase:
    """Stream what the filters leave as a file, with its hashes; that it was taken is recorded first."""
    form = LedgerFilterForm(request.GET)
    if format not in FORMATS:
        raise Http404("There is no such format.")
    if not form.is_valid():
        return redirect(f"{reverse('policies:ledger')}?{request.GET.urlencode()}")
    filters = form.filters()
    now = database_now()
    ledger_download.note_download(person=request.user, filters=filters, format=format, now=now)
    write, content_type = FORMATS[format]
    response = StreamingHttpResponse(write(questions.stream(filters)), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="handrail-ledger-{now:%Y%m%dT%H%M%SZ}.{format}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def rows_of(entries: list[LedgerEntry] | tuple[LedgerEntry, ...]) -> list[Row]:
    """Return what the page shows of these entries: three questions however many they are."""
    links = questions.links_of(entries)
    problems = ledger.problems_of(links.values())
    return [
        Row(
            entry=each,
            link=(link := links.get(each.pk)),
            told=told(each.payload.body if hasattr(each, "payload") else None),
            problem=problem_in_words(problems.get(link.seq, "")) if link else "",
        )
        for each in entries
    ]

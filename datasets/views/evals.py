"""Pages of evals: the runs, one run with its results, two runs compared, the graders."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.http import Http404, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods

from datasets.models import DatasetVersion, EvalRun
from datasets.selectors import corrections, eval_comparison, eval_runs, graders_in_use
from datasets.selectors.eval_comparison import Change
from datasets.selectors.eval_runs import OUTCOMES, ResultFilter
from datasets.services import evaluating, grader_documents
from datasets.views import eval_rows
from datasets.views.access import SEE
from hitl_site.lib import strict_json
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from hitl_site.lib.pagination import InvalidCursor
from policies.models import ActionType

CURATE = "datasets.curate_case"
NAMED = 50


@require_GET
@needs_one_of(*SEE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """List the runs, newest first; ``?version=`` and ``?agent=`` narrow them."""
    version, agent = None, request.GET.get("agent", "")
    if asked := request.GET.get("version", ""):
        version = get_object_or_404(DatasetVersion.objects.select_related("dataset"), public_id=asked[:40])
    try:
        page = eval_runs.page_of_runs(
            eval_runs.listed(version=version, agent_name=agent),
            cursor=_cursor(request),
            scope=urlencode({"version": asked, "agent": agent}),
        )
    except InvalidCursor:
        return redirect("datasets:evals")
    context = {
        "page": page,
        "version": version,
        "agent": agent,
        "agents": eval_runs.agent_names(),
        "bar_title": gettext("Evals"),
    }
    return render(request, "datasets/evals/page.html", context)


@require_GET
@needs_one_of(*SEE)
def detail(request: AuthenticatedRequest, run_id: str) -> HttpResponse:
    """Show one run: how it did by action type, and its results, filtered."""
    run = _run(run_id)
    where = _filter(request)
    try:
        page = eval_runs.results_page(run, cursor=_cursor(request), where=where, scope="eval-results")
    except InvalidCursor:
        return redirect("datasets:eval", run_id)
    context = {
        "run": run,
        "rates": eval_runs.rates(run),
        "where": where,
        "outcomes": OUTCOMES,
        "fields": eval_runs.wrong_fields(run),
        "page": page,
        "rows": eval_rows.rows(run, page.items),
        "others": eval_comparison.comparable(run),
        "failed_corrections": evaluating.corrections_failed_in(run),
        "bar_title": gettext("Evals"),
        **_in_the_way(run),
    }
    return render(request, "datasets/eval/page.html", context)


def _in_the_way(run: EvalRun) -> dict[str, object]:
    """Return what a promotion of the tested version waits for, by all of its runs; the first are named."""
    found = corrections.in_the_way(agent_version=run.tested) if run.tested is not None else None
    if found is None:
        return {}
    return {
        "in_the_way": found[:NAMED],
        "in_the_way_total": len(found),
        "not_covered": sum(not each.asked for each in found),
    }


@require_GET
@needs_one_of(*SEE)
def compare(request: AuthenticatedRequest, run_id: str) -> HttpResponse:
    """Compare this run with an earlier one, ``?with=``, case by case."""
    now, before = _run(run_id), _run(request.GET.get("with", "")[:40])
    if before.version.dataset_id != now.version.dataset_id or before.pk == now.pk:
        raise Http404("These two runs cannot be compared.")
    # The one that began first is the one before, however it was asked.
    if before.pk > now.pk:
        before, now = now, before
    comparison = eval_comparison.compare(before=before, now=now)
    change = request.GET.get("change", "")
    cases = [case for case in comparison.cases if not change or case.change == change]
    context = {
        "comparison": comparison,
        "changes": list(Change),
        "change": change,
        "cases": eval_rows.titled(cases[:500]),
        "cases_total": len(cases),
        "bar_title": gettext("Evals"),
    }
    return render(request, "datasets/eval_comparison/page.html", context)


@require_GET
@needs_one_of(*SEE)
def graders(request: AuthenticatedRequest) -> HttpResponse:
    """List how each action type is judged."""
    context = {
        "rows": graders_in_use.rows(),
        "may_act": request.user.has_perm(CURATE),
        "bar_title": gettext("Graders"),
    }
    return render(request, "datasets/graders/page.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(*SEE)
def grader(request: AuthenticatedRequest, name: str) -> HttpResponseBase:
    """Show the grader of an action type; a POST puts another one in use."""
    action_type = get_object_or_404(ActionType, name=name)
    if request.method == "POST":
        return _put_in_use(request, action_type)
    return _grader_page(request, action_type, text=graders_in_use.text(action_type.name))


@needs_one_of(CURATE)
def _put_in_use(request: AuthenticatedRequest, action_type: ActionType) -> HttpResponse:
    text = request.POST.get("document", "")
    try:
        grader_documents.put_in_use(
            action_type=action_type.name,
            document=strict_json.parse(text.encode("utf-8", "replace")),
            author=request.user,
            now=database_now(),
        )
    except (strict_json.DoorError, grader_documents.UnableToSet) as error:
        told = error.detail if isinstance(error, strict_json.DoorError) else str(error)
        return _grader_page(request, action_type, text=text, error=told, status=422)
    told = gettext("{name} is judged like this from the next run on.")
    messages.success(request, told.format(name=action_type.title or action_type.name))
    return redirect(reverse("datasets:graders"))


def _grader_page(
    request: AuthenticatedRequest, action_type: ActionType, *, text: str, error: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "action_type": action_type,
        "text": text,
        "error": error,
        "history": graders_in_use.history(action_type.name),
        "may_act": request.user.has_perm(CURATE),
        "bar_title": gettext("Graders"),
    }
    return render(request, "datasets/grader/page.html", context, status=status)


def _run(run_id: str) -> EvalRun:
    return get_object_or_404(EvalRun.objects.select_related("version__dataset", "tested"), public_id=run_id)


def _filter(request: AuthenticatedRequest) -> ResultFilter:
    outcome = request.GET.get("outcome", "")
    if outcome not in {"", *OUTCOMES}:
        raise BadRequest("There is no such filter.")
    return ResultFilter(
        outcome=outcome,
        action_type=request.GET.get("action_type", "")[:120],
        field=request.GET.get("field", "")[:500],
    )


def _cursor(request: AuthenticatedRequest) -> str | None:
    return request.GET.get("after") or request.GET.get("before")

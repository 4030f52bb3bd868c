"""Pages of privacy: whose data there is, erasing it with its proof, how long data is kept, what is held."""

from __future__ import annotations

import json
from collections.abc import Mapping

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from datasets.choices import DataKind
from datasets.forms.privacy import ErasureForm, HoldForm, RuleForm, WhoseForm
from datasets.models import LegalHold, RetentionRule
from datasets.selectors import reach, words
from datasets.services import erasure, holds, retention
from hitl_site.lib.access import needs_one_of
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from policies.choices import RemovalState
from policies.models import Removal
from policies.selectors.ledger_words import problem_in_words
from reviews.services.rights import NotAllowed

ACT = holds.RIGHT
SEE = (ACT, "policies.view_removal")
_SHOWN = 100


@require_GET
@needs_one_of(*SEE)
def index(request: AuthenticatedRequest) -> HttpResponse:
    """Show the search, and every erasure and sweep so far."""
    return _index(request, WhoseForm())


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(ACT)
def preview(request: AuthenticatedRequest) -> HttpResponse:
    """Show everything that an erasure would reach, and ask for its reason.

    By POST, so that no name of a person stands in an address or a log.
    """
    if request.method != "POST":
        return redirect("datasets:privacy")
    form = WhoseForm(request.POST)
    if not form.is_valid():
        return _index(request, form, status=422)
    return _preview(request, ErasureForm(initial=form.cleaned_data), form)


@require_POST
@needs_one_of(ACT)
def erase(request: AuthenticatedRequest) -> HttpResponse:
    """Take the request; what was typed stays where it cannot be taken."""
    form = ErasureForm(request.POST)
    if not form.is_valid():
        whose = WhoseForm(request.POST)
        if not whose.is_valid():
            return _index(request, whose, status=422)
        return _preview(request, form, whose, status=422)
    try:
        removal = erasure.request(
            whose=form.whose(),
            reason=form.cleaned_data["reason"],
            legal_basis=form.cleaned_data["legal_basis"],
            by=request.user,
            now=database_now(),
        )
    except (erasure.UnableToErase, NotAllowed) as error:
        form.add_error(None, str(error))
        whose = WhoseForm(request.POST)
        whose.is_valid()
        return _preview(request, form, whose, status=409)
    return redirect("datasets:removal", removal.public_id)


@require_GET
@needs_one_of(*SEE)
def detail(request: AuthenticatedRequest, removal_id: str) -> HttpResponse:
    """Show one erasure or sweep: how far it is, what went, and the proof."""
    return render(request, "datasets/privacy/removal.html", _told(removal_id))


@require_GET
@needs_one_of(*SEE)
def progress(request: AuthenticatedRequest, removal_id: str) -> HttpResponse:
    """Show how far it is, to be asked again while it is under way."""
    return render(request, "datasets/privacy/_progress.html", _told(removal_id))


@require_GET
@needs_one_of(*SEE)
def proof(request: AuthenticatedRequest, removal_id: str) -> HttpResponse:
    """Hand out the proof of an erasure that is done."""
    removal = get_object_or_404(Removal, public_id=removal_id, proof__isnull=False)
    text = json.dumps(removal.proof, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    response = HttpResponse(text, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{removal.public_id}.proof.json"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@needs_one_of(*SEE)
def keeping(request: AuthenticatedRequest) -> HttpResponse:
    """Show how long data is kept; a POST sets one rule."""
    if request.method != "POST" or not request.user.has_perm(ACT):
        return _keeping(request, RuleForm(), HoldForm())
    form = RuleForm(request.POST)
    if form.is_valid():
        try:
            retention.set_rule(
                kind=DataKind(form.cleaned_data["kind"]),
                action_type=form.cleaned_data["action_type"],
                keep_days=form.cleaned_data["keep_days"],
                by=request.user,
                now=database_now(),
            )
        except (retention.BadRule, NotAllowed) as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, gettext("Saved. The next daily sweep goes by it."))
            return redirect("datasets:keeping")
    return _keeping(request, form, HoldForm(), status=422)


@require_POST
@needs_one_of(ACT)
def place_hold(request: AuthenticatedRequest) -> HttpResponse:
    """Place a legal hold."""
    form = HoldForm(request.POST)
    if form.is_valid():
        try:
            holds.place(**form.cleaned_data, by=request.user, now=database_now())
        except (holds.UnableToHold, NotAllowed) as error:
            form.add_error(None, str(error))
        else:
            said = gettext("Held. Nothing of it is taken away until the hold is lifted.")
            messages.success(request, said)
            return redirect("datasets:keeping")
    return _keeping(request, RuleForm(), form, status=422)


@require_POST
@needs_one_of(ACT)
def lift_hold(request: AuthenticatedRequest, hold_id: str) -> HttpResponse:
    """Lift a legal hold."""
    get_object_or_404(LegalHold, public_id=hold_id)
    try:
        holds.lift(
            hold_id=hold_id, reason=request.POST.get("reason", ""), by=request.user, now=database_now()
        )
    except (holds.UnableToHold, NotAllowed) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, gettext("Lifted."))
    return redirect("datasets:keeping")


def _index(request: AuthenticatedRequest, form: WhoseForm, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "removals": Removal.objects.order_by("-pk")[:_SHOWN],
        "may_act": request.user.has_perm(ACT),
        "bar_title": gettext("Privacy"),
    }
    return render(request, "datasets/privacy/index.html", context, status=status)


def _preview(
    request: AuthenticatedRequest, form: ErasureForm, whose: WhoseForm, status: int = 200
) -> HttpResponse:
    found = reach.reach(whose.whose(), until=database_now())
    counts = reach.preview(found)
    context = {
        "form": form,
        "by": whose.whose().criterion.label,
        "name": whose.whose().value,
        "counts": [(gettext(title), counts[kind]) for kind, title in reach.KINDS.items()],
        "empty": found.is_empty,
        "open": len(reach.unsettled(found.actions, now=database_now())),
        "held": sorted(
            {*reach.held(found.actions).values(), *reach.held_conversations(found.conversations).values()}
        ),
        "bar_title": gettext("Privacy"),
    }
    return render(request, "datasets/privacy/preview.html", context, status=status)


def _told(removal_id: str) -> dict[str, object]:
    removal = get_object_or_404(Removal, public_id=removal_id)
    kinds = {
        **{kind: gettext(title) for kind, title in reach.KINDS.items()},
        **{str(kind): str(label) for kind, label in DataKind.choices},
    }
    return {
        "removal": removal,
        "legal_basis": gettext(removal.legal_basis),
        "note": words.why_it_waits(removal.note),
        "problem": problem_in_words(str(removal.proof["ledger"]["problem"])) if removal.proof else "",
        "under_way": removal.state != RemovalState.DONE,
        "removed": _in_order(removal.removed, kinds),
        "found": _in_order(removal.found, kinds),
        "bar_title": gettext("Privacy"),
    }


def _in_order(counts: Mapping[str, int], kinds: Mapping[str, str]) -> list[tuple[str, int]]:
    """Return what there is of each kind in words, in the order of the kinds: jsonb keeps none."""
    known = [kind for kind in kinds if kind in counts]
    rest = sorted(set(counts) - set(known))
    return [(kinds.get(kind, kind), counts[kind]) for kind in (*known, *rest) if counts[kind]]


def _keeping(
    request: AuthenticatedRequest, rule_form: RuleForm, hold_form: HoldForm, status: int = 200
) -> HttpResponse:
    context = {
        "rules": RetentionRule.objects.exclude(keep_days=None).order_by("kind", "action_type"),
        "holds": LegalHold.objects.order_by("lifted_at", "-pk")[:_SHOWN],
        "rule_form": rule_form,
        "hold_form": hold_form,
        "floor": settings.RETENTION_FLOOR_DAYS,
        "may_act": request.user.has_perm(ACT),
        "bar_title": gettext("Retention"),
    }
    return render(request, "datasets/privacy/keeping.html", context, status=status)

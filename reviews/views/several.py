"""Several items at once: looked through or counted, answered, told what became of each, undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.http import require_http_methods, require_POST

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.choices import DecisionKind
from reviews.forms import EscalationForm
from reviews.models import Queue, ReviewItem
from reviews.selectors import decisions as answers
from reviews.selectors import inbox, inbox_page, independence, people, together
from reviews.selectors.actions import proposed_arguments
from reviews.selectors.reasons import reason_codes
from reviews.services import together as acts
from reviews.services.answers import Answer
from reviews.services.together import Outcome, Shown
from reviews.views.access import View, refused
from reviews.views.access import for_reviewers as for_anyone_who_reviews
from reviews.views.inbox_query import InboxQuery
from reviews.views.pages import Complaint

TO_DECIDE_SEVERAL = gettext_noop(
    "You need the right to decide several items at once (reviews.decide_in_bulk). An administrator grants it."
)
WAYS = ("look", "approve", "reject", "escalate")
_NOTE_LIMIT = 4000


@dataclass(frozen=True)
class Field:
    """One argument of the proposal, in words."""

    label: str
    value: object
    plain: bool


@dataclass(frozen=True)
class Card:
    """One of the items, shown in full."""

    item: ReviewItem
    held: inbox_page.Held
    fields: Sequence[Field]


@dataclass(frozen=True)
class Given:
    """What the form sent, so that nothing of it is lost where it cannot stand."""

    way: str = "look"
    shown: tuple[Shown, ...] = ()
    looked: frozenset[str] = frozenset()
    count: str = ""
    reasons: tuple[str, ...] = ()
    note: str = ""
    errors: list[Complaint] = field(default_factory=list)

    @classmethod
    def read(cls, request: HttpRequest) -> Given:
        way = request.POST.get("do", "")
        return cls(
            way=way if way in WAYS else "look",
            shown=tuple(_shown(value) for value in request.POST.getlist("shown")[: together.MOST]),
            looked=frozenset(request.POST.getlist("looked")),
            count=request.POST.get("count", "").strip()[:10],
            reasons=tuple(request.POST.getlist("reasons")),
            note=request.POST.get("note", "").strip()[:_NOTE_LIMIT],
        )


def for_those_who_decide_several(view: View) -> View:
    """Let in who may decide review items, and several of them at once."""

    def guarded(request: AuthenticatedRequest, *args: object, **kwargs: object) -> HttpResponse:
        if not request.user.has_perm(acts.RIGHT):
            return refused(request, gettext(TO_DECIDE_SEVERAL))
        answer = view(request, *args, **kwargs)
        assert isinstance(answer, HttpResponse)
        return answer

    return for_anyone_who_reviews(guarded)


@for_those_who_decide_several
@require_http_methods(["GET", "HEAD", "POST"])
def decide(request: AuthenticatedRequest) -> HttpResponse:
    """Show the chosen items in full, with what may be done with all of them; do it."""
    now = database_now()
    if request.method != "POST":
        chosen = list(dict.fromkeys(request.GET.getlist("items")))[:200]
        way = request.GET.get("way", "")
        found = together.among(_waiting(request, chosen), asked=len(chosen))
        given = Given(way=way if way in WAYS else "look")
        return _page(request, found, given, now=now, status=409 if found.problems else 200)
    given = Given.read(request)
    found = together.among(_waiting(request, [one.item_id for one in given.shown]), asked=None)
    form = _escalation(request, found.items)
    given.errors.extend(_faults(given, form))
    if given.errors or not found.items:
        return _page(request, found, given, now=now, form=form, status=422 if found.items else 409)
    if given.way == "escalate":
        receiver = {name: form.cleaned_data[name] for name in ("to_user", "to_queue", "note")}
        outcomes = acts.pass_on(reviewer=request.user, shown=given.shown, now=now, **receiver)
    else:
        answer = Answer(kind=DecisionKind(given.way), reasons=given.reasons, note=given.note, bulk=True)
        outcomes = acts.decide(reviewer=request.user, shown=given.shown, answer=answer, now=now)
    return _told(request, outcomes, now=now)


@for_anyone_who_reviews
@require_POST
def undo(request: AuthenticatedRequest) -> HttpResponse:
    """Take back all of these answers that have not gone out yet."""
    now = database_now()
    outcomes = acts.undo(reviewer=request.user, decision_ids=request.POST.getlist("decisions"), now=now)
    if not outcomes:
        return redirect("reviews:inbox")
    return _told(request, outcomes, now=now)


def _waiting(request: AuthenticatedRequest, chosen: Sequence[str]) -> list[ReviewItem]:
    """Return those of the items that this person could answer, as they were chosen; decided ones as well."""
    items = (
        inbox.visible_to(request.user)
        .filter(public_id__in=chosen)
        .exclude(independence.owned_by(request.user))
        .select_related("action__gate_check__policy_version", "action__action_type", "agent")
    )
    found = {item.public_id: item for item in items}
    return [found[one] for one in chosen if one in found]


def _faults(given: Given, form: EscalationForm) -> list[Complaint]:
    """Return what keeps this answer from being taken, before any service is asked."""
    number = len(given.shown)
    if given.way == "approve":
        seen_all = given.looked >= {one.item_id for one in given.shown}
        if not seen_all and given.count != str(number):
            words = gettext("Look through all of them, or type {n} to approve them.").format(n=number)
            return [Complaint("count", gettext("Approve"), words)]
    elif given.way == "reject":
        if not given.reasons:
            return [Complaint("reasons", gettext("Reject"), gettext("Say why: choose at least one reason."))]
    elif given.way == "escalate":
        if not form.is_valid():
            return [
                Complaint("escalate", gettext("Escalate"), str(message))
                for messages in form.errors.values()
                for message in messages
            ]
    else:
        return [Complaint("", gettext("Your answer"), gettext("Choose what to do with them."))]
    return []


def _escalation(request: AuthenticatedRequest, items: Sequence[ReviewItem]) -> EscalationForm:
    given = request.POST.copy() if request.POST.get("do") == "escalate" else None
    if given is not None:
        given["item_version"] = "0"  # each item has its own, beside its id
    receivers = people.receivers_of(items[0], sender=request.user) if items else people.reviewers().none()
    return EscalationForm(given, people=receivers, queues=Queue.objects.order_by("name", "id"))


def _page(
    request: AuthenticatedRequest,
    found: together.Together,
    given: Given,
    *,
    now: datetime,
    form: EscalationForm | None = None,
    status: int = 200,
) -> HttpResponse:
    first = next(iter(found.items), None)
    context = {
        "found": found,
        "given": given,
        "cards": [] if found.problems else [card_of(item, person=request.user) for item in found.items],
        "number": len(found.items),
        "totals": [] if found.problems else together.totals_of(found.items),
        "held": inbox_page.held(first, person=request.user) if first is not None else None,
        "type_name": first.action_type_name if first is not None else "",
        "reasons": reason_codes(first.action.action_type) if first is not None else (),
        "form": form or _escalation(request, found.items),
        "way_query": _way_back(request, now=now),
        "bar_title": gettext("Together"),
    }
    return _unkept(render(request, "reviews/several/page.html", context, status=status))


def card_of(item: ReviewItem, *, person: User) -> Card:
    """Return one item as it is shown in full."""
    return Card(item, inbox_page.held(item, person=person), _fields_of(item))


def _fields_of(item: ReviewItem) -> list[Field]:
    """Return the whole proposal, argument by argument, under the titles that its schema has for them."""
    declared = item.action.action_type
    schema = (declared.argument_schema if declared is not None else None) or {}
    properties = schema.get("properties")
    found = []
    for name, value in proposed_arguments(item.action).items():
        described = properties.get(name) if isinstance(properties, dict) else None
        title = described.get("title") if isinstance(described, dict) else None
        found.append(Field(str(title or name), value, isinstance(value, str)))
    return found


def _told(request: AuthenticatedRequest, outcomes: Sequence[Outcome], *, now: datetime) -> HttpResponse:
    taken = [outcome.decision for outcome in outcomes if outcome.decision is not None]
    context = {
        "outcomes": [(outcome, _drill_text(outcome, now=now)) for outcome in outcomes],
        "done": sum(outcome.done for outcome in outcomes),
        "number": len(outcomes),
        "undoable": [one for one in taken if answers.told(one, now=now).undoable],
        "release_at": min((decision.release_at for decision in taken), default=None),
        "way_query": _way_back(request, now=now),
        "now": now,
        "bar_title": gettext("Together"),
    }
    return _unkept(render(request, "reviews/several/done.html", context))


def _drill_text(outcome: Outcome, *, now: datetime) -> str:
    """Return what to say where one of them was a drill, which nothing told before; "" else."""
    decision = outcome.decision
    return answers.told(decision, now=now).standing if decision is not None and decision.action.drill else ""


def _way_back(request: AuthenticatedRequest, *, now: datetime) -> str:
    """Return the query string of the list that the person came from."""
    query = InboxQuery.read(request.GET, person=request.user, now=now)
    return query.url() if query.fields else ""


def _shown(value: str) -> Shown:
    item_id, _, rest = value.partition(" ")
    digest, _, version = rest.partition(" ")
    return Shown(item_id[:60], digest[:80], int(version) if version.isdecimal() and len(version) < 9 else -1)


def _unkept(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "no-store"
    return response

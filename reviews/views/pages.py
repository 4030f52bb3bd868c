"""How the review page is answered: whole, or the part of it that htmx asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from django.http import HttpResponse
from django.shortcuts import redirect, render, resolve_url
from django.utils.translation import gettext
from django_htmx.http import HttpResponseClientRedirect

from hitl_site.lib.http import AuthenticatedRequest, is_fragment
from reviews.choices import ItemKind
from reviews.models import Decision
from reviews.schema_form import FieldError
from reviews.selectors import attention as attention_of
from reviews.selectors import decisions as answers
from reviews.selectors import drill_bursts, drills, inbox
from reviews.selectors.difference import Difference
from reviews.selectors.edits import Posted
from reviews.selectors.form_words import message_in_words
from reviews.selectors.timeline import Timeline
from reviews.selectors.verbs import verb_of
from reviews.selectors.workspace import Workspace, workspace
from reviews.services import attention, claims
from reviews.views import screens
from reviews.views.inbox_query import InboxQuery


@dataclass(frozen=True)
class Notice:
    """What is to be said first: that somebody was first, that time ran out, that the item has changed."""

    tone: str  # ok, warn or no
    icon: str
    title: str
    text: str
    lines: tuple[str, ...] = ()
    compare: Difference | None = None
    offers_next: bool = True
    # The answer that is given again to confirm it, and the words of its button.
    confirms: str = ""
    confirm_label: str = ""


@dataclass(frozen=True)
class Complaint:
    """One line of the error summary: where it leads, and what is wrong."""

    anchor: str
    label: str
    message: str


@dataclass(frozen=True)
class UndoStrip:
    """The last answer: "Approved “Refund”. Goes out in 4 s", and whether it can be taken back."""

    decision: Decision
    verb: str
    undoable: bool
    waits: bool  # for another person
    quick: bool = False  # an approval too fast to count
    drill: drills.Told | None = None
    burst: str = ""  # what is said of the drills that began the shift


def posted_fields(request: AuthenticatedRequest) -> Posted:
    """Return what the form sent, every field with all its values."""
    return {name: [str(value) for value in values] for name, values in request.POST.lists()}


def load(
    request: AuthenticatedRequest,
    item_id: str,
    *,
    now: datetime,
    posted: Posted | None = None,
    compare: bool = True,
) -> Workspace:
    """Return the item's page as it stands for this person."""
    view = way_of(request, now=now).reading(now=now).view
    return workspace(item_id=item_id, viewer=request.user, now=now, posted=posted, view=view, compare=compare)


def way_of(request: AuthenticatedRequest, *, now: datetime) -> InboxQuery:
    """Return the view of the inbox that the person works through: it is in the address of every item."""
    return InboxQuery.read(request.GET, person=request.user, now=now)


def query_of(way: InboxQuery) -> str:
    """Return what the addresses on the page carry of the view: "" or a query string."""
    return way.url() if way.fields else ""


def undo_strip(request: AuthenticatedRequest, *, now: datetime) -> UndoStrip | None:
    """Return what the page says of the person's last answer, if it says anything."""
    decision = answers.latest(request.user, now=now)
    if decision is None:
        return None
    if decision.action.drill:
        return UndoStrip(
            decision=decision,
            verb="",
            undoable=False,
            waits=False,
            drill=drills.told(decision),
            burst=drill_bursts.words_after(decision),
        )
    return UndoStrip(
        decision=decision,
        verb=verb_of(decision.kind).capitalize(),
        undoable=decision.released_at is None and decision.release_at > now,
        waits=not decision.terminal,
        quick=attention_of.is_quick(decision),
    )


def answer(
    request: AuthenticatedRequest,
    shown: Workspace,
    *,
    now: datetime,
    notice: Notice | None = None,
    errors: tuple[Complaint, ...] = (),
    status: int = 200,
    moved: bool = False,
    new_opening: bool = False,
    uncovered: Timeline | None = None,
) -> HttpResponse:
    """Answer with the item's page; ``moved`` tells the browser that this is another address now.

    ``new_opening`` begins a new reading of the same item.
    """
    context = {
        **_context(request, shown, now=now, same_opening=not (moved or new_opening)),
        "notice": notice,
        "errors": errors,
        "fresh": moved,
        "uncovered": uncovered,
        "steps_all": request.GET.get("steps") == "all",
    }
    template = "_workspace.html" if is_fragment(request) else "page.html"
    response = render(request, f"reviews/review/{template}", context, status=status)
    if is_fragment(request):
        response["HX-Retarget"] = "#workspace"
        response["HX-Reswap"] = "outerHTML"
        if moved:
            response["HX-Push-Url"] = address_of(shown) + query_of(way_of(request, now=now))
    return _unkept(response)


def part(
    request: AuthenticatedRequest, name: str, shown: Workspace, *, now: datetime, **more: object
) -> HttpResponse:
    """Answer with one fragment of the page."""
    context = {**_context(request, shown, now=now), **more}
    return _unkept(render(request, f"reviews/review/_{name}.html", context))


def editor(
    request: AuthenticatedRequest,
    shown: Workspace,
    *,
    now: datetime,
    errors: tuple[Complaint, ...] = (),
    said: str = "",
) -> HttpResponse:
    """Answer with the two editors alone: what surrounds them stays as it is, scrolled where it was."""
    context = {**_context(request, shown, now=now), "errors": errors, "said": said}
    response = render(request, "reviews/review/_editor.html", context, status=422 if errors else 200)
    response["HX-Retarget"] = "#editor"
    response["HX-Reswap"] = "outerHTML"
    return _unkept(response)


def next_item(request: AuthenticatedRequest, *, after: Workspace | None, now: datetime) -> HttpResponse:
    """Claim the next free item of the person's view and show it, or say that nothing waits."""
    way = way_of(request, now=now)
    try:
        item = claims.claim_next(
            reviewer=request.user,
            now=now,
            view=way.reading(now=now).view,
            after=after.item if after is not None else None,
        )
    except claims.OnABreak:
        address = resolve_url("reviews:break")
        return HttpResponseClientRedirect(address) if is_fragment(request) else redirect(address)
    except claims.NothingToClaim:
        return (
            done(request, now=now)
            if is_fragment(request)
            else redirect(resolve_url("reviews:done") + query_of(way))
        )
    if item.kind == ItemKind.INCIDENT and is_fragment(request):
        # Nothing of it is decided here, so its page takes the place of this one.
        return HttpResponseClientRedirect(resolve_url("reviews:review", item_id=item.public_id))
    if not is_fragment(request):
        return redirect(resolve_url("reviews:review", item_id=item.public_id) + query_of(way))
    if item.kind == ItemKind.INCIDENT:
        # An incident has a page of its own, which this one cannot turn into.
        return HttpResponse(headers={"HX-Redirect": resolve_url("reviews:review", item_id=item.public_id)})
    return answer(request, load(request, item.public_id, now=now), now=now, moved=True)


def done(request: AuthenticatedRequest, *, now: datetime) -> HttpResponse:
    """Say that nothing waits for this person."""
    context = {
        "side": "rail",
        "waiting": inbox.my_turn(request.user).count(),
        "undo": undo_strip(request, now=now),
        "undo_url": f"{resolve_url('reviews:done')}?part=undo",
        "way_query": query_of(way_of(request, now=now)),
        "now": now,
    }
    template = "_done.html" if is_fragment(request) else "done.html"
    if is_fragment(request) and request.GET.get("part") == "undo":
        template = "_undo.html"
    response = render(request, f"reviews/review/{template}", context)
    if template == "_done.html":
        response["HX-Retarget"] = "#workspace"
        response["HX-Reswap"] = "outerHTML"
        response["HX-Push-Url"] = resolve_url("reviews:done") + query_of(way_of(request, now=now))
    return _unkept(response)


def address_of(shown: Workspace) -> str:
    """Return the address of an item's page."""
    return resolve_url("reviews:review", item_id=shown.item.public_id)


def complaints_of(shown: Workspace, errors: tuple[FieldError, ...]) -> tuple[Complaint, ...]:
    """Return errors at places of the document as lines that lead to their fields."""
    ids = {row.pointer: (row.element_id, row.label) for row in (*shown.form.rows, *shown.form.unknown)}
    found = []
    for error in errors:
        pointer = error.pointer
        while pointer and pointer not in ids:
            pointer = pointer.rpartition("/")[0]
        anchor, label = ids.get(pointer, ("", ""))
        if shown.edit.editor == "json":
            anchor = "json"
        found.append(
            Complaint(
                quote(anchor),
                label or error.pointer or gettext("Arguments"),
                message_in_words(error.message),
            )
        )
    return tuple(found)


def _context(
    request: AuthenticatedRequest, shown: Workspace, *, now: datetime, same_opening: bool = True
) -> dict[str, object]:
    """Return what every part of the page needs. A form that comes back goes on with its opening."""
    way = way_of(request, now=now)
    token = request.POST.get("token", "") if same_opening else ""
    if not token and shown.may_decide:
        token = attention.view_token(item=shown.item, reviewer=request.user, now=now)
    return {
        "side": "rail",
        "shown": shown,
        "item": shown.item,
        "now": now,
        "undo": undo_strip(request, now=now),
        "way": way,
        "way_query": query_of(way),
        "undo_url": address_of(shown) + way.url(part="undo"),
        "bar_url": address_of(shown) + way.url(part="bar"),
        "token": token,
        "steps_url": address_of(shown) + way.url(part="steps"),
        "step_url": address_of(shown) + way.url(part="step") + "&step=",
        "on_telephone": screens.is_telephone(request),
        "to_be_read": attention_of.is_to_be_read(shown.item) and shown.may_decide,
        "pace": attention_of.open_notice(request.user, now=now) if shown.may_decide else None,
    }


def _unkept(response: HttpResponse) -> HttpResponse:
    # A page from the cache would show an old version of the item, and of the rights.
    response["Cache-Control"] = "no-store"
    return response

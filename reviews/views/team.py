"""The team: load and queues for those who lead, and a person's own page."""

from __future__ import annotations

from typing import Final

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hitl_site.lib.access import TEMPLATE, missing_right, needs_one_of, needs_sign_in
from hitl_site.lib.clock import database_now
from hitl_site.lib.http import AuthenticatedRequest
from reviews.forms_team import CapacityForm, ChannelForm, MembersForm, QueueForm, ShiftForm
from reviews.models import Channel, Queue
from reviews.selectors import team, team_page
from reviews.services import queues, rights
from reviews.services import team as acts

VIEW: Final = "reviews.view_team"


@needs_one_of(VIEW)
@require_safe
def index(request: AuthenticatedRequest) -> HttpResponse:
    """Show who has how much, who is on duty, and the queues."""
    return _index(request)


@needs_sign_in
@require_http_methods(["GET", "HEAD", "POST"])
def person(request: AuthenticatedRequest, username: str) -> HttpResponseBase:
    """Show one person's skills, queues and rota; leads change them. One's own page is open to everybody."""
    own = username == request.user.get_username()
    if not own and not request.user.has_perm(VIEW):
        return render(request, TEMPLATE, {"right": missing_right(VIEW)}, status=403)
    if request.method == "POST" and not request.user.has_perm(acts.MANAGE):
        return render(request, TEMPLATE, {"right": missing_right(acts.MANAGE)}, status=403)
    of = get_object_or_404(User, username=username, is_active=True)
    capacity, shift = CapacityForm(initial={"most_held": team.capacity_of(of)}), ShiftForm()
    status = 200
    if request.method == "POST":
        act = request.POST.get("act")
        capacity = CapacityForm(request.POST) if act == "capacity" else capacity
        shift = ShiftForm(request.POST) if act == "shift" else shift
        try:
            if _change(request, of, act=act, capacity=capacity, shift=shift):
                messages.success(request, gettext("Saved."))
                return redirect("reviews:team_person", username=username)
        except (acts.UnableToChange, rights.NotAllowed) as problem:
            messages.error(request, str(problem))
        status = 422
    now = database_now()
    context = {
        "of": of,
        "own": own,
        "may_manage": request.user.has_perm(acts.MANAGE),
        "on_duty": team.is_on_duty(of, now=now),
        "held": team.held_now(of, now=now).count(),
        "limit": team.capacity_of(of),
        "queues": team.queues_of(of).order_by("name"),
        "skills": team_page.skills_of(of),
        "decides_every_type": team.skills_of(of) is None,
        "shifts": [
            (team_page.DAYS[row.weekday] if row.weekday is not None else row.on_date, row)
            for row in team_page.shifts_of(of)
        ],
        # For the person and those who lead them, nobody else.
        "numbers": team_page.numbers(of, now=now) if own or request.user.has_perm(acts.MANAGE) else None,
        "enough": team_page.ENOUGH,
        "capacity_form": capacity,
        "shift_form": shift,
        "zone": timezone.get_current_timezone_name(),
        "bar_title": gettext("Team"),
    }
    return render(request, "reviews/team/person.html", context, status=status)


@needs_one_of(acts.MANAGE)
@require_POST
def members(request: AuthenticatedRequest, slug: str) -> HttpResponse:
    """Set who belongs to a queue."""
    queue = get_object_or_404(Queue, slug=slug)
    form = MembersForm(request.POST)
    if not form.is_valid():
        refused = gettext("Somebody you chose may not decide review items. Nothing was changed.")
        messages.error(request, refused)
        return _index(request, status=422)
    chosen = None if form.cleaned_data["open_to_all"] else list(form.cleaned_data["members"])
    try:
        _guarded(lambda: acts.set_members(queue=queue, people=chosen, by=request.user, now=database_now()))
    except acts.UnableToChange as problem:
        messages.error(request, str(problem))
        return _index(request, status=422)
    messages.success(request, gettext("The members of {queue} are saved.").format(queue=queue.name))
    return redirect("reviews:team")


@needs_one_of(queues.MANAGE)
@require_POST
def queue_new(request: AuthenticatedRequest) -> HttpResponse:
    """Make a queue."""
    form = QueueForm(request.POST)
    if form.is_valid() and Queue.objects.filter(slug=form.cleaned_data["slug"]).exists():
        form.add_error("slug", gettext("There is a queue of this short name."))
    if not form.is_valid():
        return _index(request, queue_form=form, status=422)
    given = form.cleaned_data
    _guarded(
        lambda: queues.open_queue(slug=given["slug"], name=given["name"], by=request.user, now=database_now())
    )
    done = gettext("The queue {name} is there. Policies name it {slug}.")
    messages.success(request, done.format(name=given["name"], slug=given["slug"]))
    return redirect("reviews:team")


@needs_one_of(queues.MANAGE)
@require_POST
def channel_new(request: AuthenticatedRequest, slug: str) -> HttpResponse:
    """Send a queue's news to a channel of the operator's."""
    queue = get_object_or_404(Queue, slug=slug)
    form = ChannelForm(request.POST)
    if not form.is_valid():
        refused = gettext("A channel's name has capital letters, digits and _. Nothing was changed.")
        messages.error(request, refused)
        return _index(request, status=422)
    name = form.cleaned_data["name"]
    try:
        _guarded(lambda: queues.add_channel(queue=queue, name=name, by=request.user, now=database_now()))
    except queues.UnknownChannel as problem:
        messages.error(request, str(problem))
        return _index(request, status=422)
    messages.success(request, gettext("News of {queue} goes to {name}.").format(queue=queue.name, name=name))
    return redirect("reviews:team")


@needs_one_of(queues.MANAGE)
@require_POST
def channel_end(request: AuthenticatedRequest, channel_id: str) -> HttpResponse:
    """Send no more news there."""
    channel = get_object_or_404(Channel, public_id=channel_id)
    _guarded(lambda: queues.end_channel(channel=channel, by=request.user, now=database_now()))
    messages.success(request, gettext("No more news goes to {name}.").format(name=channel.name))
    return redirect("reviews:team")


def _as_it_is(row: team_page.QueueRow) -> dict[str, object]:
    return {"members": row.members, "open_to_all": not row.members}


def _index(
    request: AuthenticatedRequest, *, queue_form: QueueForm | None = None, status: int = 200
) -> HttpResponse:
    rows = team_page.queue_rows()
    context = {
        "loads": team_page.loads(now=database_now()),
        "rows": [
            (row, MembersForm(initial=_as_it_is(row), auto_id=f"q{number}_%s"))
            for number, row in enumerate(rows)
        ],
        "may_manage": request.user.has_perm(acts.MANAGE),
        "may_manage_queues": request.user.has_perm(queues.MANAGE),
        "queue_form": queue_form or QueueForm(),
        "bar_title": gettext("Team"),
    }
    return render(request, "reviews/team/page.html", context, status=status)


def _change(
    request: AuthenticatedRequest, of: User, *, act: str | None, capacity: CapacityForm, shift: ShiftForm
) -> bool:
    now, by = database_now(), request.user
    if act == "skills":
        # Only where it is said so: a form without it takes away, and opens nothing.
        names = None if request.POST.get("reach") == "every" else request.POST.getlist("skills")
        acts.set_skills(person=of, names=names, by=by, now=now)
        return True
    if act == "capacity" and capacity.is_valid():
        acts.set_capacity(person=of, most_held=capacity.cleaned_data["most_held"], by=by, now=now)
        return True
    if act == "shift" and shift.is_valid():
        zone = timezone.get_current_timezone_name()
        acts.add_shift(person=of, time_zone=zone, by=by, now=now, **shift.cleaned_data)
        return True
    if act == "remove":
        acts.remove_shift(person=of, shift_id=request.POST.get("shift", ""), by=by, now=now)
        return True
    return False


def _guarded(act: object) -> None:
    """Act, and answer 403 where the right has gone since the page was opened."""
    assert callable(act)
    try:
        act()
    except rights.NotAllowed as problem:
        raise PermissionDenied(str(problem)) from problem

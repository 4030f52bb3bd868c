"""Questions about the inbox: whose turn it is, what is due, what a filter leaves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet

from reviews.choices import ItemKind, ItemStatus
from reviews.models import Decision, ReviewItem, Skip
from reviews.selectors import independence

# The two orders of the inbox; both end in the key, so that no two items share a place.
DUE_FIRST = ("due_at", "id")
RISK_FIRST = ("risk_rank", "due_at", "id")

# What items can ask about answers that were given before.
SECOND_OPINIONS, DISAGREEMENTS = "second", "disagreement"


@dataclass(frozen=True)
class View:
    """One reading of the inbox, as the URL has it. Empty members do not filter."""

    queue: str = ""
    search: str = ""
    action_type: str = ""
    agent: str = ""
    trigger: str = ""
    risk: str = ""
    mine: bool = False
    escalated: bool = False
    due_before: datetime | None = None
    risk_first: bool = False
    asks: str = ""  # SECOND_OPINIONS or DISAGREEMENTS

    @property
    def order(self) -> tuple[str, ...]:
        """Return the columns by which this reading is ordered."""
        return RISK_FIRST if self.risk_first else DUE_FIRST


@dataclass(frozen=True)
class Counts:
    waiting: int
    due_within_the_hour: int
    oldest: datetime | None


def may_look(person: User) -> bool:
    """Say whether this person may see the inbox at all."""
    return person.has_perm("reviews.review_item") or person.has_perm("reviews.view_any_item")


def visible_to(person: User) -> QuerySet[ReviewItem]:
    """Return the items that a person may see: every one, for reviewers and those who may see any.

    But not a second opinion on their own answer or agent, for as long as nobody else has given it.
    """
    if not may_look(person):
        return ReviewItem.objects.none()
    return ReviewItem.objects.exclude(independence.not_to_be_opened(person))


def my_turn(person: User, *, view: View | None = None) -> QuerySet[ReviewItem]:
    """Return the open items that this person may decide now.

    Not those they skipped or have decided already (a second approval needs another person), not those of
    agents they own, and not those that were passed on to somebody else. What asks about an answer is for
    those who did not give it, and disagreements are for leads.
    """
    decided = Decision.objects.filter(item=OuterRef("pk"), reviewer=person, undone_at=None)
    skipped = Skip.objects.filter(item=OuterRef("pk"), reviewer=person)
    items = (
        ReviewItem.objects.filter(status=ItemStatus.OPEN)
        .filter(Q(escalated_to=None) | Q(escalated_to=person))
        .exclude(agent__owner=person)
        .filter(~Exists(decided), ~Exists(skipped))
        .filter(~Q(kind__in=independence.APART) | ~Q(independence.answered_elsewhere(person)))
    )
    if not person.has_perm(independence.ADJUDICATE):
        items = items.exclude(kind=ItemKind.ADJUDICATION)
    return narrow(items, view, person=person) if view else items


def narrow(items: QuerySet[ReviewItem], view: View, *, person: User) -> QuerySet[ReviewItem]:
    """Return what the filters of a view leave of ``items``."""
    if view.queue:
        items = items.filter(in_queue(view.queue))
    if view.action_type:
        items = items.filter(action_type_name=view.action_type)
    if view.agent:
        items = items.filter(agent__name=view.agent)
    if view.trigger:
        # A blind item does not say why it is here; to list it under its reason would.
        items = (
            items.filter(trigger=view.trigger, blind=False)
            if view.trigger != "audit"
            else items.filter(Q(trigger="audit") | Q(blind=True))
        )
    if view.risk:
        items = items.filter(risk=view.risk)
    if view.asks:
        items = items.filter(asking(view.asks))
    if view.mine:
        items = items.filter(claimed_by=person)
    if view.escalated:
        items = items.filter(escalated_to=person)
    if view.due_before is not None:
        items = items.filter(due_at__lte=view.due_before)
    for word in view.search.split()[:8]:
        items = items.filter(
            Q(title__icontains=word)
            | Q(action_type_name__icontains=word)
            | Q(agent__name__icontains=word)
            | Q(public_id=word)
            | Q(action__public_id=word)
        )
    return items


def count(items: QuerySet[ReviewItem], *, now: datetime) -> Counts:
    """Count what waits: how many, how many are due within the hour, since when the oldest waits."""
    row = items.aggregate(
        waiting=Count("pk"),
        due=Count("pk", filter=Q(due_at__lte=now + timedelta(hours=1))),
        oldest=Min("created_at"),
    )
    return Counts(waiting=row["waiting"], due_within_the_hour=row["due"], oldest=row["oldest"])


def asking(what: str) -> Q:
    """Return the condition for items that ask about answers: SECOND_OPINIONS, or DISAGREEMENTS to settle."""
    if what == SECOND_OPINIONS:
        return Q(kind=ItemKind.SECOND_OPINION)
    return Q(kind=ItemKind.ADJUDICATION) | Q(disagreed_at__isnull=False)


def in_queue(slug: str) -> Q:
    """Return the condition for standing in a queue: an item may stand in a second one since its reminder."""
    return Q(queue__slug=slug) | Q(second_queue__slug=slug)

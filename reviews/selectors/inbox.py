"""Questions about the inbox: whose turn it is, what is due, what a filter leaves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, Final

from django.contrib.auth.models import User
from django.contrib.postgres.search import SearchQuery
from django.db.models import Exists, IntegerField, OuterRef, Q, QuerySet, Subquery

from hitl_site.lib import ids
from hitl_site.lib.navigation import MOST_COUNTED
from policies.models import Agent
from reviews.choices import ItemKind, ItemStatus
from reviews.models import Decision, ReviewItem, Skip
from reviews.selectors import independence, second_reviews, team

# The two orders of the inbox; both end in the key, so that no two items share a place.
DUE_FIRST = ("due_at", "id")
RISK_FIRST = ("risk_rank", "due_at", "id")

_MOST_WORDS: Final = 8
_MOST_AGENTS: Final = 400
_MOST_AGENTS_A_WORD: Final = 50
_PARTS: Final = re.compile(r"[^\W_]+")

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
    """What waits. ``waiting`` is ``MOST_COUNTED`` and one where it is more than that."""

    waiting: int
    due_within_the_hour: int
    oldest: datetime | None


def may_look(person: User) -> bool:
    """Say whether this person may see the inbox at all."""
    return person.has_perm("reviews.review_item") or person.has_perm("reviews.view_any_item")


def visible_to(person: User) -> QuerySet[ReviewItem]:
    """Return the items that a person may see: every one, for reviewers and those who may see any.

    But not a second opinion on their own answer or agent, nor what is reserved for somebody else, for as long
    as nobody has answered it.
    """
    if not may_look(person):
        return ReviewItem.objects.none()
    return ReviewItem.objects.exclude(independence.not_to_be_opened(person))


def my_turn(person: User, *, view: View | None = None) -> QuerySet[ReviewItem]:
    """Return the open items that this person may decide now.

    Not those they skipped or have decided already (a second approval needs another person), not those of
    agents they own, and not those that were passed on to somebody else. What asks about an answer is for
    those who did not give it, and disagreements are for leads. A queue with members is theirs, and of what a
    person has no skill for nothing comes to them. Second looks are not for whoever needs one themselves.
    """
    decided = Decision.objects.filter(item=OuterRef("pk"), reviewer=person, undone_at=None)
    skipped = Skip.objects.filter(item=OuterRef("pk"), reviewer=person)
    items = (
        ReviewItem.objects.filter(status=ItemStatus.OPEN)
        .filter(independence.not_for_others(person))
        .filter(Q(escalated_to=None) | Q(escalated_to=person))
        .exclude(independence.owned_by(person))
        .filter(team.within_skills(person), team.served(person))
        .filter(~Exists(decided), ~Exists(skipped))
        .filter(
            ~Q(kind__in=independence.APART)
            | ~Q(independence.answered_elsewhere(person)) & ~Q(second_reviews.is_under_review(person))
        )
    )
    if not person.has_perm(independence.ADJUDICATE):
        items = items.exclude(kind=ItemKind.ADJUDICATION)
    return narrow(items, view, person=person) if view else items


def free_for(person: User, *, now: datetime) -> Q:
    """Return the condition for items that nobody else holds."""
    return Q(claimed_by=None) | Q(lease_expires_at__lte=now) | Q(claimed_by=person)


def narrow(
    items: QuerySet[ReviewItem],
    view: View,
    *,
    person: User,
    agents: Mapping[str, Sequence[int]] | None = None,
) -> QuerySet[ReviewItem]:
    """Return what the filters of a view leave of ``items``. ``agents`` as ``matching`` takes them."""
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
    return matching(items, view.search, agents=agents) if view.search else items


def matching(
    items: QuerySet[ReviewItem], search: str, *, agents: Mapping[str, Sequence[int]] | None = None
) -> QuerySet[ReviewItem]:
    """Return the items in which every word begins a word of title, action type or agent, or is an id.

    Found through an index of words, so that it stays fast at any backlog. ``agents`` are those that each word
    names, asked for here where they are not given.
    """
    words = words_of(search)
    if agents is None:
        agents = agents_named(words)
    if not words:
        return items.none()
    for word in words:
        if ids.is_valid(word, "itm"):
            items = items.filter(public_id=word)
        elif ids.is_valid(word, "act"):
            items = items.filter(action__public_id=word)
        else:
            # The parts of a word, such as SO-48213, stand side by side; the last one may go on.
            begins = " <-> ".join(f"'{part}'" for part in _PARTS.findall(word)) + ":*"
            found = Q(words=SearchQuery(begins, search_type="raw", config="simple"))
            items = items.filter(found | Q(agent__in=agents[word]) if agents.get(word) else found)
    return items


def words_of(search: str) -> list[str]:
    """Return the words of a search that can be looked for."""
    return [
        word for word in search.split()[:_MOST_WORDS] if ids.is_valid(word, word[:3]) or _PARTS.search(word)
    ]


def agents_named(words: Iterable[str]) -> dict[str, list[int]]:
    """Return the agents in whose name each word stands, up to a number: one query, none without words."""
    asked = dict.fromkeys(words)
    if not asked:
        return {}
    named = reduce(or_, (Q(name__icontains=word) for word in asked))
    found = list(Agent.objects.filter(named).order_by("pk").values_list("pk", "name")[:_MOST_AGENTS])
    return {
        word: [pk for pk, name in found if word.upper() in name.upper()][:_MOST_AGENTS_A_WORD]
        for word in asked
    }


class UpTo(Subquery):
    """How many rows a query has, counted up to ``MOST_COUNTED`` and one: nobody reads further."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()

    def __init__(self, items: QuerySet[Any]) -> None:
        super().__init__(items.order_by().values("pk")[: MOST_COUNTED + 1])


def count(items: QuerySet[ReviewItem], *, now: datetime) -> Counts:
    """Count what waits, up to a point: how many, how many are due within the hour; since when the oldest."""
    dues = list(items.order_by(*DUE_FIRST).values_list("due_at", flat=True)[: MOST_COUNTED + 1])
    return Counts(
        waiting=len(dues),
        due_within_the_hour=sum(due <= now + timedelta(hours=1) for due in dues),
        oldest=items.order_by("created_at").values_list("created_at", flat=True).first() if dues else None,
    )


def asking(what: str) -> Q:
    """Return the condition for items that ask about answers: SECOND_OPINIONS, or DISAGREEMENTS to settle."""
    if what == SECOND_OPINIONS:
        return Q(kind=ItemKind.SECOND_OPINION)
    return Q(kind=ItemKind.ADJUDICATION) | Q(disagreed_at__isnull=False)


def in_queue(slug: str) -> Q:
    """Return the condition for standing in a queue: an item may stand in a second one since its reminder."""
    return Q(queue__slug=slug) | Q(second_queue__slug=slug)

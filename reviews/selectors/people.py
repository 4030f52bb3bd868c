"""Questions about people and queues: to whom an item can be passed on."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User
from django.db.models import Q, QuerySet

from policies.selectors import owners
from reviews.choices import ItemKind
from reviews.models import Decision, Queue, ReviewItem
from reviews.selectors import team
from reviews.selectors.independence import APART


def reviewers() -> QuerySet[User]:
    """Return everybody who may decide review items now."""
    return _with_right("review_item")


def adjudicators() -> QuerySet[User]:
    """Return everybody who may settle what two people answered differently."""
    return reviewers().filter(pk__in=_with_right("adjudicate"))


def _with_right(codename: str) -> QuerySet[User]:
    right = Permission.objects.filter(content_type__app_label="reviews", codename=codename)
    return (
        User.objects.filter(is_active=True)
        .filter(Q(is_superuser=True) | Q(user_permissions__in=right) | Q(groups__permissions__in=right))
        .distinct()
    )


def receivers_of(item: ReviewItem, *, sender: User) -> QuerySet[User]:
    """Return those who could answer the item: not the sender, the agent's owner, who has answered or lacks
    the skill.

    What asks about an answer is for those who did not give it, and a disagreement for leads. The owner of the
    agent chooses nobody: they would choose who approves it.
    """
    apart = owners.all_apart(item.agent, since=item.action.created_at)
    if sender.pk in apart:
        return User.objects.none()
    everybody = adjudicators() if item.kind == ItemKind.ADJUDICATION else reviewers()
    answers = Decision.objects.filter(undone_at=None)
    answers = answers.filter(action=item.action_id) if item.kind in APART else answers.filter(item=item)
    people = everybody.exclude(pk=sender.pk).exclude(pk__in=answers.values("reviewer"))
    people = people.exclude(pk__in=team.unskilled(item.action_type_name)).exclude(pk__in=apart)
    return people.order_by("first_name", "username")


def queues_for(item: ReviewItem) -> QuerySet[Queue]:
    """Return the other queues, by name."""
    return Queue.objects.exclude(pk=item.queue_id).order_by("name", "id")

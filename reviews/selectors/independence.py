"""Who may answer independently of whom: second opinions and disagreements are for somebody else."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.models import User
from django.db.models import DateTimeField, Exists, OuterRef, Q
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, Now
from django.utils.translation import gettext

from policies.selectors import owners
from reviews.choices import ItemKind, ItemStatus
from reviews.models import ActionRequest, Decision, ReviewItem
from reviews.selectors import second_reviews, team

REVIEW: Final = "reviews.review_item"
ADJUDICATE: Final = "reviews.adjudicate"
# Items that ask about an answer, and so are never for those who gave it.
APART: Final = frozenset({ItemKind.SECOND_OPINION, ItemKind.ADJUDICATION})
_UNANSWERED: Final = (ItemStatus.OPEN, ItemStatus.RECORDED)


def why_not(item: ReviewItem, person: User, *, heed_queue: bool = False) -> str:
    """Return why this person may not answer the item whatever their right to review, "" where they may.

    ``heed_queue`` asks as well whether its queue is for other people: passing on to somebody goes past that.
    """
    if item.action.agent.owner_id == person.pk:
        return gettext("You own this agent; somebody else decides for it.")
    if owns(item.action, person.pk):
        return gettext("You owned this agent until lately; somebody else decides what it proposed by then.")
    if item.reserved_for_id not in (None, person.pk):
        return gettext("This one is for somebody else.")
    not_theirs = team.why_not(item, person, heed_queue=heed_queue)
    if not_theirs or item.kind not in APART:
        return not_theirs
    if item.kind == ItemKind.ADJUDICATION and not person.has_perm(ADJUDICATE):
        return gettext("Settling what two people answered differently is for leads (reviews.adjudicate).")
    if has_answered(item, person):
        if item.kind == ItemKind.ADJUDICATION:
            return gettext("One of the answers that differ is yours; somebody else settles it.")
        return gettext("You have answered this before; a second opinion is somebody else’s.")
    if second_reviews.under_review([person.pk], action_type_name=item.action_type_name, at=Now()):
        return gettext("For now a second person answers after you; second looks are for others.")
    return ""


def owns(action: ActionRequest, person_id: int) -> bool:
    """Say whether a person answers for the agent of an action: now, or when it was proposed, or since."""
    return owners.is_apart(action.agent, person_id, since=action.created_at)


def owned_by(person: User) -> Q:
    """Return the same question for a query of items."""
    key = owners.key_of(person.pk)
    until = Cast(KeyTextTransform(key, OuterRef("agent__former_owners")), DateTimeField())
    proposed_before = Exists(ActionRequest.objects.filter(pk=OuterRef("action"), created_at__lt=until))
    return Q(agent__owner=person) | Q(agent__former_owners__has_key=key) & Q(proposed_before)


def has_answered(item: ReviewItem, person: User) -> bool:
    """Say whether an answer of this person to another item of the same action stands."""
    return (
        Decision.objects.filter(action_id=item.action_id, reviewer=person, undone_at=None)
        .exclude(item=item)
        .exists()
    )


def answered_elsewhere(person: User) -> Exists:
    """Return the same question for a query of items."""
    return Exists(
        Decision.objects.filter(action=OuterRef("action"), reviewer=person, undone_at=None).exclude(
            item=OuterRef("pk")
        )
    )


def not_to_be_opened(person: User) -> Q:
    """Return the condition for items that a person must not even open while nobody has answered them."""
    own_answer = Q(kind=ItemKind.SECOND_OPINION) & (owned_by(person) | Q(answered_elsewhere(person)))
    return Q(status__in=_UNANSWERED) & (own_answer | ~not_for_others(person))


def not_for_others(person: User) -> Q:
    """Return the condition for items that are not reserved for somebody else."""
    return Q(reserved_for=None) | Q(reserved_for=person)


class KeptApart(Exception):
    """The person could give a second opinion on this: until then they see nothing of the first answer."""

    def __init__(self, item: ReviewItem) -> None:
        super().__init__(
            gettext(
                "A second opinion is asked for here, and you could give it. What was answered first is shown"
                " once it has gone out."
            )
        )
        self.item = item


def keep_apart(action: ActionRequest, person: User) -> None:
    """Raise ``KeptApart`` where this person must see nothing of what was answered about the action."""
    item = second_look_at(action, person)
    if item is not None:
        raise KeptApart(item)


def second_look_at(action: ActionRequest, person: User) -> ReviewItem | None:
    """Return the unanswered second opinion on an action that this person could give.

    As long as there is one, they are kept from what was said first.
    """
    if not person.has_perm(REVIEW):
        return None
    item = (
        ReviewItem.objects.filter(action=action, kind=ItemKind.SECOND_OPINION, status__in=_UNANSWERED)
        .select_related("action__agent")
        .first()
    )
    return item if item is not None and not why_not(item, person) else None

"""What others answered: kept from whoever still answers alone, shown to whoever settles what differs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.contrib.auth.models import User
from django.utils.translation import gettext, gettext_lazy, gettext_noop

from hitl_site.lib import wording
from hitl_site.lib.strict_json import JsonValue
from reviews.choices import DecisionKind, ItemKind, ItemStatus
from reviews.models import Decision, ReviewItem, SecondOpinion
from reviews.selectors import independence
from reviews.selectors.actions import proposed_arguments
from reviews.selectors.difference import Difference, difference
from reviews.selectors.independence import ADJUDICATE
from reviews.selectors.reasons import reason_codes

# Kept where somebody asks about their own decision, or a second person answers after somebody for a time;
# other reasons are a person's words.
_BY_THEMSELVES: Final = gettext_noop("Asked by who decided it")
SECOND_REVIEW: Final = gettext_noop("A temporary second review")
_ENDED = frozenset({ItemStatus.DECIDED, ItemStatus.EXPIRED, ItemStatus.CANCELLED})
_PLACES = (
    gettext_lazy("First answer"),
    gettext_lazy("Second answer"),
    gettext_lazy("Third answer"),
)
_TITLES = {
    DecisionKind.APPROVE: gettext_lazy("Approve as proposed"),
    DecisionKind.CORRECT: gettext_lazy("Correct it"),
    DecisionKind.REJECT: gettext_lazy("Reject: nothing should run"),
}


@dataclass(frozen=True)
class TheirAnswer:
    """One answer, without the name of whoever gave it: what was said counts, not who said it."""

    place: str
    title: str
    kind: str
    at: datetime
    reasons: tuple[str, ...]
    note: str
    change: Difference
    blind: bool


@dataclass(frozen=True)
class TheirAnswers:
    """Answers side by side. ``between`` is what differs from the first to the second, where both would run.

    ``origin`` says how it came to a second look; ``to_settle`` that the viewer is asked who is right.
    """

    given: tuple[TheirAnswer, ...]
    between: Difference | None
    origin: str
    to_settle: bool


def are_hidden(item: ReviewItem, viewer: User, decisions: Sequence[Decision], *, now: datetime) -> bool:
    """Say whether this person must not know what others answered to an item that takes several people.

    Whoever may still answer is blind to the others, and so is whoever could still take their answer back. A
    lead sees both sides once they differ: then somebody has to say which of them is right.
    """
    if item.kind != ItemKind.GATE or item.status != ItemStatus.OPEN or item.approvals_required < 2:
        return False
    if not viewer.has_perm("reviews.review_item") or independence.owns(item.action, viewer.pk):
        return False
    own = next((each for each in decisions if each.reviewer_id == viewer.pk), None)
    if own is not None:
        return own.release_at > now
    return item.disagreed_at is None or not viewer.has_perm(ADJUDICATE)


def their_answers(
    item: ReviewItem, viewer: User, decisions: Sequence[Decision], *, now: datetime
) -> TheirAnswers | None:
    """Return the answers that the page shows beside each other, None where there are none to show."""
    if item.kind == ItemKind.GATE:
        if item.disagreed_at is None or are_hidden(item, viewer, decisions, now=now):
            return None
        standing = [each for each in decisions if each.final_digest]
        return _side_by_side(item, standing, origin="", to_settle=item.status == ItemStatus.OPEN)
    if item.kind == ItemKind.ADJUDICATION:
        opinion = _opinion(item)
        second = opinion.item.decisions.filter(undone_at=None).first()
        given = [opinion.first_decision, *([second] if second is not None else [])]
        return _side_by_side(item, given, origin=origin_of(opinion), to_settle=item.status == ItemStatus.OPEN)
    if item.kind == ItemKind.SECOND_OPINION and item.status in _ENDED:
        opinion = SecondOpinion.objects.select_related("first_decision").get(item=item)
        given = [opinion.first_decision, *(each for each in decisions if each.terminal)]
        return _side_by_side(item, given, origin=origin_of(opinion), to_settle=False)
    return None


def origin_of(opinion: SecondOpinion) -> str:
    """Return how it came to a second opinion, in a sentence."""
    if opinion.because:
        ours = opinion.because in (_BY_THEMSELVES, SECOND_REVIEW)
        return gettext(opinion.because) if ours else opinion.because
    # Shown as a text in which a space that does not break is called by its name.
    share = wording.percent(opinion.propensity, 1).replace("\N{NO-BREAK SPACE}", " ")
    return gettext("Drawn at random: {share} of such decisions are.").format(share=share)


def _opinion(item: ReviewItem) -> SecondOpinion:
    return SecondOpinion.objects.select_related("first_decision", "item").get(
        item__action=item.action_id, item__status=ItemStatus.DECIDED
    )


def _side_by_side(
    item: ReviewItem, given: Sequence[Decision], *, origin: str, to_settle: bool
) -> TheirAnswers:
    proposed: JsonValue = dict(proposed_arguments(item.action))
    labels = {reason.code: reason.words for reason in reason_codes(item.action.action_type)}
    finals = [_final(each, proposed) for each in given]
    runnable = [final for final in finals if final is not None]
    return TheirAnswers(
        given=tuple(
            TheirAnswer(
                place=str(_PLACES[number]) if number < len(_PLACES) else gettext("A further answer"),
                title=str(_TITLES[DecisionKind(each.kind)]),
                kind=each.kind,
                at=each.decided_at,
                reasons=tuple(labels.get(code, code) for code in each.reasons),
                note=each.note,
                change=difference(proposed, proposed if final is None else final),
                blind=each.blind,
            )
            for number, (each, final) in enumerate(zip(given, finals, strict=True))
        ),
        between=difference(runnable[0], runnable[1]) if len(runnable) == 2 == len(finals) else None,
        origin=origin,
        to_settle=to_settle,
    )


def _final(decision: Decision, proposed: JsonValue) -> JsonValue:
    """Return what the answer would have run; None for a rejection."""
    if decision.kind == DecisionKind.REJECT:
        return None
    if not decision.final_arguments_canonical:
        return proposed
    final: JsonValue = json.loads(bytes(decision.final_arguments_canonical))
    return final

"""Second opinions of the demo: most say the same, some differ, and a few wait for whoever looks at it."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from datasets.demo import acting, vouchers
from datasets.demo.setting_up import Stage
from datasets.demo.story import RIGHT, Story, Verdict
from hitl_site.lib.clock import database_now
from reviews.choices import DecisionKind, ItemKind, ItemStatus
from reviews.models import ActionRequest, Decision, ReviewItem, SecondOpinion
from reviews.selectors.reasons import reason_codes
from reviews.services import deadlines, second_opinions

LEAD: Final = "jonas"
_DIFFER_SHARE: Final = 0.12
_WAITING: Final = 2
_QUESTION: Final = "Do we all read the rule on damaged items the same way?"


def give(stage: Stage, story: Story, action: ActionRequest, rng: random.Random, *, at: datetime) -> None:
    """Have somebody else answer what was drawn, some hours later; what lies ahead is left open."""
    item = action.items.filter(kind=ItemKind.SECOND_OPINION, status=ItemStatus.OPEN).first()
    when = at + timedelta(hours=rng.randint(2, 30))
    if item is None or when > database_now():
        return
    first = item.second_opinion.first_decision
    answered = set(action.decisions.values_list("reviewer__username", flat=True))
    person = rng.choice([each for name, each in stage.reviewers.items() if name not in {LEAD, *answered}])
    differs = rng.random() < _DIFFER_SHARE and LEAD not in answered
    acting.answer(item, person, _other(first) if differs else story.verdict, now=when, rng=rng)
    deadlines.release_due(now=when + acting.UNDO)
    disagreement = action.items.filter(kind=ItemKind.ADJUDICATION, status=ItemStatus.OPEN).first()
    if disagreement is not None:
        _settle(stage, disagreement, story.verdict, now=when + timedelta(hours=3), rng=rng)


def leave_some(stage: Stage) -> None:
    """Leave second opinions that were asked for, and one disagreement for a lead; once."""
    rng = random.Random("demo second looks")  # noqa: S311 - the same demo everywhere, no secret
    now = database_now()
    lead, second = stage.reviewers[LEAD], stage.reviewers["leyla"]
    with transaction.atomic():
        if SecondOpinion.objects.exclude(because="").exists():
            return
        asked: list[SecondOpinion] = []
        for decision in _approvals_of(["mira", "sam"]):
            opinion = second_opinions.ask(
                action=decision.action, because=_QUESTION, asked_by=lead, now=now - timedelta(minutes=20)
            )
            if opinion is not None:
                asked.append(opinion)
            if len(asked) > _WAITING:
                break
        if not asked:
            return
        first = asked[0].first_decision
        acting.answer(asked[0].item, second, _other(first), now=now - timedelta(minutes=2), rng=rng)
        deadlines.release_due(now=now)


def _approvals_of(names: list[str]) -> list[Decision]:
    found = Decision.objects.filter(
        item__kind=ItemKind.GATE,
        kind=DecisionKind.APPROVE,
        released_at__isnull=False,
        action__action_type_name="refund.issue",
        reviewer__username__in=names,
    )
    # Nobody doubts the golden cases.
    found = found.exclude(action__idempotency_key__startswith=vouchers.KEYS)
    return list(found.select_related("action").order_by("-id")[:20])


def _settle(stage: Stage, item: ReviewItem, deserved: Verdict, *, now: datetime, rng: random.Random) -> None:
    note = deserved.note or "The order and the photo agree; the first answer was right."
    verdict = Verdict(deserved.kind, deserved.arguments, deserved.reasons, note)
    acting.answer(item, stage.reviewers[LEAD], verdict, now=now, rng=rng)
    deadlines.release_due(now=now + acting.UNDO)


def _other(first: Decision) -> Verdict:
    """Return an answer that differs from the first."""
    if first.kind == DecisionKind.REJECT:
        return RIGHT
    code = reason_codes(first.action.action_type)[0].code
    return Verdict(DecisionKind.REJECT, None, (code,), "The photo does not show what the customer describes.")
